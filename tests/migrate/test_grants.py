"""Who may do what: a sink's login writes its own dataset and its own rows of the control tables, a reader reads."""

import psycopg
import pytest

from compiler import names
from tests.migrate.conftest import PREFIX, writer
from tests.support.datasets import alert_events, monitoring_events
from tests.support.postgres import every_major

OWN, OTHER = alert_events(), monitoring_events()
SINK = {"user": "test_alert_events_sink", "password": "s"}
OPERATOR = {"user": "test_on_call", "password": "o"}
READER = {"user": "test_analytics", "password": "r"}
COMMIT = (
    "INSERT INTO sluice.output_commits (commit_id, dataset, version, sequence, plan_sha256, messages, records, inserted,"
    " updated, unchanged, rejected, message_digest, first_sent_at, last_sent_at, senders)"
    " VALUES (gen_random_uuid(), '{}', 1, {}, 'sha256:x', 1, 1, 1, 0, 0, 0, 'x', now(), now(), '{{}}')"
)
ROW = (
    "INSERT INTO datasets.alert_events_v1 (org_id, dedupe_key, severity, raised_at, sender)"
    " VALUES (gen_random_uuid(), 'k', 'info', now(), 's')"
)


@pytest.fixture
def granted(database):
    """Two datasets, and the grants that the Pulumi program makes."""
    database.roles(OWN, OTHER)
    for dataset in (OWN, OTHER):
        database.apply(dataset)
        reader = names.reader_role(PREFIX, dataset.name)
        database.execute(
            f"GRANT sluice_sink TO {writer(dataset)}",
            f"GRANT INSERT, SELECT ON datasets.{dataset.name}_v1 TO {writer(dataset)}",
            f"GRANT SELECT ON datasets.{dataset.name} TO {reader}",
            COMMIT.format(dataset.name, 1),
        )
    database.make_role(SINK["user"], "LOGIN PASSWORD 's'")
    database.make_role(READER["user"], "LOGIN PASSWORD 'r'")
    database.make_role(OPERATOR["user"], "LOGIN PASSWORD 'o'")
    database.execute(f"GRANT sluice_operator TO {OPERATOR['user']}")
    database.execute(
        f"GRANT {writer(OWN)} TO {SINK['user']}", f"GRANT test_alert_events_r TO {READER['user']}"
    )
    return database


@every_major
def test_a_sink_does_its_work(granted):
    granted.execute(
        ROW,
        "UPDATE sluice.dataset_heads SET sequence = sequence + 1 WHERE dataset = 'alert_events' AND version = 1",
        COMMIT.format("alert_events", 2),
        "UPDATE sluice.output_commits SET event_published_at = now() WHERE event_published_at IS NULL",
        "INSERT INTO sluice.sink_instances (dataset, instance, plan_sha256, version) VALUES ('alert_events', 'i', 'p', 1)",
        "UPDATE sluice.sink_instances SET last_seen = now() WHERE instance = 'i'",
        **SINK,
    )
    assert granted.fetch("SELECT dataset, sequence FROM sluice.dataset_heads ORDER BY 1") == [
        ("alert_events", 1),
        ("monitoring_events", 0),
    ]
    assert granted.fetch(
        "SELECT dataset, sequence, event_published_at IS NOT NULL FROM sluice.output_commits ORDER BY 1, 2"
    ) == [("alert_events", 1, True), ("alert_events", 2, True), ("monitoring_events", 1, False)]
    assert granted.fetch("SELECT role::text FROM sluice.sink_instances") == [(SINK["user"],)]


@every_major
def test_a_sink_sees_its_own_rows_only(granted):
    for table in ("output_commits", "dataset_heads"):
        assert granted.fetch(f"SELECT DISTINCT dataset FROM sluice.{table}", **SINK) == [("alert_events",)]


