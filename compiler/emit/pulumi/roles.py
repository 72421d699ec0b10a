"""A dataset's roles in Postgres, their memberships and grants.

Memberships of roles that the stack makes are declared on the role: pulumi-postgresql's `Role` revokes every membership
that is not. Readers are roles of somebody else, so theirs are `GrantRole`s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

import pulumi
import pulumi_postgresql as postgresql
from pulumi import ResourceOptions

from compiler import names
from compiler.dataset import Dataset, Ignore, OnConflict, Update, UpdateIfNewer
from compiler.emit.pulumi.deployment import Deployment, after
from compiler.table import Table
from sink_runtime.plan import SinkPlan


@dataclass(frozen=True)
class Roles:
    """The three roles of one dataset: writing and reading (neither can log in), and the sink's login."""

    writer: postgresql.Role
    reader: postgresql.Role
    login: postgresql.Role
    writer_name: str
    reader_name: str
    login_name: str


def roles_of(
    dataset: Dataset, deployment: Deployment, control: pulumi.Resource, here: ResourceOptions
) -> Roles:
    """The roles, once the control schema has made the group `sluice_sink`."""
    writer_name = names.writer_role(deployment.prefix, dataset.name)
    reader_name = names.reader_role(deployment.prefix, dataset.name)
    login_name = names.sink_login(deployment.prefix, dataset.name)
    after_control = after(here, control)
    writer = postgresql.Role(
        f"{dataset.name}-writer",
        name=writer_name,
        login=False,
        roles=[names.SINK_GROUP_ROLE],
        opts=after_control,
    )
    reader = postgresql.Role(f"{dataset.name}-reader", name=reader_name, login=False, opts=after_control)
    login = _login(dataset, deployment, writer, here)
    return Roles(writer, reader, login, writer_name, reader_name, login_name)


def _login(
    dataset: Dataset, deployment: Deployment, writer: postgresql.Role, here: ResourceOptions
) -> postgresql.Role:
    """The sink's login. A password is the login secret's business: an update of the role must leave it alone.

    With IAM authentication there is none. `rds_iam` stands on the role like every membership: a `GrantRole` would be
    revoked by the role's next update.
    """
    by_token = deployment.stack.database.auth == "iam"
    without_password = ResourceOptions(ignore_changes=["password"])
    return postgresql.Role(
        f"{dataset.name}-sink",
        name=names.sink_login(deployment.prefix, dataset.name),
        login=True,
        connection_limit=connection_limit(dataset),
        roles=[writer.name, *([names.RDS_IAM_ROLE] if by_token else [])],
        opts=here if by_token else ResourceOptions.merge(here, without_password),
    )


def connection_limit(dataset: Dataset) -> int:
    """How many connections the sink's login may have: those of twice its tasks, since a deployment runs old and new."""
    return 2 * dataset.sink.max_tasks * SinkPlan.CONNECTIONS


def grants_of(
    dataset: Dataset, table: Table, roles: Roles, deployment: Deployment, here: ResourceOptions
) -> pulumi.Resource:
    """Rights on the table and its view, then the readers' memberships; the last of them is returned.

    One after another: Postgres answers "tuple concurrently updated" to two grants at once on one object or role.
    """
    last: pulumi.Resource = _grant(
        f"{dataset.name}-write",
        roles.writer,
        table.schema,
        table.name,
        _writes(dataset.on_conflict),
        deployment,
        here,
    )
    last = _grant(
        f"{dataset.name}-read",
        roles.reader,
        table.schema,
        table.view.name,
        ("SELECT",),
        deployment,
        after(here, last),
    )
    for reader in sorted(set(dataset.readers)):
        last = postgresql.GrantRole(
            f"{dataset.name}-reader-{reader}",
            role=deployment.stack.principal(reader).postgres_role,
            grant_role=roles.reader.name,
            opts=after(here, last),
        )
    return last


def _writes(on_conflict: OnConflict) -> tuple[str, ...]:
    """What the sink's statement does with the table. ON CONFLICT and RETURNING read it."""
    match on_conflict:
        case Ignore():
            return ("INSERT", "SELECT")
        case Update() | UpdateIfNewer():
            return ("INSERT", "SELECT", "UPDATE")
        case _:
            assert_never(on_conflict)


def _grant(
    resource: str,
    role: postgresql.Role,
    schema: str,
    relation: str,
    privileges: tuple[str, ...],
    deployment: Deployment,
    opts: ResourceOptions,
) -> postgresql.Grant:
    return postgresql.Grant(
        resource,
        database=deployment.stack.database.name,
        role=role.name,
        schema=schema,
        object_type="table",
        objects=[relation],
        privileges=list(privileges),
        opts=opts,
    )
