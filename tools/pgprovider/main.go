// Command pulumi-resource-postgresql is the pulumi-postgresql provider, put together from its own parts: the Terraform
// provider that does the work, and the bridge by which Pulumi speaks to it. Only the resource types' names and the
// settings that Pulumi adds are said here; they follow the published provider, so that the SDK's types fit.
package main

import (
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge/tokens"
	shimv2 "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim/sdk-v2"
	"github.com/terraform-providers/terraform-provider-postgresql/postgresql"
)

// version is that of the SDK whose types this provider serves; the build sets it.
var version = "0.0.0"

func provider() tfbridge.ProviderInfo {
	info := tfbridge.ProviderInfo{
		P:       shimv2.NewProvider(postgresql.Provider()),
		Name:    "postgresql",
		Version: version,
		// A grant is the whole set of rights of its role, so the old one must go before the new one comes.
		Resources: map[string]*tfbridge.ResourceInfo{
			"postgresql_grant": {Tok: "postgresql:index/grant:Grant", DeleteBeforeReplace: true},
		},
		MetadataInfo: tfbridge.NewProviderMetadata([]byte("{}")),
	}
	info.MustComputeTokens(tokens.SingleModule("postgresql_", "index", tokens.MakeStandard("postgresql")))
	return info
}

func main() {
	tfbridge.Main("postgresql", version, provider(), []byte("{}"))
}
