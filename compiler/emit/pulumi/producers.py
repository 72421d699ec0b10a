"""A producer's one right: to send to the buffers of its datasets."""

from __future__ import annotations

from collections.abc import Iterable

import pulumi
import pulumi_aws as aws
from pulumi import ResourceOptions

from compiler import names
from compiler.dataset import Dataset
from compiler.emit import iam
from compiler.emit.pulumi.deployment import Deployment


class ProducerAccess(pulumi.ComponentResource):
    """`sluice:index:ProducerAccess`: the producer's managed policy (parts of it, by size) on its bound role.

    Producers of other accounts, whose rights come from the queues' policies, stand here too once they are supported.
    """

    def __init__(
        self,
        producer: str,
        deployment: Deployment,
        buffer_arns: Iterable[str],
        opts: ResourceOptions | None = None,
    ) -> None:
        super().__init__("sluice:index:ProducerAccess", producer, {}, opts)
        principal = deployment.stack.principal(producer)
        here = ResourceOptions(parent=self)
        for part, document in enumerate(iam.producer_policies(buffer_arns), start=1):
            policy = aws.iam.Policy(
                f"{producer}-send-{part}",
                name=names.producer_policy(deployment.prefix, producer, deployment.stack.region, part),
                path=deployment.iam_path,
                policy=iam.text(document),
                tags=deployment.tags(),
                opts=here,
            )
            aws.iam.RolePolicyAttachment(
                f"{producer}-send-{part}", role=principal.aws_role_name, policy_arn=policy.arn, opts=here
            )
        self.register_outputs({"role_arn": principal.aws_arn})


def buffers_by_producer(datasets: Iterable[Dataset], deployment: Deployment) -> dict[str, list[str]]:
    """The ARNs of the buffers that each producer sends to, producers in order of name."""
    buffers: dict[str, list[str]] = {}
    for dataset in datasets:
        arn = deployment.arns.queue(names.buffer_queue(deployment.prefix, dataset.name))
        for producer in dataset.producers:
            buffers.setdefault(producer, []).append(arn)
    return dict(sorted(buffers.items()))
