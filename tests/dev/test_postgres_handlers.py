"""The Postgres handlers on a real server, with the meaning that pulumi-postgresql gives them."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from dev.resources.context import Context
from dev.resources.handler import Change, ResourceError, State
from dev.resources.registry import HANDLERS

ROLE, GRANT, MEMBER = (
    "postgresql:index/role:Role",
    "postgresql:index/grant:Grant",
    "postgresql:index/grantRole:GrantRole",
)


@pytest.fixture
def names(unique: str) -> dict[str, str]:
    """Roles are the whole cluster's, so they carry a unique name; `fresh_database` drops them."""
    return {short: f"{unique}_{short}" for short in ("w", "r", "sink")}


def make(context: Context, token: str, inputs: dict[str, Any]) -> State:
    handler = HANDLERS[token]
    handler.create(context, "logical", handler.check(context, None, inputs))
    created = handler.create(context, "logical", inputs)
    return State(created.id, inputs, created.outputs)


def one(context: Context, query: str, *values: object) -> Any:
    with context.transaction() as connection:
        row = connection.execute(query, values).fetchone()
    return row[0] if row and len(row) == 1 else row


def is_member(context: Context, role: str, group: str) -> bool:
    return bool(one(context, "SELECT pg_has_role(%s, %s, 'MEMBER')", role, group))


def test_role_with_memberships(context: Context, names: dict[str, str]) -> None:
    make(context, ROLE, {"name": names["w"], "login": False})
    make(context, ROLE, {"name": names["r"]})
    sink = make(context, ROLE, {"name": names["sink"], "login": True, "roles": [names["w"]]})
    assert sink.id == names["sink"]
    flags = "SELECT rolcanlogin, rolsuper, rolinherit, rolconnlimit FROM pg_roles WHERE rolname = %s"
    assert one(context, flags, names["sink"]) == (True, False, True, -1)
    assert is_member(context, names["sink"], names["w"])
    changed = {"name": names["sink"], "login": False, "roles": [names["r"]], "connectionLimit": 3}
    assert HANDLERS[ROLE].diff(context, sink, changed) is Change.UPDATE
    HANDLERS[ROLE].update(context, sink, changed)
    assert one(context, flags, names["sink"]) == (False, False, True, 3)
    assert not is_member(context, names["sink"], names["w"])
    assert is_member(context, names["sink"], names["r"])


def test_a_password_is_no_input(context: Context, names: dict[str, str]) -> None:
    with pytest.raises(ResourceError, match="password"):
        HANDLERS[ROLE].check(context, None, {"name": names["w"], "password": "secret"})


def test_grants_are_exactly_the_declared_ones(context: Context, names: dict[str, str]) -> None:
    with context.transaction() as connection:
        connection.execute('CREATE TABLE "Odd Table" (a integer, b integer)')
    make(context, ROLE, {"name": names["w"]})
    inputs = {
        "database": context.postgres["dbname"],
        "role": names["w"],
        "schema": "public",
        "objectType": "table",
        "objects": ["Odd Table"],
        "privileges": ["SELECT", "INSERT"],
    }
    state = make(context, GRANT, inputs)
    assert state.id == f"{names['w']}_{context.postgres['dbname']}_public_table_Odd Table"
    assert rights(context, names["w"]) == {"INSERT", "SELECT"}
    HANDLERS[GRANT].update(context, state, {**inputs, "privileges": ["UPDATE", "INSERT"]})
    assert rights(context, names["w"]) == {"INSERT", "UPDATE"}
    HANDLERS[GRANT].delete(context, state)
    assert rights(context, names["w"]) == set()
    with context.transaction() as connection:
        connection.execute('DROP TABLE "Odd Table"')
    HANDLERS[GRANT].delete(context, state)


def rights(context: Context, role: str) -> set[str]:
    asked = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE")
    check = "SELECT has_table_privilege(%s, '\"Odd Table\"', %s)"
    return {word for word in asked if one(context, check, role, word)}


def test_column_and_schema_grants(context: Context, names: dict[str, str]) -> None:
    with context.transaction() as connection:
        connection.execute("CREATE SCHEMA s")
        connection.execute("CREATE TABLE s.t (a integer, b integer)")
    make(context, ROLE, {"name": names["r"]})
    base = {"database": context.postgres["dbname"], "role": names["r"], "schema": "s"}
    make(context, GRANT, {**base, "objectType": "schema", "privileges": ["USAGE"]})
    column = {**base, "objectType": "column", "objects": ["t"], "columns": ["a"], "privileges": ["SELECT"]}
    make(context, GRANT, column)
    with context.transaction() as connection:
        connection.execute(psycopg.sql.SQL("SET ROLE {}").format(psycopg.sql.Identifier(names["r"])))
        connection.execute("SELECT a FROM s.t")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT b FROM s.t")


def test_membership_of_a_role_that_is_not_ours(context: Context, names: dict[str, str]) -> None:
    make(context, ROLE, {"name": names["r"]})
    make(context, ROLE, {"name": names["sink"]})
    state = make(context, MEMBER, {"role": names["sink"], "grantRole": names["r"]})
    assert state.id == f"{names['sink']}_{names['r']}_false"
    assert is_member(context, names["sink"], names["r"])
    HANDLERS[MEMBER].delete(context, state)
    HANDLERS[MEMBER].delete(context, state)
    assert not is_member(context, names["sink"], names["r"])


def test_a_privilege_is_a_word(context: Context, names: dict[str, str]) -> None:
    inputs = {
        "database": context.postgres["dbname"],
        "role": names["w"],
        "schema": "public",
        "objectType": "table",
        "objects": [],
        "privileges": ["SELECT; DROP TABLE x"],
    }
    make(context, ROLE, {"name": names["w"]})
    with pytest.raises(ResourceError, match="no privilege"):
        HANDLERS[GRANT].create(context, "g", inputs)


def test_deleting_a_role_takes_its_grants_and_memberships(context: Context, names: dict[str, str]) -> None:
    make(context, ROLE, {"name": names["w"]})
    make(context, ROLE, {"name": names["sink"], "roles": [names["w"]]})
    with context.transaction() as connection:
        connection.execute("CREATE TABLE t (a integer)")
    grant = {
        "database": context.postgres["dbname"],
        "role": names["w"],
        "schema": "public",
        "objectType": "table",
        "objects": ["t"],
        "privileges": ["SELECT"],
    }
    make(context, GRANT, grant)
    HANDLERS[ROLE].delete(context, State(names["w"], {}, {}))
    HANDLERS[ROLE].delete(context, State(names["w"], {}, {}))
    assert one(context, "SELECT count(*) FROM pg_roles WHERE rolname = %s", names["w"]) == 0