REFUSED = [
    "CREATE TABLE datasets.mine (id integer)",
    "CREATE TABLE sluice.mine (id integer)",
    "CREATE SCHEMA mine",
    "ALTER TABLE datasets.alert_events_v1 ADD COLUMN mine integer",
    "DROP TABLE datasets.alert_events_v1 CASCADE",
    "DROP VIEW datasets.alert_events",
    "TRUNCATE datasets.alert_events_v1",
    "DELETE FROM datasets.alert_events_v1",
    "UPDATE datasets.alert_events_v1 SET severity = 'info'",
    "INSERT INTO datasets.monitoring_events_v1 DEFAULT VALUES",
    "SELECT * FROM datasets.monitoring_events_v1",
    "SELECT * FROM datasets.monitoring_events",
    COMMIT.format("monitoring_events", 2),
    "UPDATE sluice.output_commits SET inserted = 5",
    "UPDATE sluice.output_commits SET dataset = 'monitoring_events'",
    "DELETE FROM sluice.output_commits",
    "TRUNCATE sluice.output_commits",
    "INSERT INTO sluice.dataset_heads (dataset, version) VALUES ('alert_events', 2)",
    "UPDATE sluice.dataset_heads SET dataset = 'x'",
    "INSERT INTO sluice.sink_instances (dataset, instance, plan_sha256, version) VALUES ('monitoring_events', 'i', 'p', 1)",
    "INSERT INTO sluice.sink_instances (dataset, role, instance, version) VALUES ('alert_events', 'postgres', 'i', 1)",
    "UPDATE sluice.datasets SET writer_role = 'test_alert_events_w'",
    "INSERT INTO sluice.generations VALUES ('alert_events', 2, 'datasets', 'x')",
    "SELECT * FROM sluice.migrations",
    "SELECT * FROM sluice.migration_steps",
    "SELECT * FROM sluice.control_migrations",
    "SET ROLE sluice_owner",
    "ALTER TABLE sluice.output_commits DISABLE ROW LEVEL SECURITY",
    "CREATE OR REPLACE FUNCTION sluice.writes(name_of_dataset text) RETURNS boolean LANGUAGE sql AS 'SELECT true'",
]


@every_major
def test_a_sink_may_nothing_else(granted):
    for statement in REFUSED:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            granted.execute(statement, **SINK)


@every_major
def test_updates_of_anothers_rows_find_none(granted):
    for statement in (
        "UPDATE sluice.output_commits SET event_published_at = now() WHERE dataset = 'monitoring_events' RETURNING 1",
        "UPDATE sluice.dataset_heads SET sequence = 9 WHERE dataset = 'monitoring_events' RETURNING 1",
    ):
        assert granted.fetch(statement, **SINK) == []


@every_major
def test_a_reader_selects_the_view_and_nothing_else(granted):
    granted.execute(ROW)
    assert granted.fetch("SELECT dedupe_key FROM datasets.alert_events", **READER) == [("k",)]
    for statement in (
        "SELECT * FROM datasets.alert_events_v1",
        "SELECT * FROM datasets.monitoring_events",
        "INSERT INTO datasets.alert_events (dedupe_key) VALUES ('x')",
        "UPDATE datasets.alert_events SET severity = 'info'",
        "DELETE FROM datasets.alert_events",
        "SELECT * FROM sluice.output_commits",
        "SELECT * FROM sluice.datasets",
        "CREATE TABLE datasets.mine (id integer)",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            granted.execute(statement, **READER)


@every_major
def test_an_operator_sees_every_datasets_control_rows_and_changes_nothing(granted):
    for table in ("dataset_heads", "output_commits", "generations"):
        found = granted.fetch(f"SELECT DISTINCT dataset FROM sluice.{table} ORDER BY 1", **OPERATOR)
        assert found == [("alert_events",), ("monitoring_events",)]
    for table in ("datasets", "sink_instances", "migrations", "migration_steps", "control_migrations"):
        granted.fetch(f"SELECT count(*) FROM sluice.{table}", **OPERATOR)
    for statement in (
        ROW,
        COMMIT.format("alert_events", 2),
        "UPDATE sluice.output_commits SET event_published_at = now()",
        "UPDATE sluice.datasets SET owner = 'x'",
        "DELETE FROM sluice.sink_instances",
        "SELECT * FROM datasets.alert_events_v1",
        "SELECT * FROM datasets.alert_events",
        "CREATE TABLE datasets.mine (id integer)",
        "CREATE TABLE sluice.mine (id integer)",
        "SET ROLE sluice_owner",
        "SET ROLE sluice_sink",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            granted.execute(statement, **OPERATOR)


@every_major
def test_a_dropped_writer_role_is_nobodys_and_no_error(granted):
    granted.execute("UPDATE sluice.datasets SET writer_role = 'gone' WHERE dataset = 'monitoring_events'")
    assert granted.fetch("SELECT DISTINCT dataset FROM sluice.output_commits", **SINK) == [("alert_events",)]
