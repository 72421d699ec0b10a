"""The operators' access: a role of their own in IAM, which they take, and one in Postgres, which they are members of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import pulumi
import pulumi_aws as aws
import pulumi_postgresql as postgresql
from pulumi import ResourceOptions

from compiler import names
from compiler.dataset import Dataset
from compiler.emit import iam
from compiler.emit.pulumi.deployment import Deployment, after
from compiler.emit.pulumi.managed import attach
from compiler.stack import Principal


class OperatorAccess(pulumi.ComponentResource):
    """`sluice:index:OperatorAccess`: receive, send, delete on every queue of the stack, and a look at the control tables.

    The IAM role is the stack's own, so that its unique id is known, by which sinks trust what an operator sends again.
    `exports["policy"]` is what the account of the bound role must allow it.
    """

    def __init__(
        self,
        principal: Principal,
        deployment: Deployment,
        datasets: Iterable[Dataset],
        control: pulumi.Resource,
        opts: ResourceOptions | None = None,
    ) -> None:
        super().__init__("sluice:index:OperatorAccess", "operator", {}, opts)
        here = ResourceOptions(parent=self)
        role = _iam_role(str(principal.aws_arn), deployment, here)
        queues = _queues(datasets, deployment)
        documents = deployment.documents(lambda key: iam.operator_policies(queues, key))
        named = partial(names.operator_policy, deployment.prefix, deployment.stack.region)
        attach("operator", role.name, documents, named, deployment, here)
        group = _postgres_role(str(principal.postgres_role), deployment, after(here, control))
        arn = deployment.arns.role(
            deployment.iam_path, names.operator_iam_role(deployment.prefix, deployment.stack.region)
        )
        self.exports: Mapping[str, Any] = {
            "role_arn": role.arn,
            "role_id": role.unique_id,
            "taken_by": principal.aws_arn,
            "policy": iam.assume_policy(arn),
            "postgres_role": group.name,
        }
        self.register_outputs(dict(self.exports))


def _queues(datasets: Iterable[Dataset], deployment: Deployment) -> list[str]:
    makers = (names.buffer_queue, names.dead_letter_queue)
    return [
        deployment.arns.queue(make(deployment.prefix, dataset.name))
        for dataset in datasets
        for make in makers
    ]


def _iam_role(taken_by: str, deployment: Deployment, here: ResourceOptions) -> aws.iam.Role:
    return aws.iam.Role(
        "operator",
        name=names.operator_iam_role(deployment.prefix, deployment.stack.region),
        path=deployment.iam_path,
        assume_role_policy=iam.text(iam.operator_trust(deployment.arns, taken_by)),
        permissions_boundary=deployment.stack.permissions_boundary,
        tags=deployment.tags(),
        opts=here,
    )


def _postgres_role(member: str, deployment: Deployment, here: ResourceOptions) -> postgresql.Role:
    group = postgresql.Role(
        "operator",
        name=names.operator_role(deployment.prefix),
        login=False,
        roles=[names.OPERATOR_GROUP_ROLE],
        opts=here,
    )
    postgresql.GrantRole("operator-member", role=member, grant_role=group.name, opts=here)
    return group
