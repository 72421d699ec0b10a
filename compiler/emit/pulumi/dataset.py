"""One dataset: everything between its producers' messages and its readers' rows, in the order in which it is made.

    roles -> table (expand) -> grants -> login -> queues, topic -> plan -> the sink's role
        -> log group, alarms -> task definition -> service -> scaling, table (contract)

The second table brings the migrations of the phase `contract`: it comes after the service, whose old sinks are gone then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws
from pulumi import ResourceOptions

from compiler import names
from compiler.dataset import Dataset
from compiler.emit import iam
from compiler.emit.pulumi.buffer import queues_of, topic_of
from compiler.emit.pulumi.compute import Compute
from compiler.emit.pulumi.deployment import Deployment, after
from compiler.emit.pulumi.foundation import Foundation, ReferencedFoundation
from compiler.emit.pulumi.login_provider import Login, SinkLogin
from compiler.emit.pulumi.roles import grants_of, roles_of
from compiler.emit.pulumi.service import Rollout
from compiler.emit.pulumi.sinks import sinks_of
from compiler.emit.pulumi.table_provider import DatasetTable, TableTarget
from compiler.table import table_of
from sink_runtime.plan import SinkPlan


@dataclass(frozen=True)
class CompiledUnit:
    """A dataset as the environment runs it, its table before and after the sinks' rollout, and the sinks' plan."""

    dataset: Dataset
    expand: TableTarget
    contract: TableTarget
    plan: SinkPlan


class BufferedDataset(pulumi.ComponentResource):
    """`sluice:index:BufferedDataset`. `exports` are the addresses that producers, readers and tools need.

    `trusted` are the unique ids of roles that, beside the sink's own, may send dead letters again under their sender's name.
    """

    def __init__(
        self,
        unit: CompiledUnit,
        deployment: Deployment,
        foundation: Foundation | ReferencedFoundation,
        compute: Compute,
        trusted: Sequence[pulumi.Input[str]],
        opts: ResourceOptions | None = None,
    ) -> None:
        dataset, table = unit.dataset, table_of(unit.dataset)
        super().__init__("sluice:index:BufferedDataset", dataset.name, {}, opts)
        here = ResourceOptions(parent=self)

        roles = roles_of(dataset, deployment, foundation.control, here)
        kept = deployment.kept(here, dataset)
        migrated = DatasetTable(f"{dataset.name}-table", unit.expand, after(kept, roles.writer))
        granted = grants_of(dataset, table, roles, deployment, after(here, migrated))
        login = _secret(dataset, deployment, after(here, roles.login, granted))
        queues = queues_of(dataset, deployment, here)
        topic_arn = topic_of(dataset, deployment, here)
        plan_uri = _plan_object(unit, deployment, foundation, here)
        sink, policy = _sink_role(dataset, deployment, foundation, login, here)
        addresses = {
            "plan_uri": plan_uri,
            "buffer_url": queues.buffer.url,
            "dead_letter_url": queues.dead_letter.url,
            "topic_arn": topic_arn,
            "database_user": roles.login_name,
            "secret_arn": login.secret_arn if login else None,
            "trusted_senders": [sink.unique_id, *trusted],
        }
        rollout = Rollout(addresses, sink, unit.plan.sha256)
        service = sinks_of(dataset, deployment, compute, rollout, after(here, policy, granted, *queues.ready))
        DatasetTable(f"{dataset.name}-table-contract", unit.contract, after(kept, migrated, service))

        self.exports: Mapping[str, Any] = {
            **queues.exports,
            "topic_arn": topic_arn,
            "plan_uri": plan_uri,
            "plan_sha256": unit.plan.sha256,
            "sink_role_arn": sink.arn,
            "sink_role_id": sink.unique_id,
            "login_secret_arn": login.secret_arn if login else None,
            "database_user": roles.login_name,
            "task_definition": service.task_definition,
            "relation": f"{table.schema}.{table.view.name}",
            **_principals(dataset, deployment),
        }
        self.register_outputs(dict(self.exports))


def _principals(dataset: Dataset, deployment: Deployment) -> dict[str, dict[str, str | None]]:
    """Who the producers and readers are in this environment."""
    bound = deployment.stack.principal
    return {
        "producers": {name: bound(name).aws_arn for name in sorted(dataset.producers)},
        "readers": {name: bound(name).postgres_role for name in sorted(dataset.readers)},
    }


def _secret(dataset: Dataset, deployment: Deployment, opts: ResourceOptions) -> SinkLogin | None:
    """The login's password and its secret; None where the sink logs in by tokens."""
    if deployment.stack.database.auth == "iam":
        return None
    login = Login(
        role=names.sink_login(deployment.prefix, dataset.name),
        secret_name=names.login_secret(deployment.prefix, dataset.name),
        rotation=deployment.stack.database.password_rotation,
        tags=deployment.tags(dataset),
    )
    return SinkLogin(f"{dataset.name}-login", login, opts)


