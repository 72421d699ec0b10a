"""SQS in the way: sends and deletes that fail, entries that fail, answers that never come, denials and throttles."""

from __future__ import annotations

import json
import time
from collections import Counter
from urllib.parse import parse_qs, urlsplit

from compiler.emit.queues import DEAD_LETTER_RETENTION_SECONDS
from tests.faults.rig import DATASET, Rig
from tests.faults.servers import MakeRig, both_servers
from tests.sink import datasets
from tests.support.proxies.behaviours import (
    deliver_nothing,
    deliver_twice,
    fail_entries,
    lose_answer,
    lose_request,
    refuse,
    say,
)

BAD = json.dumps({"dataset": DATASET, "records": [{"service": "bad"}]})
CALLS_A_SECOND = 20  # of a sink that is refused: far below what a loop without backoff makes
EXIT_DELETE_DENIED = 4


def _numbered(count: int) -> list[str]:
    return [f"s{number}" for number in range(count)]


@both_servers
def test_09_a_dead_letter_that_cannot_be_sent_keeps_its_source(rig: MakeRig) -> None:
    one = rig(datasets.monitoring_events())
    failures = one.aws.in_turn(
        "SendMessageBatch",
        refuse("InternalFailure", 500),
        refuse("AccessDeniedException", 403),
        fail_entries("InternalError"),
        lose_request,
    )
    one.send_body(BAD)
    one.start()
    for failure in failures:
        failure.await_used(tell=one.tell)
    one.deployment.await_drained()
    [letter] = one.letters(1)
    assert json.loads(letter["Body"])["records"] == [{"service": "bad"}]
    sent = [
        call
        for call in one.aws.of("SendMessageBatch")
        if call.answer and "Successful" in call.answer.document()
    ]
    [deleted] = one.aws.of("DeleteMessageBatch")
    assert sent[-1].ended is not None
    assert sent[-1].ended <= deleted.began


@both_servers
def test_18_entries_of_a_delete_have_distinct_ids_and_duplicates_are_one_row(rig: MakeRig) -> None:
    one = rig(datasets.monitoring_events())
    one.aws.on("ReceiveMessage", deliver_twice)
    services = _numbered(15)
    one.send(*services)
    one.start()
    one.await_exactly(services)
    for call in one.aws.of("DeleteMessageBatch"):
        ids = [entry["Id"] for entry in call.entries()]
        assert len(ids) == len(set(ids)) <= 10


@both_servers
def test_19_each_failed_entry_is_sent_and_deleted_again(rig: MakeRig) -> None:
    one = rig(datasets.monitoring_events())
    deletes = one.aws.in_turn(
        "DeleteMessageBatch",
        fail_entries("InternalError", chosen=lambda entries: entries[::2]),
        fail_entries("InternalError", done=True),
        fail_entries("ServiceUnavailable"),
    )
    sends = one.aws.in_turn(
        "SendMessageBatch", fail_entries("InternalError", chosen=lambda entries: entries[:1])
    )
    services = _numbered(12)
    one.send(*services)
    one.send_body(*[BAD.replace("bad", f"bad {number}") for number in range(3)])
    one.start()
    for rule in (*deletes, *sends):
        rule.await_used(tell=one.tell)
    one.deployment.await_drained()
    assert one.stored() == sorted(services)
    one.check_commits()
    bad = [json.loads(letter["Body"])["records"][0]["service"] for letter in one.letters(3)]
    assert sorted(bad) == ["bad 0", "bad 1", "bad 2"]
    assert max(Counter(one.aws.received()).values()) == 1, "none had to come again"


@both_servers
def test_20_a_sink_that_may_not_delete_ends_and_says_so(rig: MakeRig) -> None:
    one = rig(datasets.monitoring_events(), visibility_timeout_seconds=2)
    allow = _deny_deletes(one)
    one.send("a", "b")
    sink = one.start()
    assert sink.process.wait(60) == EXIT_DELETE_DENIED
    assert "deleting messages is denied" in sink.log.read_text()
    assert sum(one.deployment.counts(one.deployment.buffer)) == 2
    allow()
    one.start()
    one.await_exactly(["a", "b"])


def _deny_deletes(one: Rig):
    """Take the right to delete; returns what gives it back. By IAM itself where the server has it."""
    if not one.server.enforces_iam:
        return one.aws.on("DeleteMessageBatch", refuse("AccessDeniedException", 403)).end
    address = one.deployment.environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"]
    role = parse_qs(urlsplit(address).query)["role"][0].rpartition("/")[2]
    iam = one.server.session().client("iam")
    denial = {"Effect": "Deny", "Action": "sqs:DeleteMessage", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [denial]})
    iam.put_role_policy(RoleName=role, PolicyName="denial", PolicyDocument=document)
    return lambda: iam.delete_role_policy(RoleName=role, PolicyName="denial")


