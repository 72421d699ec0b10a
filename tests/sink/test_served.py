"""Whether a catalog serves a plan, by every way in which it may not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from sink_runtime.postgres.database import SESSION
from sink_runtime.postgres.errors import Action, DatabaseFault
from sink_runtime.postgres.served import mismatches
from sink_runtime.postgres.session import Session
from tests.sink import datasets
from tests.sink.messages import Message, account, alert
from tests.sink.store import Store
from tests.support.postgres import every_major

Connected = Callable[..., tuple[Store, Any]]
TABLE = "datasets.alert_events_v1"
KEY = f"ALTER TABLE {TABLE} DROP CONSTRAINT alert_events_v1_key"


@every_major
@pytest.mark.parametrize(
    "make", [datasets.alert_events, datasets.accounts, datasets.monitoring_events, datasets.documents]
)
def test_its_own_table_serves_a_plan(connected: Connected, make: Any) -> None:
    store, connection = connected(make())
    assert mismatches(connection, store.plan) == ()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (["ALTER TABLE {t} RENAME TO gone"], "table datasets.alert_events_v1 does not exist"),
        (
            ["DROP VIEW datasets.alert_events", "ALTER TABLE {t} DROP COLUMN value"],
            "column value does not exist",
        ),
        (
            ["DROP VIEW datasets.alert_events", "ALTER TABLE {t} ALTER value TYPE numeric(12,3)"],
            "column value is numeric(12,3), the plan has numeric(12,4)",
        ),
        (
            ["ALTER TABLE {t} ADD new text NOT NULL"],
            "column new is NOT NULL without a default, and the plan does not write it",
        ),
        (
            ["ALTER TABLE {t} ALTER value SET NOT NULL"],
            "column value is NOT NULL, and the plan may write null",
        ),
        ([KEY], "no valid unique index on (org_id, dedupe_key)"),
        (
            [KEY, "CREATE UNIQUE INDEX ON {t} (org_id, dedupe_key) WHERE value > 0"],
            "no valid unique index on (org_id, dedupe_key)",
        ),
        (
            [KEY, "CREATE UNIQUE INDEX ON {t} (org_id, lower(dedupe_key))"],
            "no valid unique index on (org_id, dedupe_key)",
        ),
        (
            [KEY, "CREATE UNIQUE INDEX ON {t} (org_id) INCLUDE (dedupe_key)"],
            "no valid unique index on (org_id, dedupe_key)",
        ),
        (
            [KEY, "CREATE UNIQUE INDEX ON {t} (org_id, dedupe_key, severity)"],
            "no valid unique index on (org_id, dedupe_key)",
        ),
        (
            [KEY, "ALTER TABLE {t} ADD UNIQUE (org_id, dedupe_key) DEFERRABLE"],
            "no valid unique index on (org_id, dedupe_key)",
        ),
        (
            ["REVOKE INSERT ON {t} FROM test_alert_events_w"],
            "this login lacks INSERT on datasets.alert_events_v1",
        ),
        (
            ["REVOKE SELECT ON {t} FROM test_alert_events_w"],
            "this login lacks SELECT on datasets.alert_events_v1",
        ),
        (
            ["REVOKE INSERT ON sluice.output_commits FROM sluice_sink", "DELETE FROM sluice.dataset_heads"],
            "alert_events v1 is not registered, or this login is not its writer",
        ),
        (
            ["UPDATE sluice.datasets SET writer_role = 'postgres'"],
            "alert_events v1 is not registered, or this login is not its writer",
        ),
        (
            ["ALTER TABLE sluice.output_commits DROP COLUMN senders"],
            "the write statement cannot be prepared: 42703 UndefinedColumn",
        ),
    ],
)
def test_what_does_not_serve_it_is_named(connected: Connected, change: list[str], told: str) -> None:
    store, connection = connected(datasets.alert_events())
    for statement in change:
        store.execute(statement.replace("{t}", TABLE))
    assert [mismatch.text for mismatch in mismatches(connection, store.plan)] == [told]


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE {t} ADD new text",
        "ALTER TABLE {t} ADD new text NOT NULL DEFAULT 'x'",
        "ALTER TABLE {t} ADD new bigint GENERATED ALWAYS AS IDENTITY",
        KEY + "; CREATE UNIQUE INDEX ON {t} (dedupe_key, org_id) INCLUDE (severity)",
    ],
)
def test_a_database_may_be_ahead_of_its_sinks(connected: Connected, change: str) -> None:
    store, connection = connected(datasets.alert_events())
    store.execute(change.replace("{t}", TABLE))
    assert mismatches(connection, store.plan) == ()
    assert store.write(connection, Message((alert(),))).inserted == 1


def test_an_updating_plan_needs_update(connected: Connected) -> None:
    store, connection = connected(datasets.accounts())
    store.execute("REVOKE UPDATE ON datasets.accounts_v1 FROM test_accounts_w")
    assert [mismatch.text for mismatch in mismatches(connection, store.plan)] == [
        "this login lacks UPDATE on datasets.accounts_v1"
    ]


def test_the_session_is_pinned_against_the_role_s_own_settings(make_store: Callable[..., Store]) -> None:
    store = make_store(datasets.accounts())
    for setting in (
        "TimeZone = 'Asia/Kolkata'",
        "DateStyle = 'SQL, DMY'",
        "synchronous_commit = off",
        "search_path = nowhere",
    ):
        store.execute(f"ALTER ROLE test_accounts_sink SET {setting}")
    store.execute("ALTER ROLE test_accounts_sink SET default_transaction_isolation = 'repeatable read'")
    connection = store.connect()
    shown = {name: connection.execute(f"SHOW {name}").fetchone()[0] for name in SESSION}  # type: ignore[index]
    assert shown["TimeZone"] == "UTC"
    assert shown["DateStyle"].startswith("ISO")
    assert shown["search_path"] in {"", '""'}
    assert store.write(connection, Message((account(1),), "accounts")).inserted == 1
    connection.close()


def test_a_lost_session_is_replaced_and_checked_again(make_store: Callable[..., Store]) -> None:
    store = make_store(datasets.alert_events())
    session = Session(store.database(), store.plan, store.plan.sha256)
    first = session.enter()
    assert session.enter() is first
    [(instance, plan)] = store.fetch("SELECT instance, plan_sha256 FROM sluice.sink_instances")
    assert plan == store.plan.sha256
    session.close()
    assert session.enter() is not first
    assert store.fetch("SELECT instance FROM sluice.sink_instances") == [(instance,)]
    session.close()


def test_a_refused_login_fetches_its_secret_again_twice(make_store: Callable[..., Store]) -> None:
    store = make_store(datasets.alert_events())
    fetched: list[str] = []

    def secret() -> dict[str, str]:
        fetched.append("wrong")
        return {"username": "test_alert_events_sink", "password": f"wrong {len(fetched)}"}

    database = store.database()
    database._fetch = secret
    for _ in range(5):
        with pytest.raises(DatabaseFault) as raised:
            database.connect()
        assert (raised.value.action, raised.value.alarm) == (Action.CREDENTIALS, True)
    assert len(fetched) == 4, "at once, at the next two refusals, and then now and then"


def test_a_database_that_is_not_there_is_not_blamed_on_the_login(make_store: Callable[..., Store]) -> None:
    database = make_store(datasets.alert_events()).database()
    there = database._settings
    database._settings = replace(there, database_name="gone")
    with pytest.raises(DatabaseFault) as raised:
        database.connect()
    assert 'database "gone" does not exist' in raised.value.text
    assert (raised.value.diagnosis.sqlstate, raised.value.action) == ("3D000", Action.PAUSE)
    database._settings = there
    database.connect()
    database.close()


def test_a_password_changed_under_way_is_found(make_store: Callable[..., Store]) -> None:
    store = make_store(datasets.alert_events())
    passwords = iter(["old", "new"])
    database = store.database()
    database._fetch = lambda: {"username": "test_alert_events_sink", "password": next(passwords)}
    store.execute("ALTER ROLE test_alert_events_sink PASSWORD 'new'")
    with pytest.raises(DatabaseFault):
        database.connect()
    database.connect()
    database.close()


def test_the_sink_s_role_can_do_nothing_else(connected: Connected) -> None:
    store, connection = connected(datasets.alert_events())
    store.write(connection, Message((alert(),)))
    for statement in (
        f"DELETE FROM {TABLE}",
        f"UPDATE {TABLE} SET severity = 'info'",
        f"TRUNCATE {TABLE}",
        f"DROP TABLE {TABLE}",
        "CREATE TABLE datasets.mine (a int)",
        "UPDATE sluice.output_commits SET inserted = 5",
        "DELETE FROM sluice.output_commits",
        "UPDATE sluice.datasets SET writer_role = current_user",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement)
