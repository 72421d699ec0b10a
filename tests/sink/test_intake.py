"""When a batch closes, how large it is, and how long what fails is put off."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from compiler.emit.sink import sink_plan
from sink_runtime.faults import Fault
from sink_runtime.pipeline.gate import Gate
from sink_runtime.pipeline.intake import BATCH_BYTES, Intake
from sink_runtime.pipeline.pace import SMALLEST, Pace
from sink_runtime.pipeline.putoff import HOLD_SECONDS, backoff_seconds, hold_seconds
from sink_runtime.records.admission import Admission
from sink_runtime.records.delivery import Delivery
from tests.sink import datasets
from tests.sink.messages import Message, alert

ADMISSION = Admission(sink_plan(datasets.alert_events(), ()))
LONG = 60.0


def delivery(records: int = 1) -> Delivery:
    made = tuple(alert(f"k{number}") for number in range(records))
    return ADMISSION.read(Message(made).received())


def test_a_batch_closes_by_records() -> None:
    intake = Intake(Pace(5, 30), LONG)
    intake.put([delivery(2), delivery(2), delivery(2)])
    assert [len(one.indexes) for one in intake.take(0)] == [2, 2]
    assert intake.counts()[0] == 2


def test_a_batch_closes_by_bytes() -> None:
    intake = Intake(Pace(1_000_000, 30), LONG)
    large = delivery(5000)
    intake.put([large] * 20)
    assert len(intake.take(0)) == BATCH_BYTES // large.size


def test_a_batch_closes_by_linger() -> None:
    intake = Intake(Pace(1000, 30), 0.01)
    intake.put([delivery()])
    assert len(intake.take(0)) == 1
    assert intake.take(0) == []


def test_a_message_larger_than_a_batch_is_a_batch() -> None:
    intake = Intake(Pace(5, 30), LONG)
    intake.put([delivery(50), delivery(1)])
    assert [len(one.indexes) for one in intake.take(0)] == [50]


def test_rejected_records_fill_a_batch_too() -> None:
    intake = Intake(Pace(5, 30), LONG)
    intake.put([ADMISSION.read(Message(tuple(alert("a", "x") for _ in range(5))).received())])
    assert len(intake.take(0)) == 1


def test_a_closed_intake_gives_nothing_more() -> None:
    intake = Intake(Pace(5, 30), LONG)
    with ThreadPoolExecutor(2) as pool:
        taken = [pool.submit(intake.take, LONG) for _ in range(2)]
        intake.put([delivery(1)])
        intake.close()
        assert [one.result(5) for one in taken] == [[], []]


def test_batches_shrink_while_commits_are_slow_and_grow_again() -> None:
    pace = Pace(2000, 60)
    pace.observe(5)
    assert pace.records == 2000
    pace.observe(11)
    assert pace.records == 1000
    pace.slow_down()
    assert pace.records == 500
    for _ in range(20):
        pace.slow_down()
    assert pace.records == SMALLEST
    for _ in range(40):
        pace.observe(0.1)
    assert pace.records == 2000


def test_the_gate_is_open_when_nobody_holds_it_closed() -> None:
    gate = Gate()
    assert gate.wait(0)
    gate.close("writer-1", Fault("postgres", "away"))
    gate.close("receiver-1", Fault("buffer", "away"))
    assert (gate.wait(0), gate.wait(0, besides="writer-1")) == (False, False)
    gate.open("receiver-1")
    assert (gate.wait(0), gate.wait(0, besides="writer-1")) == (False, True)
    gate.open("writer-1")
    gate.open("never there")
    assert gate.wait(0)


@pytest.mark.parametrize("most", [3, 4, 5, 7, 10, 100])
def test_a_message_is_held_a_quarter_of_an_hour_with_a_receive_to_spare(most: int) -> None:
    waits = [hold_seconds(receives, most) for receives in range(1, most + 1)]
    held = [wait for wait in waits if wait is not None]
    assert abs(sum(held) - HOLD_SECONDS) <= len(held)
    assert held == sorted(held)
    assert len(held) <= min(5, most - 2)
    assert all(wait is None for wait in waits[len(held) :])


@pytest.mark.parametrize("most", [1, 2])
def test_few_receives_leave_no_room_to_hold(most: int) -> None:
    assert hold_seconds(1, most) is None


def test_backoff_doubles_up_to_a_quarter_of_an_hour() -> None:
    assert [backoff_seconds(receives) for receives in (1, 2, 3, 6, 500)] == [30, 60, 120, 900, 900]
