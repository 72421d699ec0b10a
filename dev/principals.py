"""The principals that a stack binds but does not make: IAM roles of producers and operators, Postgres logins of readers and operators.

On AWS other teams own them; here they are made before the program runs, which only attaches rights to them.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping

from psycopg import sql

from compiler import names
from compiler.dataset import Dataset
from compiler.emit import iam
from compiler.emit.arns import Arns
from compiler.stack import StackConfig
from dev.emulator.state import EmulatorState
from dev.outputs import READERS_FILE
from dev.postgres import Address
from dev.resources.context import Context
from dev.resources.registry import HANDLERS
from dev.state import DevError, Paths, read_json, write_json

ROLE = "aws:iam/role:Role"
ROLE_POLICY = "aws:iam/rolePolicy:RolePolicy"


def make_producers(context: Context, config: StackConfig, datasets: Iterable[Dataset]) -> tuple[str, ...]:
    """Make the IAM role of every bound producer, and that of the operators; the administrator of the emulator may assume them.

    Returns the producers' ARNs, sorted.

    Raises DevError for a role of another account.
    """
    bound = (config.bind(name) for dataset in datasets for name in dataset.producers)
    arns = tuple(sorted({principal.aws_arn for principal in bound if principal and principal.aws_arn}))
    for arn in arns:
        _make_iam_role(context, arn)
    if config.operator is not None:
        _make_operator(context, config)
    return arns


def _make_operator(context: Context, config: StackConfig) -> None:
    """The operators' own role, with what the stack's output tells its account to allow it."""
    assert config.operator is not None, "asked before"
    arn = str(config.operator.aws_arn)
    _make_iam_role(context, arn)
    taken = Arns(config.region, config.account).role(
        names.iam_path(config.prefix), names.operator_iam_role(config.prefix, config.region)
    )
    policy = iam.text(iam.assume_policy(taken))
    name = config.operator.aws_role_name
    HANDLERS[ROLE_POLICY].create(context, "operator", {"name": "operator", "role": name, "policy": policy})


def _make_iam_role(context: Context, arn: str) -> None:
    head, _, path_and_name = arn.partition(":role/")
    if head != f"arn:aws:iam::{context.account}":
        raise DevError(f"{arn}: the embedded environment has roles of the account {context.account} only.")
    path, _, name = f"/{path_and_name}".rpartition("/")
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{context.account}:root"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    inputs = {"name": name, "path": f"{path}/", "assumeRolePolicy": json.dumps(trust)}
    HANDLERS[ROLE].create(context, name, inputs)


def make_readers(
    context: Context, paths: Paths, config: StackConfig, datasets: Iterable[Dataset]
) -> Mapping[str, str]:
    """Make the Postgres login of every bound reader and of the operators; returns role -> password, the same ones on every run."""
    bound = (config.operator, *(config.bind(name) for dataset in datasets for name in dataset.readers))
    roles = sorted({principal.postgres_role for principal in bound if principal and principal.postgres_role})
    known = read_json(paths.root / READERS_FILE) or {}
    passwords = {role: known.get(role) or secrets.token_urlsafe(18) for role in roles}
    write_json(paths.root / READERS_FILE, {**known, **passwords})
    with context.transaction() as connection:
        for role, password in passwords.items():
            found = connection.execute(
                "SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = %s", [role]
            ).fetchone()
            if found is None:
                connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))
            verifier = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
            alter = sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}")
            connection.execute(alter.format(sql.Identifier(role), sql.Literal(verifier.decode())))
    return passwords


def context_of(emulator: EmulatorState, address: Address) -> Context:
    """The administrator's context outside of the program's run."""
    return Context(emulator=emulator, postgres=address.conninfo())
