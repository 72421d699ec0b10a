"""What the datasets of one environment share: the bucket of their plans and the control schema.

The ECS cluster, the security group, the execution role and the alarm topic of the sinks' service stand here too once
the program makes the service.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pulumi
import pulumi_aws as aws
from pulumi import ResourceOptions

from compiler.emit import iam
from compiler.emit.pulumi.deployment import Deployment, after
from compiler.emit.pulumi.table_provider import ControlSchema, DatasetSchemas

OUTPUT = "foundation"
"""The stack's output by which other stacks stand on its foundation."""


class Foundation(pulumi.ComponentResource):
    """`sluice:index:Foundation`: owned by this stack.

    `schemas` are the Postgres schemas of all its datasets. `plans` is the bucket's name once it can take objects,
    `plan_bucket` the name alone, for policies; `exports` are for the stacks that refer to this one.
    """

    def __init__(
        self, name: str, deployment: Deployment, schemas: Iterable[str], opts: ResourceOptions | None = None
    ) -> None:
        super().__init__("sluice:index:Foundation", name, {}, opts)
        here = ResourceOptions(parent=self)
        self.plans: pulumi.Output[str] = _plan_bucket(deployment, here)
        self.plan_bucket: pulumi.Input[str] = deployment.plan_bucket
        self.control: pulumi.Resource = ControlSchema("control-schema", tuple(sorted(set(schemas))), here)
        self.exports: Mapping[str, Any] = {"plan_bucket": self.plans}
        self.register_outputs(dict(self.exports))


class ReferencedFoundation(pulumi.ComponentResource):
    """`sluice:index:ReferencedFoundation`: that of the stack which `sluice:foundation` names, known by its outputs.

    It has what `Foundation` has. Of the database only schemas that the datasets need and that are not there are made.
    """

    def __init__(
        self, name: str, deployment: Deployment, schemas: Iterable[str], opts: ResourceOptions | None = None
    ) -> None:
        super().__init__("sluice:index:ReferencedFoundation", name, {}, opts)
        here = ResourceOptions(parent=self)
        stack = pulumi.StackReference(deployment.stack.foundation, opts=here)
        bucket: pulumi.Output[str] = stack.require_output(OUTPUT).apply(
            lambda found: str(found["plan_bucket"])
        )
        self.plans = bucket
        self.plan_bucket: pulumi.Input[str] = bucket
        self.control: pulumi.Resource = DatasetSchemas("schemas", tuple(sorted(set(schemas))), here)
        self.exports: Mapping[str, Any] = {"plan_bucket": bucket}
        self.register_outputs(dict(self.exports))


def foundation_of(
    deployment: Deployment, schemas: Iterable[str], opts: ResourceOptions
) -> Foundation | ReferencedFoundation:
    """The stack's own foundation, or the one that its configuration names."""
    make = Foundation if deployment.stack.foundation == "own" else ReferencedFoundation
    return make("foundation", deployment, schemas, opts)


def _plan_bucket(deployment: Deployment, here: ResourceOptions) -> pulumi.Output[str]:
    """A private bucket, encrypted, reached over TLS only.

    Nothing in it expires: objects are a few kilobytes, named by their content, and a sink that starts (or is rolled
    back) years later must find the plan that it was deployed with. Where nothing is protected, as in a sandbox, it goes
    with the stack, and the plans that were retained in it go too.
    """
    bucket = aws.s3.Bucket(
        "plans",
        bucket=deployment.plan_bucket,
        force_destroy=not deployment.stack.protect,
        tags=deployment.tags(),
        opts=deployment.kept(here),
    )
    private = aws.s3.BucketPublicAccessBlock(
        "plans-private",
        bucket=bucket.bucket,
        block_public_acls=True,
        block_public_policy=True,
        ignore_public_acls=True,
        restrict_public_buckets=True,
        opts=here,
    )
    encrypted = aws.s3.BucketServerSideEncryptionConfiguration(
        "plans-encrypted",
        bucket=bucket.bucket,
        rules=[{"apply_server_side_encryption_by_default": {"sse_algorithm": "AES256"}}],
        opts=here,
    )
    tls = iam.tls_only_bucket_policy(deployment.arns.bucket(deployment.plan_bucket))
    # S3 refuses two changes of a bucket's access at once ("A conflicting conditional operation is in progress").
    policy = aws.s3.BucketPolicy(
        "plans-tls-only",
        bucket=bucket.bucket,
        policy=iam.text(tls),
        opts=after(here, private),
    )
    return pulumi.Output.all(bucket.bucket, encrypted.id, policy.id).apply(lambda made: str(made[0]))
