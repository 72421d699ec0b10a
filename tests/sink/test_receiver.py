"""How many receives run at a time, and what happens to what they bring when things go wrong."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from compiler.emit.sink import sink_plan
from sink_runtime.faults import Fault
from sink_runtime.patience import Patience, StoppingError
from sink_runtime.pipeline.custody import Room
from sink_runtime.pipeline.receiver import FIRST, RECEIVES, SCOUT_SECONDS, Receiver
from sink_runtime.pipeline.shared import Shared
from sink_runtime.records.admission import Admission
from sink_runtime.sqs.queue import Received
from sink_runtime.sqs.wire import QueueFault
from tests.sink import datasets
from tests.sink.fakes import silent_log
from tests.sink.messages import Message, alert

PLAN = sink_plan(datasets.alert_events(), ())
AWAY = QueueFault("buffer", "ServiceUnavailable", 503)


class Scripted:
    """Receives that are answered one at a time, as the test says; each that is started is written down."""

    def __init__(self, *answers: int | Fault) -> None:
        self.answers = list(answers)
        self.started: list[int] = []
        self.rooms: list[Room] = []
        self.most_at_once = 0
        self.are_sent = False

    @property
    def free(self) -> int:
        return RECEIVES - self.busy

    @property
    def busy(self) -> int:
        return len(self.rooms)

    def start(self, wait_seconds: int, room: Room) -> None:
        self.started.append(wait_seconds)
        self.rooms.append(room)
        self.most_at_once = max(self.most_at_once, self.busy)
        self.are_sent = False

    def send(self) -> None:
        self.are_sent = True

    def finished(self, seconds: float) -> list[tuple[Room, Sequence[Received] | Fault]]:
        if not self.busy:
            return []
        room = self.rooms.pop(0)
        answer = self.answers.pop(0) if self.answers else 0
        if isinstance(answer, Fault):
            return [(room, answer)]
        return [(room, [Message((alert(f"{len(self.answers)}-{n}"),)).received() for n in range(answer)])]


def made(receives: Scripted) -> tuple[Receiver, Shared]:
    log, _ = silent_log()
    shared = Shared.of(PLAN, PLAN.sha256, Patience(threading.Event(), log, 0.0, 0.0), log)
    return Receiver(receives, Admission(PLAN), shared), shared


def test_one_long_poll_waits_while_all_is_quiet() -> None:
    receives = Scripted()
    receiver, _ = made(receives)
    for _ in range(5):
        receiver.turn()
    assert receives.started == [SCOUT_SECONDS] * 5
    assert receives.most_at_once == 1


def test_the_first_message_brings_full_speed() -> None:
    receives = Scripted(1, 10, 10, 10)
    receiver, _ = made(receives)
    receiver.turn()
    receiver.turn()
    assert receives.most_at_once == RECEIVES


def test_a_lone_message_now_and_then_brings_some_receives_only() -> None:
    receives = Scripted(*[1, *[0] * FIRST] * 3)
    receiver, _ = made(receives)
    for _ in range(3 * (FIRST + 1)):
        receiver.turn()
    assert receives.most_at_once == FIRST


def test_the_next_receives_are_under_way_while_messages_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    receives = Scripted(10, 10)
    receiver, shared = made(receives)
    under_way = []
    monkeypatch.setattr(shared.intake, "put", lambda _: under_way.append((receives.busy, receives.are_sent)))
    receiver.turn()
    receiver.turn()
    assert under_way == [(RECEIVES, True)] * 2


def test_nothing_more_is_received_once_the_sink_is_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    receives = Scripted(10)
    receiver, shared = made(receives)
    finished = receives.finished

    def stopped_meanwhile(seconds: float) -> list[tuple[Room, Sequence[Received] | Fault]]:
        shared.patience.stop.set()
        return finished(seconds)

    monkeypatch.setattr(receives, "finished", stopped_meanwhile)
    receiver.turn()
    assert (receives.busy, shared.intake.counts()[0]) == (0, 10)


def test_answers_that_hold_little_call_for_fewer_receives() -> None:
    receives = Scripted(1, *[2] * 20)
    receiver, _ = made(receives)
    for _ in range(20):
        receiver.turn()
    before = receives.busy
    receiver.turn()
    assert (before, receives.busy) == (1, 1), "one at a time"


def test_nothing_is_received_while_the_gate_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sink_runtime.pipeline.receiver.TURN_SECONDS", 0.01)
    receives = Scripted(10)
    receiver, shared = made(receives)
    shared.gate.close("writer-1", Fault("postgres", "away"))
    receiver.turn()
    assert receives.started == []


def test_what_else_is_under_way_is_taken_when_a_receive_fails() -> None:
    receives = Scripted(10, AWAY, 10, 10, AWAY, 3)
    receiver, shared = made(receives)
    receiver.turn()
    receiver.turn()
    assert shared.gate.closed_for == {}
    assert shared.custody.counts()[0] == 33
    assert shared.custody.counts()[2] == 0, "nothing stays reserved"


def test_at_the_end_the_last_receives_are_held_to_be_given_back() -> None:
    receives = Scripted(10, 10, 10, 10, 10, 10, 10)
    receiver, shared = made(receives)
    receiver.turn()
    receiver.turn()
    shared.patience.stop.set()
    with pytest.raises(StoppingError):
        receiver.turn()
    assert receives.busy == 0
    assert len(shared.custody.release_all()) == 10 * (7 - len(receives.answers))


class Waiting(Scripted):
    """The second receive fails, and those after it have answers that wait for room until there is some."""

    def finished(self, seconds: float) -> list[tuple[Room, Sequence[Received] | Fault]]:
        if len(self.answers) > 1:
            return super().finished(seconds)
        ready = [room for room in self.rooms if room.is_wide or room.widen()]
        self.rooms = [room for room in self.rooms if room not in ready]
        return [(room, [Message((alert(str(number)),)).received()]) for number, room in enumerate(ready)]


def test_the_end_comes_although_an_answer_waits_for_room(monkeypatch: pytest.MonkeyPatch) -> None:
    receives = Waiting(10, AWAY, 0)
    receiver, shared = made(receives)
    receiver.turn()
    marks = []
    monkeypatch.setattr("sink_runtime.pipeline.receiver.progress.mark", lambda: marks.append(1))
    full = shared.custody.reserve(0)  # of what is in hand, which nobody takes any more
    assert full
    monkeypatch.setattr("sink_runtime.pipeline.custody.BUDGET_BYTES", 0)
    looks = iter([*[False] * 5, *[True] * 1000])
    monkeypatch.setattr(shared.patience.stop, "is_set", lambda: next(looks))
    with pytest.raises(StoppingError):
        receiver.turn()
    assert receives.busy == 0
    assert len(marks) > 2, "and the receiver is not taken for one that hangs"


class Together(Scripted):
    """All that is under way is answered at once."""

    def finished(self, seconds: float) -> list[tuple[Room, Sequence[Received] | Fault]]:
        return [answer for _ in range(self.busy) for answer in super(Together, self).finished(seconds)]


def test_what_arrives_together_with_a_fault_is_held_before_the_fault_is_waited_for() -> None:
    receives = Together(10, AWAY, 10, 10, 10, 10, 10)
    receiver, shared = made(receives)
    receiver.turn()
    shared.gate.close("writer-1", Fault("postgres", "away"))  # the recovery receives nothing more
    held = []
    shared.patience.after = lambda *_: held.append(shared.custody.counts()[0])  # type: ignore[method-assign,assignment]
    assert receives.busy == RECEIVES
    receiver.turn()
    assert held == [60]
