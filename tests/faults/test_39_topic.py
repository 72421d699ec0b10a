"""A topic that is away keeps no record from being written, whatever answers in its place."""

from __future__ import annotations

from tests.faults.servers import MakeRig
from tests.sink import datasets
from tests.support.proxies.behaviours import lose_request, refuse, say


def test_39_what_answers_in_the_topic_s_place_may_say_anything(rig: MakeRig) -> None:
    """A proxy's page is no answer of SNS, and botocore raises something of its own for it."""
    one = rig(datasets.monitoring_events())
    rules = one.aws.in_turn(
        "Publish",
        say(b"<html>Bad Gateway", 502),
        refuse("ServiceUnavailable", 503),
        lose_request,
        say(b"", 200),
    )
    sink = one.start_ready()
    one.send("a", "b")
    one.await_exactly(["a", "b"])
    for rule in rules:
        rule.await_used(tell=one.tell)
    one.await_announced()
    assert sink.process.poll() is None
    assert one.waits(sink)["topic"] >= len(rules) - 1
