"""Who may run which statement: the roles and grants of the program on a real Postgres, each principal, each statement."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from compiler.emit.graph import Graph
from compiler.emit.rights import PG_GRANT, PG_MEMBER, PG_ROLE
from compiler.migrate import session
from compiler.migrate.apply import apply_chain
from compiler.migrate.chain import read_chain
from compiler.migrate.control import apply_control
from dev.resources.context import Context
from dev.resources.registry import HANDLERS
from tests.support.postgres import every_major

ROOT = Path(__file__).resolve().parents[2]
DATASETS = ("alert_events", "monitoring_events")
SINK, OTHER_SINK = "embedded_alert_events_sink", "embedded_monitoring_events_sink"
READER, OPERATOR, MIGRATOR = "analytics", "operator", "test_migrator"
EVERYBODY = (SINK, OTHER_SINK, READER, OPERATOR, MIGRATOR)
COMMIT = (
    "INSERT INTO sluice.output_commits (commit_id, dataset, version, sequence, plan_sha256, messages, records, inserted,"
    " updated, unchanged, rejected, message_digest, first_sent_at, last_sent_at, senders)"
    " VALUES (gen_random_uuid(), '{}', 1, 9, 'sha256:x', 1, 1, 1, 0, 0, 0, 'x', now(), now(), '{{}}')"
)

# The statement, and who may run it. A member of sluice_owner may become it, and by that do what migrations do.
MATRIX: list[tuple[str, set[str]]] = [
    ("SELECT * FROM datasets.alert_events", {READER, MIGRATOR}),
    ("SELECT * FROM datasets.alert_events_v1", {SINK, MIGRATOR}),
    ("SELECT * FROM datasets.monitoring_events_v1", {OTHER_SINK, MIGRATOR}),
    ("INSERT INTO datasets.alert_events_v1 SELECT * FROM datasets.alert_events_v1", {SINK, MIGRATOR}),
    ("UPDATE datasets.alert_events_v1 SET severity = 'info'", {MIGRATOR}),
    ("DELETE FROM datasets.alert_events_v1", {MIGRATOR}),
    ("TRUNCATE datasets.alert_events_v1", {MIGRATOR}),
    ("INSERT INTO datasets.alert_events (dedupe_key) SELECT 'x' WHERE false", {MIGRATOR}),
    ("ALTER TABLE datasets.alert_events_v1 ADD COLUMN x text", {MIGRATOR}),
    ("DROP VIEW datasets.alert_events", {MIGRATOR}),
    ("CREATE TABLE datasets.mine (id integer)", {MIGRATOR}),
    ("SELECT * FROM sluice.output_commits", {SINK, OTHER_SINK, OPERATOR, MIGRATOR}),
    ("SELECT * FROM sluice.sink_instances", {SINK, OTHER_SINK, OPERATOR, MIGRATOR}),
    ("SELECT * FROM sluice.datasets", {SINK, OTHER_SINK, OPERATOR, MIGRATOR}),
    ("SELECT * FROM sluice.migrations", {OPERATOR, MIGRATOR}),
    (COMMIT.format("alert_events"), {SINK, MIGRATOR}),
    (COMMIT.format("monitoring_events"), {OTHER_SINK, MIGRATOR}),
    ("UPDATE sluice.output_commits SET event_published_at = now()", {SINK, OTHER_SINK, MIGRATOR}),
    ("UPDATE sluice.output_commits SET records = 0", {MIGRATOR}),
    ("DELETE FROM sluice.output_commits", {MIGRATOR}),
    ("UPDATE sluice.datasets SET owner = 'x'", {MIGRATOR}),
    ("ALTER TABLE sluice.output_commits DISABLE ROW LEVEL SECURITY", {MIGRATOR}),
    ("SET ROLE sluice_owner", {MIGRATOR}),
    ("CREATE ROLE mine", set()),
    ("CREATE SCHEMA mine", set()),
    ("ALTER ROLE embedded_alert_events_r SUPERUSER", set()),
    ("GRANT embedded_alert_events_w TO analytics", set()),
    ("COPY datasets.alert_events TO PROGRAM 'true'", set()),
]


def _forget_memberships(admin: psycopg.Connection[Any]) -> None:
    """Roles belong to the whole server, where other tests left them; what they may in this database begins anew."""
    left = admin.execute(
        "SELECT roleid::regrole::text, member::regrole::text FROM pg_auth_members"
        " WHERE member::regrole::text LIKE 'embedded\\_%'"
    ).fetchall()
    for role, member in left:
        admin.execute(
            sql.SQL("REVOKE {} FROM {} CASCADE").format(sql.Identifier(role), sql.Identifier(member))
        )
    roles = admin.execute("SELECT rolname::text FROM pg_roles WHERE rolname LIKE 'embedded\\_%'").fetchall()
    for (role,) in roles:
        admin.execute(sql.SQL("ALTER ROLE {} NOSUPERUSER NOBYPASSRLS").format(sql.Identifier(role)))


@pytest.fixture
def deployed(fresh_database: dict[str, Any], graph: Graph) -> Iterator[psycopg.Connection[Any]]:
    """Control schema, tables, roles and grants, as the program declares them; the administrator's connection."""
    context = Context(emulator=None, postgres=fresh_database)  # type: ignore[arg-type]  # nothing of AWS is asked
    with psycopg.connect(**fresh_database, autocommit=True) as admin:
        _forget_memberships(admin)
        for name in (READER, OPERATOR, MIGRATOR):
            admin.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(name)))
        with session.connect(fresh_database) as connection:
            apply_control(connection, ["datasets"])
        admin.execute(f"GRANT sluice_owner TO {MIGRATOR}")
        make(context, graph, PG_ROLE)
        for name in DATASETS:
            chain = read_chain(ROOT / "datasets" / name, name, 1)
            assert chain is not None
            apply_chain(fresh_database, chain, f"embedded_{name}_w", "owner")
        make(context, graph, PG_GRANT)
        make(context, graph, PG_MEMBER)
        yield admin


