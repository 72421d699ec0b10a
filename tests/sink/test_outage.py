"""Postgres goes away and comes back: nothing is dead-lettered, received twice or lost, and the sink catches up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psycopg

from compiler.emit.sink import sink_plan
from dev.postgres import PostgresServer
from dev.state import Paths
from tests.sink import datasets
from tests.sink.deployment import Deployment, seconds_waited
from tests.sink.messages import Message, alert
from tests.sink.store import Store, bring_up, settings_of
from tests.support.waiting import until

VISIBILITY_SECONDS = 3  # so that the outage is longer


def test_postgres_away_for_longer_than_the_visibility_timeout(
    deploy: Callable[..., Deployment], tmp_path: Path
) -> None:
    server = PostgresServer(Paths(tmp_path / ".sluice"))
    conninfo = server.start().conninfo()
    try:
        dataset = datasets.alert_events()
        bring_up(conninfo, dataset)
        # Received once more than that, a message would be moved to the dead-letter queue.
        plan = replace(
            sink_plan(dataset, ()), visibility_timeout_seconds=VISIBILITY_SECONDS, max_receive_count=1
        )
        with psycopg.connect(**conninfo, autocommit=True) as admin:
            store = Store(admin, dataset, plan, settings_of(conninfo))
            deployment = deploy(store)
            sink = deployment.start()
            deployment.send(*(Message((alert(f"before {n}"),)) for n in range(3)))
            deployment.await_drained()
        server.stop()
        deployment.send(
            Message((alert("in hand"),))
        )  # received where the sink was in a long poll, and then held
        until(lambda: bool(sink.events("waiting")), deployment.tell)
        deployment.send(*(Message((alert(f"meanwhile {n}"),)) for n in range(7)))
        until(lambda: seconds_waited(sink.events("waiting")) > 3 * VISIBILITY_SECONDS, deployment.tell)
        visible, held = deployment.counts(deployment.buffer)
        assert visible + held == 8, "nothing is moved to the dead-letter queue"
        told = seconds_waited(sink.events("waiting"))
        until(lambda: seconds_waited(sink.events("waiting")) > told + 2 * VISIBILITY_SECONDS, deployment.tell)
        assert deployment.counts(deployment.buffer) == (visible, held), (
            "what is held stays held, and no more comes"
        )
        server.start()
        deployment.await_drained()
        with psycopg.connect(**conninfo, autocommit=True) as admin:
            store = replace(store, admin=admin)
            assert len(store.rows("dedupe_key")) == 3 + 8
            sequences = [sequence for (sequence,) in store.commits("sequence")]
            assert sequences == list(range(1, len(sequences) + 1))
        assert deployment.counts(deployment.dead_letter) == (0, 0)
        assert sink.stop() == 0
    finally:
        server.remove()
