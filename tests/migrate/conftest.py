"""Databases with the control schema and the roles that the Pulumi program would have made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from compiler import names
from compiler.dataset import Dataset
from compiler.migrate import session
from compiler.migrate.apply import ApplyResult, apply_chain, apply_control
from compiler.migrate.model import Chain
from compiler.migrate.planner import Create, plan
from compiler.migrate.steps.register import Registration
from compiler.table import Table, table_of

PREFIX = "test"
Conninfo = dict[str, Any]


def chain_of(dataset: Dataset, table: Table | None = None) -> Chain:
    """The chain that `sluice plan` begins."""
    table = table or table_of(dataset)
    planned = plan(None, table, Registration(dataset.name, dataset.version, dataset.uuid, dataset.owner))
    assert isinstance(planned, Create), planned
    return Chain(dataset.name, dataset.version, tuple(one.file for one in planned.files), table)


def writer(dataset: Dataset) -> str:
    return names.writer_role(PREFIX, dataset.name)


class Database:
    """A prepared database, and what tests do to it."""

    def __init__(self, conninfo: Conninfo) -> None:
        self.conninfo = conninfo

    def execute(self, *statements: str, **login: Any) -> None:
        """As the superuser, or as the login that is given."""
        with psycopg.connect(**{**self.conninfo, **login}, autocommit=True) as connection:
            for statement in statements:
                connection.execute(SQL(statement))

    def fetch(self, statement: str, **login: Any) -> list[Any]:
        with psycopg.connect(**{**self.conninfo, **login}, autocommit=True) as connection:
            return connection.execute(SQL(statement)).fetchall()

    @contextmanager
    def session(self) -> Iterator[psycopg.Connection[Any]]:
        """A pinned session of the owner."""
        with session.connect(self.conninfo) as connection:
            session.become_owner(connection)
            yield connection

    def session_major(self) -> int:
        """The server's major version."""
        ((number,),) = self.fetch("SELECT current_setting('server_version_num')::int / 10000")
        return int(number)

    def roles(self, *datasets: Dataset) -> None:
        for dataset in datasets:
            for role in (writer(dataset), names.reader_role(PREFIX, dataset.name)):
                self.make_role(role)

    def make_role(self, role: str, options: str = "NOLOGIN") -> None:
        known = {name for (name,) in self.fetch("SELECT rolname::text FROM pg_roles")}
        if role not in known:
            self.execute(SQL("CREATE ROLE {} {}").format(Identifier(role), SQL(options)).as_string(None))

    def apply(self, dataset: Dataset, chain: Chain | None = None, **login: Any) -> ApplyResult:
        return apply_chain(
            {**self.conninfo, **login}, chain or chain_of(dataset), writer(dataset), dataset.owner
        )


@pytest.fixture
def database(fresh_database: Conninfo) -> Database:
    """The control schema and the schema `datasets`, and nothing in them."""
    return prepared_database(fresh_database)


def prepared_database(conninfo: Conninfo) -> Database:
    """As `database`, outside of pytest."""
    with session.connect(conninfo) as connection:
        apply_control(connection, ["datasets"])
    return Database(conninfo)


@pytest.fixture
def applied(database: Database) -> Callable[[Dataset], Database]:
    """A function that applies a dataset's first migration."""

    def make(dataset: Dataset) -> Database:
        database.roles(dataset)
        database.apply(dataset)
        return database

    return make
