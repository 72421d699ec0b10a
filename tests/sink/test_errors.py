"""The SQLSTATE table: each row by an error of its own, real where Postgres can be made to raise it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from compiler.emit.sink import sink_plan
from sink_runtime.postgres import database
from sink_runtime.postgres.errors import TABLE, Action, Blame, DatabaseFault, Diagnosis, Row, action_for
from tests.sink import datasets
from tests.sink.messages import Message, alert
from tests.sink.store import Store

PLAN = sink_plan(datasets.alert_events(), ())
CHECK = next(name for name in PLAN.constraints if name.startswith("ck_severity"))

# SQLSTATE, column, constraint -> action, where the data statement raised it.
ANSWERS: list[tuple[str, str | None, str | None, Action]] = [
    ("", None, None, Action.RETRY),
    ("08006", None, None, Action.RETRY),
    ("40001", None, None, Action.RETRY),
    ("40P01", None, None, Action.RETRY),
    ("53100", None, None, Action.RETRY),
    ("53300", None, None, Action.RETRY),
    ("55P03", None, None, Action.RETRY),
    ("57P01", None, None, Action.RETRY),
    ("57P03", None, None, Action.RETRY),
    ("58030", None, None, Action.RETRY),
    ("25006", None, None, Action.RETRY),
    ("25P03", None, None, Action.RETRY),
    ("26000", None, None, Action.RECONNECT),
    ("42P05", None, None, Action.RECONNECT),
    ("0A000", None, None, Action.RECONNECT),
    ("28P01", None, None, Action.CREDENTIALS),
    ("28000", None, None, Action.CREDENTIALS),
    ("42501", None, None, Action.PAUSE),
    ("42703", None, None, Action.PAUSE),
    ("42P01", None, None, Action.PAUSE),
    ("3D000", None, None, Action.PAUSE),
    ("3F000", None, None, Action.PAUSE),
    ("22003", None, None, Action.RECORD),
    ("22P02", None, None, Action.RECORD),
    ("22P05", None, None, Action.RECORD),
    ("23502", "severity", None, Action.RECORD),
    ("23502", "value", None, Action.PAUSE),  # null by the plan: the table has become stricter
    ("23502", "of_somebody_else", None, Action.PAUSE),
    ("23514", None, CHECK, Action.RECORD),
    ("23514", None, "ck_of_somebody_else", Action.PAUSE),
    ("23514", None, None, Action.PAUSE),
    ("23503", None, PLAN.key_constraint, Action.RECORD),
    ("23503", None, "fk", Action.PAUSE),
    ("23505", None, "second_unique", Action.PAUSE),
    ("23505", None, PLAN.key_constraint, Action.PAUSE),
    ("23P01", None, "excluded", Action.PAUSE),
    ("54000", None, None, Action.RECORD),
    ("54001", None, None, Action.RECORD),
    ("P0001", None, None, Action.RECORD),
    ("57014", None, None, Action.TOO_SLOW),
    ("XX000", None, None, Action.PAUSE),
    ("21000", None, None, Action.PAUSE),
    ("P0002", None, None, Action.PAUSE),
]


@pytest.mark.parametrize(("sqlstate", "column", "constraint", "expected"), ANSWERS)
def test_the_table_s_answer(
    sqlstate: str, column: str | None, constraint: str | None, expected: Action
) -> None:
    assert action_for(Diagnosis(sqlstate, column, constraint), PLAN, of_data=True) is expected


@pytest.mark.parametrize(("sqlstate", "column", "constraint", "expected"), ANSWERS)
def test_no_other_statement_blames_a_record(
    sqlstate: str, column: str | None, constraint: str | None, expected: Action
) -> None:
    found = action_for(Diagnosis(sqlstate, column, constraint), PLAN, of_data=False)
    assert found is (Action.PAUSE if expected is Action.RECORD else expected)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: ",".join(row.prefixes) or "else")
def test_every_row_decides_something(row: Row) -> None:
    def decides(sqlstate: str, column: str | None, constraint: str | None) -> bool:
        own = constraint in PLAN.constraints or column in {one.name for one in PLAN.columns}
        fits = (
            other
            for other in TABLE
            if sqlstate.startswith(other.prefixes) and (own or other.blame is Blame.ANY)
        )
        return bool(sqlstate) and next(fits) is row

    assert any(decides(sqlstate, column, constraint) for sqlstate, column, constraint, _ in ANSWERS)
    for prefix in row.prefixes:
        assert any(sqlstate.startswith(prefix) for sqlstate, *_ in ANSWERS if sqlstate)


def raised(connection: Any, statement: str) -> DatabaseFault:
    with pytest.raises(psycopg.Error) as error:
        connection.execute(statement)
    return DatabaseFault.of(error.value, PLAN, of_data=True)


def test_what_postgres_says_reaches_the_table_and_no_value_reaches_the_log(
    connected: Callable[..., tuple[Store, Any]],
) -> None:
    _, connection = connected(datasets.alert_events())
    insert = "INSERT INTO datasets.alert_events_v1 VALUES (gen_random_uuid(), {}, 'info', now(), 1, NULL, now(), 'x')"
    found = {
        statement: raised(connection, statement)
        for statement in (
            "SELECT 'top secret'::uuid",
            "SELECT '1e400'::numeric::float8",
            insert.format("repeat('top secret', 100)"),
            insert.format("NULL"),
            "SELECT repeat('[', 20000)::jsonb",
            "SELECT 'top secret' FROM nowhere",
            "SET statement_timeout = 1; SELECT pg_sleep(5)",
        )
    }
    assert [fault.action for fault in found.values()] == [
        Action.RECORD,
        Action.RECORD,
        Action.RECORD,
        Action.RECORD,
        Action.RECORD,
        Action.PAUSE,
        Action.TOO_SLOW,
    ]
    assert not any("secret" in fault.text for fault in found.values())
    assert "ck_dedupe_key" in found[insert.format("repeat('top secret', 100)")].text
    assert "dedupe_key" in found[insert.format("NULL")].text


def test_a_lost_connection_is_an_outage(connected: Callable[..., tuple[Store, Any]]) -> None:
    store, connection = connected(datasets.alert_events())
    pid = connection.info.backend_pid
    store.execute(f"SELECT pg_terminate_backend({pid})")
    fault = raised(connection, "SELECT 1")
    assert (fault.action, fault.alarm) == (Action.RETRY, False)
    assert connection.broken


def test_whoever_waits_for_a_lock_is_not_slow(
    make_store: Callable[..., Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock held for long is an outage: as a statement timeout it would end in a rejected record."""
    assert database.LOCK_SECONDS * 2 <= database.STATEMENT_SECONDS
    monkeypatch.setattr(database, "SESSION", {**database.SESSION, "lock_timeout": "50ms"})
    store = make_store(datasets.alert_events())
    connection = store.connect()
    store.execute("BEGIN")
    store.execute("LOCK TABLE datasets.alert_events_v1")
    with pytest.raises(DatabaseFault) as error:
        store.write(connection, Message((alert(),)))
    assert (error.value.diagnosis.sqlstate, error.value.action) == ("55P03", Action.RETRY)
    store.execute("ROLLBACK")
    connection.close()
