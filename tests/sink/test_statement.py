"""The write statement on real Postgres: what each conflict mode keeps, and what the commit row says of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from compiler.dataset import Dataset, Ignore, OnConflict, Update, UpdateIfNewer
from compiler.emit.sink import sink_plan
from compiler.emit.sink_statement import write_statement
from sink_runtime.plan import PARAMETERS, RESULT
from tests.sink import datasets
from tests.sink.messages import START, Message, account, alert, monitored, numbered, signal
from tests.sink.store import Store
from tests.support.postgres import every_major

Connected = Callable[..., tuple[Store, Any]]


def counts(written: Any) -> tuple[int, int, int]:
    return written.inserted, written.updated, written.unchanged


@every_major
def test_ignore_keeps_the_first_committed(connected: Connected) -> None:
    store, connection = connected(datasets.alert_events())
    first = store.write(connection, Message((alert("cpu", value=1.5), alert("disk"))))
    assert counts(first) == (2, 0, 0)
    second = store.write(connection, Message((alert("cpu", "critical"), alert("net")), sent=-1000))
    assert counts(second) == (1, 0, 1)
    assert store.rows("dedupe_key", "severity", "value", "sender") == [
        ("cpu", "info", Decimal("1.5000"), "AROAEXAMPLE:monitor"),
        ("disk", "info", None, "AROAEXAMPLE:monitor"),
        ("net", "info", None, "AROAEXAMPLE:monitor"),
    ]
    assert store.commits() == [(1, 2, 2, 0, 0, 0), (2, 2, 1, 0, 1, 0)]


def test_ignore_takes_the_oldest_of_a_batch(connected: Connected) -> None:
    store, connection = connected(datasets.alert_events())
    written = store.write(
        connection,
        Message((alert("a", "warning"),), sent=5),
        Message((alert("a", "info"), alert("a", "critical")), sent=1, message_id=numbered(2)),
        Message((alert("a", "critical"),), sent=1, message_id=numbered(3)),
    )
    assert counts(written) == (1, 0, 3)
    assert store.rows("severity") == [("info",)]


def test_the_oldest_of_a_batch_is_that_of_the_first_send_whatever_came_first(connected: Connected) -> None:
    store, connection = connected(datasets.alert_events())
    for_one_key = [Message((alert("k", value=sent),), sent=sent) for sent in (900, 90, 1_000, 91)]
    store.write(connection, *for_one_key)
    assert store.rows("value") == [(Decimal("90.0000"),)]
    assert store.commits("first_sent_at, last_sent_at") == [
        (START + timedelta(milliseconds=90), START + timedelta(milliseconds=1_000))
    ]


@pytest.mark.parametrize(
    ("make", "arrays"),
    [
        (datasets.alert_events, ("senders",)),
        (datasets.monitoring_events, ("message_ids", "positions")),
        (datasets.accounts, ("message_ids", "positions", "sent_ats")),
    ],
    ids=["natural key, ignore", "message key", "update"],
)
def test_only_what_the_rows_are_made_of_is_sent_beside_the_records(
    make: Any, arrays: tuple[str, ...]
) -> None:
    assert sink_plan(make(), ()).arrays == arrays


def test_a_batch_that_changes_nothing_leaves_no_trace(connected: Connected) -> None:
    store, connection = connected(datasets.alert_events())
    message = Message((alert("a"), alert("b")))
    store.write(connection, message)
    again = store.write(connection, message)
    assert (again.sequence, again.committed_at, *counts(again)) == (None, None, 0, 0, 2)
    store.write(connection, Message((alert("c"),)))
    assert store.commits("sequence") == [(1,), (2,)]


def test_the_commit_row_tells_of_the_messages(connected: Connected) -> None:
    store, connection = connected(datasets.alert_events())
    written = store.write(
        connection,
        Message(
            (alert("a"), alert("b", value="no number")),
            sent=250,
            sender='B:"x", {y}\\',
            message_id=numbered(2),
        ),
        Message((alert("c"),), sent=1750, sender="A:a", message_id=numbered(1)),
    )
    columns = "commit_id::text, dataset, version, plan_sha256, messages, records, rejected, first_sent_at, last_sent_at, senders"
    assert store.commits(columns) == [
        (
            written.commit_id,
            "alert_events",
            1,
            store.plan.sha256,
            2,
            2,
            1,
            START.replace(microsecond=250_000),
            START.replace(second=1, microsecond=750_000),
            {'B:"x", {y}\\': 1, "A:a": 1},
        )
    ]
    assert store.rows("sender") == [('B:"x", {y}\\',), ("A:a",)]
    digest = "sha256:" + hashlib.sha256(f"{numbered(1)}\n{numbered(2)}".encode()).hexdigest()
    assert store.commits("message_digest") == [(digest,)]


@every_major
def test_update_keeps_the_newest_delivery(connected: Connected) -> None:
    store, connection = connected(datasets.accounts())
    message = Message((account(1, tier="a"),), "accounts", sent=100, message_id=numbered(5))
    assert counts(store.write(connection, message)) == (1, 0, 0)
    older = replace(message, records=(account(1, tier="b"),), sent=99, message_id=numbered(9))
    assert counts(store.write(connection, older)) == (0, 0, 1)
    assert counts(store.write(connection, message)) == (0, 0, 1)
    assert store.rows("tier", "message_id", "sluice_message_id") == [("a", UUID(int=5), UUID(int=5))]
    newer = replace(message, records=(account(1, tier="c"),), message_id=numbered(6))
    assert counts(store.write(connection, newer)) == (0, 1, 0)
    assert store.rows("tier", "message_id", "sluice_message_id") == [("c", UUID(int=6), UUID(int=6))]
    assert store.commits() == [(1, 1, 1, 0, 0, 0), (2, 1, 0, 1, 0, 0)]


def test_a_newer_delivery_of_an_equal_record_advances_the_tuple_and_is_unchanged(
    connected: Connected,
) -> None:
    store, connection = connected(datasets.accounts())
    message = Message((account(1, rate=1.5),), "accounts", message_id=numbered(5))
    store.write(connection, message)
    ingested = store.rows("ingested_at")
    written = store.write(
        connection, replace(message, records=(account(1, rate=1.50),), sent=1, message_id=numbered(6))
    )
    assert counts(written) == (0, 0, 1)
    assert written.sequence is None
    assert store.rows("sluice_sent_at", "sluice_message_id", "message_id") == [
        (START.replace(microsecond=1000), UUID(int=6), UUID(int=6))
    ]
    assert store.rows("ingested_at") == ingested
    store.write(connection, replace(message, records=(account(1, rate=2),), sent=2))
    assert store.rows("ingested_at") != ingested


@every_major
def test_update_if_newer_goes_by_the_column_first(connected: Connected) -> None:
    store, connection = connected(datasets.integrity_signals())
    late = Message((signal("a", observed=10, score=1),), "integrity_signals", sent=1)
    assert counts(store.write(connection, late)) == (1, 0, 0)
    stale = Message((signal("a", observed=9, score=2),), "integrity_signals", sent=99)
    assert counts(store.write(connection, stale)) == (0, 0, 1)
    same_moment = Message((signal("a", observed=10, score=3),), "integrity_signals", sent=2)
    assert counts(store.write(connection, same_moment)) == (0, 1, 0)
    in_one_batch = Message(
        (
            signal("a", observed=11, score=4),
            signal("a", observed=12, score=5),
            signal("a", observed=11, score=6),
        ),
        "integrity_signals",
    )
    assert counts(store.write(connection, in_one_batch)) == (0, 1, 2)
    assert store.rows("score", "sent_at") == [(Decimal(5), START)]


def test_message_keys_make_redelivery_harmless(connected: Connected) -> None:
    store, connection = connected(datasets.monitoring_events())
    batch = Message(
        (monitored(), monitored()),
        "monitoring_events",
        envelope={"id": "AAAAAAAA-0000-4000-8000-00000000000A"},
    )
    assert counts(store.write(connection, batch)) == (2, 0, 0)
    retry = replace(batch, message_id=numbered(77), sent=60_000)  # the producer's own, with a new MessageId
    assert counts(store.write(connection, retry)) == (0, 0, 2)
    expected = UUID("aaaaaaaa-0000-4000-8000-00000000000a")
    assert store.rows("sluice_message_id", "sluice_position") == [(expected, 0), (expected, 1)]


def test_values_of_every_type_and_the_record_itself(connected: Connected) -> None:
    store, connection = connected(datasets.monitoring_events())
    record = monitored(
        duration_ms=0.1,
        count=9007199254740993,
        ok=False,
        day="2024-02-29",
        labels={"a": [1.50]},
        extra=[None],
    )
    body = b'{"dataset": "monitoring_events", "records": [%s]}'
    raw = json.dumps(record).replace("9007199254740993", "9007199254740993.0").encode()
    store.write(connection, Message(body=body % raw))
    [row] = store.rows("service", "at", "duration_ms", "count", "ok", "day", "labels")
    assert row == (
        "api",
        datetime(2024, 5, 1, 12, tzinfo=UTC),
        0.1,
        9007199254740993,
        False,
        date(2024, 2, 29),
        {"a": [1.5]},
    )
    kept = store.fetch("SELECT record ->> 'count', record - 'count' FROM datasets.monitoring_events_v1")
    assert kept == [("9007199254740993.0", {name: record[name] for name in record if name != "count"})]


def test_absent_null_and_default(connected: Connected) -> None:
    store, connection = connected(datasets.accounts())
    null = account(1, tier=None, limit=None, rate=None, flags=None)
    given = account(2, tier="x", limit=3.0, rate=0.25, flags=[])
    store.write(connection, Message((null, given, account(3)), "accounts"))
    assert store.rows("tier", "limit", "rate", "flags") == [
        (None, None, None, None),
        ("x", 3, Decimal("0.25"), []),
        ("free", 10, Decimal("1.50"), {"a": [1]}),
    ]
    assert store.fetch("SELECT count(*) FROM datasets.accounts_v1 WHERE flags IS NULL") == [(1,)]


def never_null_by_default(dataset: Dataset) -> Dataset:
    """The dataset, where no column with a default admits null."""
    columns = tuple(replace(one, nullable=one.nullable and not one.default) for one in dataset.columns)
    return replace(dataset, columns=columns)


@pytest.mark.parametrize(
    ("made", "record", "defaults"),
    [
        (
            datasets.accounts,
            account(1),
            {"tier": "free", "limit": 10, "rate": Decimal("1.50"), "flags": {"a": [1]}},
        ),
        (
            datasets.documents,
            {"digest": "AA==", "revision": 1},
            {"seal": b"hi", "groups": ["a", 'NULL"\\', None], "steps": [1, 2]},
        ),
        (datasets.integrity_signals, signal(), {"state": "open"}),
    ],
)
def test_a_default_where_null_is_not_admitted(
    connected: Connected, made: Callable[[], Dataset], record: dict[str, Any], defaults: dict[str, Any]
) -> None:
    dataset = never_null_by_default(made())
    store, connection = connected(dataset)
    given = {name: value for name, value in record.items() if name not in defaults}
    store.write(connection, Message((given,), dataset.name))
    assert store.rows(*defaults) == [tuple(defaults.values())]


def test_no_record_is_read_twice_to_tell_missing_from_null_where_null_is_not_admitted() -> None:
    dataset = datasets.integrity_signals()
    assert "jsonb_array_elements" in write_statement(dataset)
    assert "jsonb_array_elements" not in write_statement(never_null_by_default(dataset))


@every_major
def test_json_null_is_sql_null(connected: Connected) -> None:
    store, connection = connected(datasets.alert_events())
    store.write(connection, Message((alert("a", labels=None, value=None), alert("b", labels={}))))
    assert store.fetch(
        "SELECT labels IS NULL, value IS NULL FROM datasets.alert_events_v1 ORDER BY dedupe_key"
    ) == [
        (True, True),
        (False, True),
    ]


@every_major
def test_property_names_that_no_column_can_have(connected: Connected) -> None:
    store, connection = connected(datasets.accounts())
    names = {
        "Full Name %s $1": "n",
        "x" * 70: "l",
        "n" * 70: 2.0,
        "j" * 70: {"k": None},
        "ctid": "c",
        "": "e",
        'a\n"b\\': "q",
    }
    store.write(connection, Message((account(1, **names), account(2, **{"j" * 70: None})), "accounts"))
    columns = ("name", "long_name", "long_number", "long_json", "system", "nothing", "line")
    assert store.rows(*columns) == [("n", "l", 2, {"k": None}, "c", "e", "q"), (None,) * 7]
    assert store.fetch("SELECT long_json IS NULL FROM datasets.accounts_v1 ORDER BY id") == [
        (False,),
        (True,),
    ]


def test_the_statement_has_the_plan_s_parameters_and_result(connected: Connected) -> None:
    store, connection = connected(datasets.integrity_signals())
    store.write(connection, Message((signal(),), "integrity_signals"))
    connection.execute(f"PREPARE it AS {store.plan.statement}")
    types = connection.execute(
        "SELECT parameter_types::text[] FROM pg_prepared_statements WHERE name = 'it'"
    ).fetchone()
    assert len(types[0]) == len(PARAMETERS) + len(store.plan.arrays)
    arrays = ", '{}'" * len(store.plan.arrays)
    cursor = connection.execute(f"EXECUTE it ('[]', 0, NULL, NULL, NULL, '', 0, 0, '', '{{}}'{arrays})")
    assert tuple(column.name for column in cursor.description) == RESULT
    assert cursor.fetchall() == [(None, None, 0, 0, 0)]


@pytest.mark.parametrize("make", [datasets.alert_events, datasets.accounts, datasets.monitoring_events])
def test_rows_are_sorted_once_and_found_by_the_key(connected: Connected, make: Any) -> None:
    store, connection = connected(make())
    connection.execute(f"PREPARE it AS {store.plan.statement}")
    arrays = ", '{}'" * len(store.plan.arrays)
    lines = connection.execute(
        f"EXPLAIN EXECUTE it ('[]', 0, NULL, NULL, NULL, '', 0, 0, '', '{{}}'{arrays})"
    ).fetchall()
    plan = "\n".join(line for (line,) in lines)
    assert plan.count("Sort  (") == 1, plan
    assert "Seq Scan" not in plan, plan


def test_the_same_dataset_gives_the_same_plan() -> None:
    assert (
        sink_plan(datasets.accounts(), ("sha256:b", "sha256:a")).to_bytes()
        == sink_plan(datasets.accounts(), ("sha256:a", "sha256:b")).to_bytes()
    )


def document(**more: Any) -> dict[str, Any]:
    return {"digest": "AAEC/w==", "revision": 1, **more}


@every_major
@pytest.mark.parametrize("mode", [Ignore(), Update(), UpdateIfNewer("revision")], ids=str)
def test_bytes_times_and_arrays_in_each_mode(connected: Connected, mode: OnConflict) -> None:
    store, connection = connected(datasets.documents(mode))
    first = document(
        opens="08:00:00+01:00", tags=["a", None], sizes=[1, 2.0], seen=["2026-01-01T01:00:00+01:00"]
    )
    odd = {"t" * 70: "aGk=", "c" * 70: "23:59:59Z", "l" * 70: ["x,y", ""], "ctid": [3.0]}
    assert counts(store.write(connection, Message((first | odd,), "documents"))) == (1, 0, 0)
    assert store.rows("digest", "opens", "tags", "sizes", "seen") == [
        (
            b"\0\1\2\xff",
            time(8, tzinfo=timezone(timedelta(hours=1))),
            ["a", None],
            [1, 2],
            [datetime(2026, 1, 1, tzinfo=UTC)],
        )
    ]
    assert store.rows("thumb", "closes", "labels", "counts") == [
        (b"hi", time(23, 59, 59, tzinfo=UTC), ["x,y", ""], [3])
    ]
    noon = time(12, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    assert store.rows("seal", "noon", "groups", "steps") == [(b"hi", noon, ["a", 'NULL"\\', None], [1, 2])]
    # The same again, its numbers written otherwise, changes nothing, whichever mode.
    again = Message((first | odd | {"sizes": [1.0, 2]},), "documents", sent=1, message_id=numbered(2))
    assert counts(store.write(connection, again)) == (0, 0, 1)
    newer = Message(
        (document(revision=2, seal=None, groups=[], tags=["b"]),), "documents", sent=2, message_id=numbered(3)
    )
    ignored = isinstance(mode, Ignore)
    assert counts(store.write(connection, newer)) == ((0, 0, 1) if ignored else (0, 1, 0))
    if not ignored:
        assert store.rows("seal", "groups", "tags", "opens", "thumb") == [(None, [], ["b"], None, None)]
