"""What the sinks' services of one stack share: the cluster, the security group, and the role that starts tasks."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws
from pulumi import ResourceOptions

from compiler import names
from compiler.emit import iam
from compiler.emit.execution import execution_policy
from compiler.emit.pulumi.deployment import Deployment, after

_HTTPS = 443
_ANYWHERE = "0.0.0.0/0"


class Compute(pulumi.ComponentResource):
    """`sluice:index:Compute`.

    `cluster` is the ARN of the stack's own ECS cluster, or of the given one, and `cluster_name` its name; `execution_role`
    is the ARN of the role that starts tasks, once it may.
    """

    def __init__(self, name: str, deployment: Deployment, opts: ResourceOptions | None = None) -> None:
        super().__init__("sluice:index:Compute", name, {}, opts)
        here = ResourceOptions(parent=self)
        given = deployment.stack.cluster
        self.cluster_name = given.rpartition("/")[2] if given else names.cluster(deployment.prefix)
        self.cluster: pulumi.Input[str] = given or _cluster(deployment, self.cluster_name, here).arn
        self.security_group = _security_group(deployment, here)
        self.execution_role = _execution_role(deployment, here)
        self.register_outputs({"cluster": self.cluster})


def _cluster(deployment: Deployment, name: str, here: ResourceOptions) -> aws.ecs.Cluster:
    """Without Container Insights, which is charged by the metric: no alarm and no graph here needs it."""
    disabled = aws.ecs.ClusterSettingArgs(name="containerInsights", value="disabled")
    return aws.ecs.Cluster("sinks", name=name, settings=[disabled], tags=deployment.tags(), opts=here)


def _security_group(deployment: Deployment, here: ResourceOptions) -> aws.ec2.SecurityGroup:
    """Nothing comes in. Names are asked of the VPC's own resolver, which no security group stands before."""
    stack = deployment.stack
    _, port = stack.database.sink_address
    return aws.ec2.SecurityGroup(
        "sinks",
        name=names.sinks_security_group(deployment.prefix),
        description=f"Sinks of {stack.environment}: out to AWS and to the database only",
        vpc_id=stack.network.vpc,
        egress=[
            _egress("AWS: SQS, SNS, S3, Secrets Manager, logs, images", _HTTPS, [_ANYWHERE]),
            _egress("Postgres", port, list(stack.network.database_cidrs)),
        ],
        tags=deployment.tags(),
        opts=here,
    )


def _egress(description: str, port: int, blocks: list[str]) -> aws.ec2.SecurityGroupEgressArgs:
    return aws.ec2.SecurityGroupEgressArgs(
        description=description, protocol="tcp", from_port=port, to_port=port, cidr_blocks=blocks
    )


def _execution_role(deployment: Deployment, here: ResourceOptions) -> pulumi.Output[str]:
    """Apart from the sinks' own roles: what starts a task may not read its queue, and a sink may not pull images."""
    stack, arns = deployment.stack, deployment.arns
    role = aws.iam.Role(
        "execution",
        name=names.execution_iam_role(deployment.prefix, stack.region),
        path=deployment.iam_path,
        assume_role_policy=iam.text(iam.sink_trust(arns)),
        permissions_boundary=stack.permissions_boundary,
        tags=deployment.tags(),
        opts=here,
    )
    document = execution_policy(arns, names.log_groups(deployment.prefix), stack.image)
    policy = aws.iam.RolePolicy(
        "execution", name="execution", role=role.name, policy=iam.text(document), opts=after(here, role)
    )
    return pulumi.Output.all(role.arn, policy.id).apply(lambda made: str(made[0]))