def _plan_object(
    unit: CompiledUnit,
    deployment: Deployment,
    foundation: Foundation | ReferencedFoundation,
    here: ResourceOptions,
) -> pulumi.Output[str]:
    """The plan under a key of its content, kept when a newer one takes its place: a rolled-back sink reads it again."""
    plan = unit.plan
    stored = aws.s3.BucketObjectv2(
        f"{unit.dataset.name}-plan",
        bucket=foundation.plans,
        key=names.plan_key(unit.dataset.name, plan.sha256),
        content=plan.to_bytes().decode(),
        content_type="application/json",
        tags={**deployment.tags(unit.dataset), "sluice:plan": plan.sha256},
        opts=ResourceOptions.merge(here, ResourceOptions(retain_on_delete=True)),
    )
    return pulumi.Output.concat("s3://", stored.bucket, "/", stored.key)


def _sink_role(
    dataset: Dataset,
    deployment: Deployment,
    foundation: Foundation | ReferencedFoundation,
    login: SinkLogin | None,
    here: ResourceOptions,
) -> tuple[aws.iam.Role, aws.iam.RolePolicy]:
    """The sink's role, and what it may do: no sink starts before it may."""
    role = aws.iam.Role(
        f"{dataset.name}-sink",
        name=names.sink_iam_role(deployment.prefix, dataset.name, deployment.stack.region),
        path=deployment.iam_path,
        assume_role_policy=iam.text(iam.sink_trust(deployment.arns)),
        permissions_boundary=deployment.stack.permissions_boundary,
        tags=deployment.tags(dataset),
        opts=here,
    )
    secret: pulumi.Input[str] = login.secret_arn if login else ""
    key: pulumi.Input[str] = deployment.key or ""
    text = pulumi.Output.all(foundation.plan_bucket, secret, key).apply(
        lambda known: iam.text(
            sink_document(dataset, deployment, plan_bucket=known[0], secret_arn=known[1], key_arn=known[2])
        )
    )
    policy = aws.iam.RolePolicy(f"{dataset.name}-sink", name="sink", role=role.name, policy=text, opts=here)
    return role, policy


def sink_document(
    dataset: Dataset, deployment: Deployment, *, plan_bucket: str, secret_arn: str, key_arn: str
) -> iam.Document:
    """The sink's policy. The secret's ARN, empty for IAM authentication, ends in characters that AWS chooses.

    `key_arn` is empty where SQS encrypts by its own keys.
    """
    arns, prefix = deployment.arns, deployment.prefix
    return iam.sink_policy(
        buffer=arns.queue(names.buffer_queue(prefix, dataset.name)),
        dead_letter=arns.queue(names.dead_letter_queue(prefix, dataset.name)),
        topic=arns.topic(names.topic(prefix, dataset.name)) if dataset.publish_events else None,
        plans=f"{arns.bucket(plan_bucket)}/plans/{dataset.name}/*",
        login=iam.read_login(secret_arn) if secret_arn else _connect(dataset, deployment),
        key=key_arn or None,
    )


def _connect(dataset: Dataset, deployment: Deployment) -> iam.Document:
    resource_id = deployment.stack.database.resource_id
    assert resource_id is not None, "the stack's rules ask for it"
    user = names.sink_login(deployment.prefix, dataset.name)
    return iam.connect(deployment.arns.database_user(resource_id, user))