@both_servers
def test_21_a_receiver_survives_answers_that_are_none(rig: MakeRig) -> None:
    one = rig(datasets.monitoring_events(), visibility_timeout_seconds=2)
    answers = one.aws.in_turn(
        "ReceiveMessage",
        say(b"<html>bad gateway</html>", 502),
        say(b"<html>a captive portal</html>"),
        say(b'{"Messages": [{"MessageId": "cut o'),
        say(b"[]"),
        lose_request,
        lose_answer,
    )
    services = _numbered(3)
    one.send(*services)
    sink = one.start()
    for answer in answers:
        answer.await_used(tell=one.tell)
    one.await_exactly(services)
    assert one.waits(sink)["buffer"] >= len(answers) - 1


def test_21_a_receive_that_never_answers_does_not_stop_the_sink(rig: MakeRig) -> None:
    one = rig(datasets.monitoring_events())
    held = one.aws.hold("ReceiveMessage")
    one.send("a")
    one.start()
    held.await_held(one.tell)
    one.await_exactly(["a"])


def test_21_a_receiver_that_fails_on_an_answer_never_leaves_an_idle_sink_behind(rig: MakeRig) -> None:
    """It goes on, or the whole process ends with an error, to be started again by what watches it."""
    one = rig(datasets.monitoring_events())
    one.aws.in_turn("ReceiveMessage", say(b'{"Messages": [{"MessageId": "1", "Body": "{}"}]}'))
    one.send("a")
    sink = one.start()
    one.until(lambda: sink.process.poll() is not None or one.stored() == ["a"])
    if sink.process.poll() is not None:
        assert sink.process.returncode != 0
        one.start()
    one.await_exactly(["a"])


def test_22_a_refused_sink_backs_off_and_is_as_fast_as_ever_after_that(rig: MakeRig) -> None:
    one = rig(datasets.monitoring_events())
    rule = one.aws.on("ReceiveMessage", refuse("InternalFailure", 500))
    sink = one.start()
    began = time.monotonic()
    one.await_waiting(sink, "buffer", lines=4)
    calls = len(one.aws.of("ReceiveMessage"))
    assert calls <= CALLS_A_SECOND * (1 + time.monotonic() - began)
    rule.end()
    empty = one.aws.on("ReceiveMessage", deliver_nothing, times=5)
    one.until(lambda: empty.left == 0)
    services = _numbered(30)
    one.send(*services)
    one.await_exactly(services)


@both_servers
def test_23_sigterm_gives_back_what_is_in_hand_and_on_its_way(rig: MakeRig) -> None:
    one = rig(datasets.monitoring_events())
    assert one.store.plan.visibility_timeout_seconds == 120
    sink = one.start_ready()
    with one.locked_table():
        one.send("a", "b", "c")
        one.until(lambda: len(one.aws.received()) == 3 and one.is_blocked())
        sink.process.terminate()
        one.send("d")  # into a long poll that is still under way
        one.until(lambda: one.has_ended(sink))
        assert sink.process.returncode == 0
        assert one.deployment.counts(one.deployment.buffer) == (4, 0)
    one.start()
    one.await_exactly(["a", "b", "c", "d"])


def test_24_throttling_is_waited_for(rig: MakeRig) -> None:
    one = rig(datasets.monitoring_events())
    throttles = (
        refuse("OverLimit", 403),
        refuse("ThrottlingException"),
        refuse("RequestThrottled"),
        refuse("ServiceUnavailable", 503),
    )
    rules = [
        rule
        for action in ("ReceiveMessage", "DeleteMessageBatch", "SendMessageBatch")
        for rule in one.aws.in_turn(action, *throttles)
    ]
    one.send("a")
    one.send_body(BAD)
    sink = one.start()
    for rule in rules:
        rule.await_used(tell=one.tell)
    one.deployment.await_drained()
    assert one.stored() == ["a"]
    assert one.reasons(1) == {"schema_violation": 1}
    assert sink.process.poll() is None


@both_servers
def test_31_a_dead_letter_has_a_clock_of_its_own_and_tells_when_its_record_was_sent(rig: MakeRig) -> None:
    one = rig(datasets.monitoring_events())
    one.send_body(BAD)
    stamp = "SentTimestamp"
    held = one.deployment.sqs.receive_message(
        QueueUrl=one.deployment.buffer, MessageSystemAttributeNames=["All"], VisibilityTimeout=0
    )
    sent = int(held["Messages"][0]["Attributes"][stamp])
    one.start()
    [letter] = one.letters(1)
    origin = json.loads(letter["Body"])["origin"]
    assert int(letter["Attributes"][stamp]) > sent
    assert origin["sent_at"].endswith(f".{sent % 1000:03d}Z")
    assert origin["message_id"] == held["Messages"][0]["MessageId"]


def test_31_a_dead_letter_queue_keeps_for_as_long_as_sqs_can_and_longer_than_any_buffer() -> None:
    """SQS' own redrive keeps the first clock: what it moves at the buffer's end must have time left."""
    assert DEAD_LETTER_RETENTION_SECONDS == 14 * 86_400
    assert datasets.monitoring_events().buffer.retention_days * 86_400 < DEAD_LETTER_RETENTION_SECONDS / 2
