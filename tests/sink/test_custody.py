"""Messages in hand: bounded, kept invisible, and never extended once they are let go."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from compiler.emit.sink import sink_plan
from sink_runtime.patience import Patience
from sink_runtime.pipeline.custody import (
    AHEAD_BYTES,
    AHEAD_MESSAGES,
    AHEAD_MESSAGES_A_SECOND,
    BUDGET_BYTES,
    ORDINARY_BYTES,
    Custody,
)
from sink_runtime.pipeline.heartbeat import Heartbeat
from sink_runtime.pipeline.receiver import RECEIVES
from sink_runtime.pipeline.shared import Shared
from sink_runtime.sqs.queue import BATCH_ENTRIES, EntryFailure, Received
from sink_runtime.sqs.wire import QueueFault
from tests.sink import datasets
from tests.sink.fakes import FakeQueue, silent_log
from tests.sink.messages import Message

MAX_BYTES = 1_040_384
AWAY = QueueFault("buffer", "ServiceUnavailable", 503)


def message(number: int = 0, size: int = 100) -> Received:
    return Message(message_id=str(number), body=b"x" * size).received()


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    clock = [1000.0]
    monkeypatch.setattr("sink_runtime.pipeline.custody.time.monotonic", lambda: clock[0])
    return clock


def test_forty_receives_of_ten_megabytes_stay_within_the_budget() -> None:
    held = Custody(MAX_BYTES, 30)
    most = threading.Lock()
    peak = [0]

    def receive(_number: int) -> None:
        while not (room := held.reserve(0.01)):
            pass
        while not room.widen():
            pass
        brought = [message(size=MAX_BYTES) for _ in range(BATCH_ENTRIES)]
        with most:
            _, size, reserved = held.counts()
            peak[0] = max(peak[0], size + reserved)
        held.hold(brought, room)
        held.release(brought)

    with ThreadPoolExecutor(40) as pool:
        list(pool.map(receive, range(40)))
    assert held.receive_bytes <= peak[0] <= BUDGET_BYTES
    assert held.counts() == (0, 0, 0)


def test_as_many_receives_as_fit_run_at_a_time() -> None:
    held = Custody(MAX_BYTES, 30)
    rooms = [room for _ in range(RECEIVES) if (room := held.reserve(0))]
    assert len(rooms) == RECEIVES, "of answers of the ordinary size"
    wide = [room.widen() for room in rooms]
    more = held.receive_bytes - ORDINARY_BYTES
    assert wide.count(True) == (BUDGET_BYTES - RECEIVES * ORDINARY_BYTES) // more > 0
    assert held.reserve(0) is None
    held.hold([], rooms[0])
    assert rooms[-1].widen(), "in the place of one that is done"


def test_what_waits_for_room_is_let_through_when_the_sink_ends() -> None:
    held = Custody(MAX_BYTES, 30)
    rooms = [room for _ in range(RECEIVES) if (room := held.reserve(0))]
    assert not all(room.widen() for room in rooms)
    wide = [room for room in rooms if room.is_wide]
    held.end()
    narrow = [room for room in rooms if not room.is_wide]
    assert not narrow[0].widen(), "memory stays bounded at the end too"
    for room in wide:
        held.hold([message(size=MAX_BYTES)], room)
    for number, room in enumerate(narrow):
        assert room.widen(), "one at a time"
        held.hold([message(number, size=MAX_BYTES)], room)
    assert held.counts()[1:] == (0, 0), "what is to be given back needs no body"


def test_what_waited_for_room_is_extended_at_once(now: list[float]) -> None:
    made = Beating()
    room = made.shared.custody.reserve(0)
    assert room
    assert room.widen()
    made.shared.custody.hold([message(1)], room)
    made.hold(message(2))
    made.heartbeat.turn()
    assert made.queue.hidden == [("1", 30)]


def test_no_more_is_received_ahead_than_writers_will_need_soon() -> None:
    held = Custody(1000, 30)
    receive(held, message(size=AHEAD_BYTES))
    assert held.reserve(0) is None
    [large] = held.release_all()
    assert large.body
    assert _room(held) == 30 * AHEAD_MESSAGES_A_SECOND, "what comes to be in hand can be extended in time"
    assert _room(Custody(1000, 43_200)) == AHEAD_MESSAGES


def receive(held: Custody, *messages: Received) -> None:
    room = held.reserve(0)
    assert room
    held.hold(messages, room)


def _room(held: Custody) -> int:
    """How many messages it takes, each received alone."""
    number = 0
    while room := held.reserve(0):
        held.hold([message(number)], room)
        number += 1
    return number


class Beating:
    """A heartbeat without its thread."""

    def __init__(self, **plan: Any) -> None:
        self.queue = FakeQueue()
        log, self.lines = silent_log()
        made = replace(sink_plan(datasets.alert_events(), ()), visibility_timeout_seconds=30, **plan)
        self.shared = Shared.of(made, made.sha256, Patience(threading.Event(), log), log)
        self.heartbeat = Heartbeat(self.queue, threading.Event(), self.shared)
        self.heartbeat._pause = 0

    def hold(self, *messages: Received) -> None:
        receive(self.shared.custody, *messages)


def test_what_is_held_is_extended_at_a_third_of_the_timeout(now: list[float]) -> None:
    made = Beating()
    held = message(1)
    made.hold(held)
    for elapsed in (0, 9, 11, 15, 22):
        now[0] = 1000.0 + elapsed
        made.heartbeat.turn()
    assert made.queue.hidden == [("1", 30), ("1", 30)]
    made.shared.custody.release([held])
    now[0] += 20
    made.heartbeat.turn()
    assert len(made.queue.hidden) == 2, "what is let go is not extended"


def test_an_extension_that_fails_is_tried_again_soon(now: list[float]) -> None:
    made = Beating()
    made.hold(message(1), message(2), message(3))
    made.queue.fail("hide", AWAY)
    now[0] += 11
    made.heartbeat.turn()
    assert made.queue.hidden == []
    now[0] += 2
    busy = EntryFailure(0, "InternalError", permanent=False)
    lost = EntryFailure(1, "ReceiptHandleIsInvalid", permanent=True)
    made.queue.fail("hide", [busy, lost])
    made.heartbeat.turn()
    now[0] += 2
    made.heartbeat.turn()
    assert made.queue.hidden == [("3", 30), ("1", 30)]
    assert [line["why"] for line in made.lines] == ["ServiceUnavailable (503)", "InternalError"]


def test_a_message_is_not_let_go_while_it_is_being_extended(now: list[float]) -> None:
    held = Custody(MAX_BYTES, 30)
    one = message(1)
    receive(held, one)
    now[0] += 11
    assert held.take_due(10) == [one]
    with ThreadPoolExecutor(1) as pool:
        released = pool.submit(held.release, [one])
        assert not released.done(), "a delete would overtake the extension"
        held.extended([])
        released.result(5)
    assert held.counts() == (0, 0, 0)
