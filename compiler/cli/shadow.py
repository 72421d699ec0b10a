"""A short-lived Postgres of our own, on which chains are run to see what they come to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from psycopg import Connection
from psycopg.sql import SQL, Identifier

from compiler import names
from compiler.cli.common import fail
from compiler.migrate import session
from compiler.migrate.apply import apply_control, apply_in
from compiler.migrate.model import Chain, Hazard

PREFIX = "shadow"


@contextmanager
def shadow(schemas: Iterable[str]) -> Iterator[Connection[Any]]:
    """A session on a new server of the newest Postgres here, with the control schema and these schemas; gone afterwards."""
    from dev.postgres import running_server
    from dev.postgres_program import default_binaries
    from dev.state import DevError

    try:
        with running_server(default_binaries()) as address, session.connect(address.conninfo()) as connection:
            apply_control(connection, sorted(set(schemas)))
            yield connection
    except DevError as error:
        fail(str(error))


def run(connection: Connection[Any], chain: Chain) -> None:
    """Run a chain on the shadow, each step proven against the fingerprint that it declares. Raises MigrateError."""
    role = names.writer_role(PREFIX, chain.dataset)
    connection.execute("RESET ROLE")
    if connection.execute("SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = %s", (role,)).fetchone() is None:
        connection.execute(SQL("CREATE ROLE {} NOLOGIN").format(Identifier(role)))
    apply_in(connection, _without_hazards(chain), role)


def _without_hazards(chain: Chain) -> Chain:
    """Nothing is at stake on a shadow, so nobody need approve."""
    files = []
    for member in chain.files:
        steps = tuple(replace(step, hazard=Hazard.NONE) for step in member.migration.steps)
        files.append(replace(member, migration=replace(member.migration, steps=steps)))
    return replace(chain, files=tuple(files))
