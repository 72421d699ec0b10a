"""Messages in hand stay hidden for as long as they are in hand, and no longer; and what is in hand is bounded."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.faults.rig import Rig
from tests.faults.servers import MakeRig, both_servers
from tests.sink import datasets
from tests.sink.deployment import Sink
from tests.sink.messages import monitored

VISIBILITY_SECONDS = 2
# A third of the timeout lies between two: so many are longer than two timeouts.
EXTENSIONS = 7
MEBIBYTE = 1 << 20
PADDED = 100  # messages of nearly a mebibyte
BOUND = 512 * MEBIBYTE  # the memory of Fargate's smallest task


@both_servers
def test_15_a_backlog_that_takes_longer_than_the_visibility_timeout_drains(rig: MakeRig) -> None:
    """Were each delete too late, each message would come again, and be moved after its second receive."""
    one = rig(
        datasets.monitoring_events(),
        visibility_timeout_seconds=VISIBILITY_SECONDS,
        max_receive_count=2,
        batch_records=10,
    )
    one.add_trigger("PERFORM pg_sleep(0.04)")
    services = [f"s{number}" for number in range(150)]
    one.send(*services, together=5)
    one.start()
    one.await_exactly(services)


@both_servers
def test_15_an_answer_that_comes_after_the_visibility_timeout_is_one_row(rig: MakeRig) -> None:
    """Its receipt is stale by then, and the message is there to be received again."""
    one = rig(datasets.monitoring_events(), visibility_timeout_seconds=1)
    held = one.aws.hold("ReceiveMessage", after=True)
    one.send("a")
    one.start()
    held.await_held(one.tell)
    one.until(lambda: one.deployment.counts(one.deployment.buffer) == (1, 0))
    held.released.set()
    one.await_exactly(["a"])


@both_servers
def test_16_messages_that_wait_in_the_sink_do_not_expire_there(rig: MakeRig) -> None:
    one = rig(datasets.monitoring_events(), visibility_timeout_seconds=VISIBILITY_SECONDS, batch_records=5)
    one.start_ready()
    services = [f"s{number}" for number in range(20)]
    with one.locked_table():
        one.send(*services)
        one.until(lambda: max(one.aws.extended().values(), default=0) >= EXTENSIONS)
        early = one.aws.received()
    one.await_exactly(services)
    received = Counter(one.aws.received())
    assert {received[message_id] for message_id in early} == {1}


def test_17_no_heartbeat_comes_after_the_delete(rig: MakeRig) -> None:
    one = rig(datasets.monitoring_events(), visibility_timeout_seconds=VISIBILITY_SECONDS)
    one.start_ready()
    one.send("early")
    one.deployment.await_drained()
    with one.locked_table():
        one.send("late")
        one.until(lambda: max(one.aws.extended().values(), default=0) >= EXTENSIONS)
    one.await_exactly(["early", "late"])
    deleted = {
        receipt: call.ended or call.began
        for call in one.aws.of("DeleteMessageBatch")
        for receipt in call.receipts()
    }
    assert len(deleted) == 2
    late = [
        receipt
        for call in one.aws.of("ChangeMessageVisibilityBatch")
        for receipt in call.receipts() & deleted.keys()
        if call.began > deleted[receipt]
    ]
    assert late == []


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_28_the_memory_of_a_sink_is_bounded_whatever_the_backlog(rig: MakeRig) -> None:
    one = rig(datasets.monitoring_events())
    sink = one.start_ready()
    body = {"dataset": "monitoring_events", "records": [monitored("s", labels={"pad": "x" * 1_000_000})]}
    text = json.dumps(body)
    with one.locked_table():
        one.send_body(*[text] * PADDED)
        one.until(lambda: one.is_blocked() and _receives_no_more(one))
        held = len(one.aws.received())
    one.deployment.await_drained()
    assert held < PADDED, "the rest stayed in the queue"
    assert len(one.stored()) == PADDED
    assert _peak(sink) < BOUND


def _receives_no_more(one: Rig) -> bool:
    """Whether it has answers to all of its receives, and asks for no more until it has written."""
    calls = one.aws.of("ReceiveMessage")
    if any(call.ended is None for call in calls):
        return False
    visible, held = one.deployment.counts(one.deployment.buffer)
    return visible > 0 and visible + held == PADDED and held == len(one.aws.received())


def _peak(sink: Sink) -> int:
    """The most memory that the process has had so far, in bytes."""
    lines = Path(f"/proc/{sink.process.pid}/status").read_text().splitlines()
    [peak] = [line for line in lines if line.startswith("VmHWM:")]
    return int(peak.split()[1]) * 1024
