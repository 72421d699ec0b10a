"""A thread that waits is healthy; one that is dead, or hangs for no reason, is not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from compiler.emit.sink import sink_plan
from sink_runtime.faults import Fault
from sink_runtime.patience import Patience
from sink_runtime.pipeline.shared import Shared
from sink_runtime.watch import health
from sink_runtime.worker import Failures, Worker
from tests.sink import datasets
from tests.sink.fakes import silent_log
from tests.support.waiting import until

AWAY = Fault("postgres", "no connection")


def make_shared() -> Shared:
    plan = sink_plan(datasets.alert_events(), ())
    log, _ = silent_log()
    return Shared.of(plan, plan.sha256, Patience(threading.Event(), log, 0.01, 0.01), log)


@contextmanager
def running(shared: Shared, turn, ending: threading.Event) -> Iterator[Worker]:
    worker = Worker("writer-1", turn, ending, Failures(shared.patience.stop))
    worker.start()
    try:
        yield worker
    finally:
        ending.set()
        shared.patience.stop.set()
        worker.join(60)


def test_a_thread_that_hangs_is_unhealthy() -> None:
    shared, ending, inside = make_shared(), threading.Event(), threading.Event()

    def hang() -> None:
        inside.set()
        ending.wait()

    with running(shared, hang, ending) as worker:
        inside.wait()
        assert health.complaints([worker], shared) == []
        until(lambda: health.complaints([worker], shared, bound=0.05) != [])
        assert "writer-1 got nowhere" in health.complaints([worker], shared, bound=0.05)[0]
        shared.patience.stop.set()
        assert health.complaints([worker], shared, bound=0.05) == [], "the end has its own time"


def test_a_thread_that_waits_for_something_is_healthy_and_not_ready() -> None:
    shared, ending = make_shared(), threading.Event()
    there = threading.Event()

    def attempt() -> None:
        if not there.is_set():
            raise AWAY

    def turn() -> None:
        shared.patience.until(attempt, lambda fault: shared.gate.close("writer-1", fault))
        shared.gate.open("writer-1")
        ending.wait(0.01)

    with running(shared, turn, ending) as worker:
        until(lambda: health.readiness(shared).waits_for == {"postgres": "no connection"})
        assert not health.readiness(shared).is_ready
        until(lambda: health.complaints([worker], shared, bound=0.0) == [])
        there.set()
        until(lambda: health.readiness(shared).is_ready)
        assert shared.patience.waits()["postgres"] >= 1


def test_a_thread_that_ended_in_silence_is_unhealthy() -> None:
    shared, ending = make_shared(), threading.Event()
    with running(shared, ending.set, ending) as worker:
        assert worker.join(60)
        assert health.complaints([worker], shared) == ["writer-1 is dead"]
