"""SIGKILL at every stage, and connections that die around the COMMIT: rows equal the set that was sent."""

from __future__ import annotations

import pytest

from tests.faults.rig import Rig
from tests.faults.servers import MakeRig, both_servers
from tests.sink import datasets
from tests.sink.deployment import Sink
from tests.support.proxies.postgres import Place

VISIBILITY_SECONDS = 2


def _between_receive_and_write(rig: Rig, sink: Sink) -> None:
    """What it received waits for its first statement to be answered."""
    rig.postgres.stall()
    received = len(rig.aws.received())
    rig.send("received")
    rig.until(lambda: len(rig.aws.received()) > received)
    rig.kill(sink)
    rig.postgres.flow()


def _between_write_and_commit(rig: Rig, sink: Sink) -> None:
    trap = rig.postgres.hold_at(Place.BEFORE_COMMIT)
    rig.send("written")
    trap.await_sprung()
    rig.kill(sink)
    trap.release()


def _between_commit_and_its_answer(rig: Rig, sink: Sink) -> None:
    trap = rig.postgres.hold_at(Place.AFTER_COMMIT)
    rig.send("committed")
    trap.await_sprung()
    rig.kill(sink)
    trap.release()


def _between_commit_and_delete(rig: Rig, sink: Sink) -> None:
    hold = rig.aws.hold("DeleteMessageBatch")
    rig.send("to be deleted")
    hold.await_held(rig.tell)
    rig.kill(sink)  # the delete still arrives: it was on its way


def _between_delete_and_its_answer(rig: Rig, sink: Sink) -> None:
    hold = rig.aws.hold("DeleteMessageBatch", after=True)
    rig.send("deleted")
    hold.await_held(rig.tell)
    rig.kill(sink)


def _between_delete_and_event(rig: Rig, sink: Sink) -> None:
    hold = rig.aws.hold("Publish")
    rig.send("to be announced")
    hold.await_held(rig.tell)
    rig.kill(sink)


def _between_event_and_its_mark(rig: Rig, sink: Sink) -> None:
    hold = rig.aws.hold("Publish", after=True)
    rig.send("announced")
    hold.await_held(rig.tell)
    rig.kill(sink)


STAGES = {
    "received": _between_receive_and_write,
    "written": _between_write_and_commit,
    "committed": _between_commit_and_its_answer,
    "to be deleted": _between_commit_and_delete,
    "deleted": _between_delete_and_its_answer,
    "to be announced": _between_delete_and_event,
    "announced": _between_event_and_its_mark,
}


@both_servers
def test_01_sigkill_between_any_two_stages_loses_and_doubles_nothing(rig: MakeRig) -> None:
    one = rig(datasets.monitoring_events(), visibility_timeout_seconds=VISIBILITY_SECONDS)
    for kill in STAGES.values():
        kill(one, one.start_ready())
    one.start()
    one.await_exactly(STAGES)
    one.await_announced()


@pytest.mark.parametrize("place", [Place.BEFORE_COMMIT, Place.AFTER_COMMIT], ids=["before", "after"])
def test_10_a_connection_that_dies_around_the_commit_loses_and_doubles_nothing(
    rig: MakeRig, place: Place
) -> None:
    one = rig(datasets.monitoring_events())
    one.start_ready()
    trap = one.postgres.cut_at(place, times=3)
    services = [f"s{number}" for number in range(25)]
    one.send(*services, together=5)
    trap.await_sprung()
    one.await_exactly(services)
    assert trap.left == 0
