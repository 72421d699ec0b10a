"""Orders and concurrency: what must hold whatever comes when."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sink_runtime.plan import SinkPlan
from sink_runtime.postgres.errors import DatabaseFault
from sink_runtime.postgres.writer import Writer
from tests.sink import datasets
from tests.sink.messages import Message, account, alert, numbered, signal
from tests.sink.store import Store

MakeStore = Callable[..., Store]

# Few keys, few moments, few values: so that deliveries meet.
accounts = st.builds(
    account, st.integers(1, 3), tier=st.sampled_from(["a", "b", None]), limit=st.integers(0, 1)
)
signals = st.builds(signal, st.sampled_from(["a", "b"]), st.integers(0, 2), score=st.integers(0, 2))


def deliveries(dataset: str, records: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Message]]:
    """Messages with distinct ids, as SQS gives them."""
    message = st.builds(
        Message,
        records=st.lists(records, min_size=1, max_size=4).map(tuple),
        dataset=st.just(dataset),
        sent=st.integers(0, 2),
    )
    return st.lists(message, min_size=1, max_size=5).map(
        lambda found: [
            replace(one, message_id=numbered(index * 7919 % 101)) for index, one in enumerate(found, 1)
        ]
    )


def batching(messages: list[Message], choose: random.Random) -> list[list[Message]]:
    """The messages, some of them more than once, in any order and in batches of any size."""
    arriving = messages + [message for message in messages if choose.random() < 0.3]
    choose.shuffle(arriving)
    batches: list[list[Message]] = [[]]
    for message in arriving:
        if batches[-1] and choose.random() < 0.5:
            batches.append([])
        batches[-1].append(message)
    return batches


def table_after(store: Store, connection: Any, batches: list[list[Message]]) -> list[Any]:
    store.clear()
    for batch in batches:
        store.write(connection, *batch)
    columns = [column.name for column in store.plan.columns if column.source != "platform:$ingested_at"]
    check_commits(store)
    return store.rows(*columns)


def check_commits(store: Store) -> None:
    commits = store.commits()
    assert [commit[0] for commit in commits] == list(range(1, len(commits) + 1))
    assert all(inserted + updated > 0 for _, _, inserted, updated, _, _ in commits)
    assert sum(commit[2] for commit in commits) == len(store.rows(*store.plan.key))


@pytest.mark.parametrize(
    ("make", "messages"),
    [
        (datasets.accounts, deliveries("accounts", accounts)),
        (datasets.integrity_signals, deliveries("integrity_signals", signals)),
    ],
    ids=["update", "update_if_newer"],
)
def test_any_order_of_deliveries_gives_the_same_table(connected: Any, make: Any, messages: Any) -> None:
    store, connection = connected(make())

    @settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(messages, st.randoms(use_true_random=False))
    def holds(found: list[Message], choose: random.Random) -> None:
        expected = table_after(store, connection, [found])
        assert table_after(store, connection, batching(found, choose)) == expected

    holds()


@pytest.mark.parametrize(
    ("make", "record"),
    [
        (datasets.alert_events, lambda n: alert(f"k{n}")),
        (datasets.accounts, lambda n: account(n, tier="x")),
        (datasets.integrity_signals, lambda n: signal(f"k{n}", n % 5)),
    ],
    ids=["ignore", "update", "update_if_newer"],
)
def test_two_sinks_neither_deadlock_nor_leave_a_gap(
    make_store: MakeStore, make: Any, record: Callable[[int], Any]
) -> None:
    store = make_store(make())
    start = threading.Barrier(2)

    def sink(number: int) -> int:
        choose = random.Random(number)
        connection = store.connect()
        writer = Writer(store.plan, store.plan.sha256)
        batches = []
        for turn in range(30):
            keys = choose.sample(range(120), 60)
            message = Message(
                tuple(map(record, keys)), store.plan.dataset, sent=choose.randrange(1000) + turn
            )
            batches.append(store.batch(message))
        start.wait()
        written = [writer.write(connection, batch) for batch in batches]  # a deadlock would raise here
        connection.close()
        return sum(one.inserted for some in written for one in some.commits)

    with ThreadPoolExecutor(2) as pool:
        inserted = sum(pool.map(sink, (1, 2)))
    rows = store.rows(*store.plan.key)
    assert inserted == len(rows) == len(set(rows))
    check_commits(store)


def test_an_unordered_write_would_deadlock(make_store: MakeStore) -> None:
    """The guard above has teeth: the same batches, written in the order of arrival, do deadlock."""
    store = make_store(datasets.alert_events())
    ordered = store.plan.statement
    unordered = ordered.replace(
        'ORDER BY "org_id", "dedupe_key", "sluice_ordinal"\nON CONFLICT', "ORDER BY random()\nON CONFLICT"
    )
    assert unordered != ordered
    plan = replace(store.plan, statement=unordered)
    start = threading.Barrier(2)

    def sink(number: int) -> bool:
        choose = random.Random(number)
        connection = store.connect()
        start.wait()
        try:
            for _ in range(200):
                _write(store, plan, connection, [choose.randrange(10**6), *range(200)])
                store_clear(connection)
        except DatabaseFault as fault:
            return fault.diagnosis.sqlstate == "40P01"
        finally:
            connection.close()
        return False

    store.execute("GRANT DELETE ON datasets.alert_events_v1 TO test_alert_events_w")
    with ThreadPoolExecutor(2) as pool:
        assert any(pool.map(sink, (1, 2)))


def _write(store: Store, plan: SinkPlan, connection: Any, keys: list[int]) -> None:
    message = Message(tuple(alert(f"k{key}") for key in keys))
    Writer(plan, plan.sha256).write(connection, store.batch(message))


def store_clear(connection: Any) -> None:
    connection.execute("DELETE FROM datasets.alert_events_v1")


def test_a_concurrent_change_is_never_counted_unchanged(connected: Any) -> None:
    """Another sink changes the row between our snapshot and our write: the commit must announce our change back."""
    store, connection = connected(datasets.accounts())
    store.write(connection, Message((account(1, tier="a"),), "accounts", sent=1))
    other = store.connect()
    other.execute("BEGIN")
    other.execute(
        "UPDATE datasets.accounts_v1 SET tier = 'b', sluice_sent_at = sluice_sent_at + interval '1 ms'"
    )
    with ThreadPoolExecutor(1) as pool:
        back = pool.submit(store.write, connection, Message((account(1, tier="a"),), "accounts", sent=3))
        _await_lock(store)
        other.execute("COMMIT")
        written = back.result()
    other.close()
    assert (written.inserted, written.updated, written.unchanged) == (0, 1, 0)
    assert store.rows("tier") == [("a",)]


def _await_lock(store: Store) -> None:
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name LIKE 'sluice sink%'"
    while store.fetch(query) != [(1,)]:
        pass
