"""A producer's one right: to send to the buffers of its datasets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import pulumi
from pulumi import ResourceOptions

from compiler import names
from compiler.dataset import Dataset
from compiler.emit import iam
from compiler.emit.pulumi.deployment import Deployment
from compiler.emit.pulumi.managed import attach
from compiler.stack import Principal


class ProducerAccess(pulumi.ComponentResource):
    """`sluice:index:ProducerAccess`: the producer's managed policy (parts of it, by size) on its bound role.

    A role of another account is admitted by the queues' own policies; its account must allow it as much, by the
    documents in `exports["policies"]`, which hold nothing for a role of this account.
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
        buffers = tuple(buffer_arns)
        documents = deployment.documents(lambda key: iam.producer_policies(buffers, key))
        is_ours = not is_foreign(principal, deployment)
        if is_ours:
            named = partial(names.producer_policy, deployment.prefix, producer, deployment.stack.region)
            role = str(principal.aws_role_name)
            attach(f"{producer}-send", role, documents, named, deployment, ResourceOptions(parent=self))
        self.exports: Mapping[str, Any] = {
            "role_arn": principal.aws_arn,
            "policies": [] if is_ours else list(documents),
        }
        self.register_outputs(dict(self.exports))


def is_foreign(principal: Principal, deployment: Deployment) -> bool:
    """Whether its role is of another account than the stack's."""
    return principal.aws_account != deployment.stack.account


def buffers_by_producer(datasets: Iterable[Dataset], deployment: Deployment) -> dict[str, list[str]]:
    """The ARNs of the buffers that each producer sends to, producers in order of name."""
    buffers: dict[str, list[str]] = {}
    for dataset in datasets:
        arn = deployment.arns.queue(names.buffer_queue(deployment.prefix, dataset.name))
        for producer in dataset.producers:
            buffers.setdefault(producer, []).append(arn)
    return dict(sorted(buffers.items()))


def foreign_senders(dataset: Dataset, deployment: Deployment) -> list[str]:
    """The roles of other accounts that send to the dataset's buffer, sorted."""
    bound = {deployment.stack.principal(name) for name in dataset.producers}
    return sorted(str(one.aws_arn) for one in bound if is_foreign(one, deployment))