def make(context: Context, graph: Graph, kind: str) -> None:
    """Carry out the resources of one type, in the order of the program; the third dataset has no table here."""
    for one in graph.resources:
        if one.type == kind and "integrity_signals" not in one.name:
            inputs = {**one.inputs}
            if "database" in inputs:
                inputs["database"] = context.postgres["dbname"]
            HANDLERS[kind].create(context, one.name, inputs)


def may(admin: psycopg.Connection[Any], who: str, statement: str) -> bool:
    """Whether the login may run it; nothing of it stays."""
    try:
        with admin.transaction(force_rollback=True):
            admin.execute(sql.SQL("SET LOCAL SESSION AUTHORIZATION {}").format(sql.Identifier(who)))
            if who == MIGRATOR and not statement.startswith("SET ROLE"):
                admin.execute("SET LOCAL ROLE sluice_owner")
            admin.execute(statement)
    except psycopg.errors.InsufficientPrivilege:
        return False
    return True


@every_major
def test_each_principal_runs_its_statements_and_no_other(deployed):
    found = {
        statement: {who for who in EVERYBODY if may(deployed, who, statement)} for statement, _ in MATRIX
    }
    assert found == dict(MATRIX)


@every_major
def test_a_sink_sees_and_changes_its_own_rows_only(deployed):
    for name in DATASETS:
        deployed.execute(COMMIT.format(name))
    with deployed.transaction(force_rollback=True):
        deployed.execute(sql.SQL("SET LOCAL SESSION AUTHORIZATION {}").format(sql.Identifier(SINK)))
        assert deployed.execute("SELECT dataset FROM sluice.output_commits").fetchall() == [("alert_events",)]
        marked = deployed.execute("UPDATE sluice.output_commits SET event_published_at = now()")
        assert marked.rowcount == 1


@every_major
def test_the_sinks_login_has_its_limit_of_connections(deployed, graph):
    limit = graph.one(PG_ROLE, "alert_events-sink").inputs["connectionLimit"]
    row = deployed.execute(
        "SELECT rolconnlimit, rolsuper FROM pg_roles WHERE rolname = %s", [SINK]
    ).fetchone()
    assert row == (limit, False)
    assert limit > 0
