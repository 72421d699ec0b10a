"""Deletes that fail for longer than all receives of a message last, while everything else works."""

from __future__ import annotations

from collections import Counter

from tests.faults.servers import MakeRig, both_servers
from tests.sink import datasets
from tests.support.proxies.behaviours import refuse

VISIBILITY_SECONDS = 2
RECEIVES = 2
EXTENSIONS = 3 * RECEIVES + 1  # a third of the timeout apart: longer than all receives' timeouts together


@both_servers
def test_40_what_is_written_and_cannot_be_deleted_is_kept_and_never_dead_lettered(rig: MakeRig) -> None:
    """It would come again and again, to be written for nothing, until SQS took it for a dead letter."""
    one = rig(
        datasets.monitoring_events(),
        visibility_timeout_seconds=VISIBILITY_SECONDS,
        max_receive_count=RECEIVES,
    )
    away = one.aws.on("DeleteMessageBatch", refuse("InternalFailure", 500))
    sink = one.start_ready()
    one.send("written")
    away.await_used(tell=one.tell)
    one.send("meanwhile")
    one.until(lambda: max(one.aws.extended().values(), default=0) >= EXTENSIONS)
    away.end()
    one.await_exactly(["written", "meanwhile"])
    assert set(Counter(one.aws.received()).values()) == {1}
    assert sink.process.poll() is None
