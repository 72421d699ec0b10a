"""Real Postgres for tests: one server a major version and test process, one database a test.

def test_something(fresh_database): psycopg.connect(**fresh_database)

@every_major
def test_everywhere(fresh_database): ...
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import sql

from dev.postgres import Address, installed_versions, running_server

MAJORS = tuple(installed_versions())
NEWEST = max(MAJORS, default=0)

# Runs a test once on each major version found here.
every_major = pytest.mark.parametrize(
    "postgres_server", MAJORS, indirect=True, ids=[f"postgres{major}" for major in MAJORS]
)


@pytest.fixture(scope="session")
def postgres_of_major() -> Iterator[Callable[[int], Address]]:
    """The server of a major version, started when first asked for, stopped when the session ends."""
    servers: dict[int, Address] = {}
    with ExitStack() as stack:

        def server(major: int) -> Address:
            if major not in MAJORS:
                pytest.skip(f"no Postgres {major} on this machine, only {list(MAJORS)}")
            if major not in servers:
                servers[major] = stack.enter_context(running_server(installed_versions()[major]))
            return servers[major]

        yield server


@pytest.fixture(scope="session")
def postgres_server(request: pytest.FixtureRequest, postgres_of_major: Callable[[int], Address]) -> Address:
    """The superuser's address on the newest Postgres, or on the major version that `every_major` gives."""
    return postgres_of_major(getattr(request, "param", NEWEST))


@pytest.fixture
def fresh_database(postgres_server: Address) -> Iterator[dict[str, Any]]:
    """`psycopg.connect` arguments of a new, empty database; it and every role made meanwhile are dropped afterwards."""
    with new_database(postgres_server) as conninfo:
        yield conninfo


@contextmanager
def new_database(server: Address) -> Iterator[dict[str, Any]]:
    """As `fresh_database`, outside of pytest."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(**server.conninfo(), autocommit=True) as admin:
        before = _roles(admin)
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield {**server.conninfo(), "dbname": name}
        finally:
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
            for role in sorted(_roles(admin) - before):
                admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def _roles(connection: psycopg.Connection[Any]) -> set[str]:
    return {row[0] for row in connection.execute("SELECT rolname FROM pg_catalog.pg_roles")}
