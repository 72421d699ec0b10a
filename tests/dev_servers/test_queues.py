"""The emulator's queues keep, refuse and deliver what SQS does."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from dev.emulator.client import EmulatorSession, assume, session
from dev.emulator.state import EmulatorState
from tests.support.emulator import Role, allow

MIB = 1_048_576


@pytest.fixture
def sqs(admin: EmulatorSession) -> Any:
    return admin.client("sqs")


@pytest.fixture
def url(sqs: Any, unique: str) -> str:
    created: str = sqs.create_queue(QueueName=unique)["QueueUrl"]
    return created


def attributes(sqs: Any, url: str) -> dict[str, str]:
    found: dict[str, str] = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return found


def test_sender_id_is_that_of_the_signing_credentials(
    emulator: EmulatorState, admin: EmulatorSession, sqs: Any, url: str, make_role: Callable[..., Role]
) -> None:
    role = make_role(allow("sqs:SendMessage", "*"))
    sender = session(emulator, assume(emulator, role.arn, "my-session")).client("sqs")
    sender.send_message(QueueUrl=url, MessageBody="single")
    sender.send_message_batch(QueueUrl=url, Entries=[{"Id": "a", "MessageBody": "batch"}])
    sqs.send_message(QueueUrl=url, MessageBody="user")
    answer = sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["SenderId"]
    )
    found = {message["Body"]: message["Attributes"]["SenderId"] for message in answer["Messages"]}
    user = admin.client("sts").get_caller_identity()["UserId"]
    assert found == {"single": f"{role.id}:my-session", "batch": f"{role.id}:my-session", "user": user}


def test_policies_stay_until_they_are_changed(sqs: Any, url: str) -> None:
    arn = attributes(sqs, url)["QueueArn"]
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sqs:*",
        "Resource": arn,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    allowed = json.dumps({"redrivePermission": "byQueue", "sourceQueueArns": [arn]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": document, "RedriveAllowPolicy": allowed})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "120"})
    found = attributes(sqs, url)
    assert json.loads(found["Policy"]) == json.loads(document)
    assert json.loads(found["RedriveAllowPolicy"]) == json.loads(allowed)
    assert found["VisibilityTimeout"] == "120"
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": "", "RedriveAllowPolicy": ""})
    assert not {"Policy", "RedriveAllowPolicy"} & attributes(sqs, url).keys()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("VisibilityTimeout", "43201"),
        ("VisibilityTimeout", "soon"),
        ("MaximumMessageSize", "1048577"),
        ("MessageRetentionPeriod", "59"),
        ("ReceiveMessageWaitTimeSeconds", "21"),
        ("DelaySeconds", "-1"),
        ("SqsManagedSseEnabled", "perhaps"),
        ("Policy", "not json"),
        ("RedriveAllowPolicy", '{"redrivePermission": "sometimes"}'),
        ("RedriveAllowPolicy", '{"redrivePermission": "byQueue", "sourceQueueArns": []}'),
        ("RedrivePolicy", '{"deadLetterTargetArn": "arn:aws:sqs:eu-central-1:1:x", "maxReceiveCount": 1001}'),
    ],
)
def test_nonsense_attribute_values_are_refused(sqs: Any, url: str, name: str, value: str) -> None:
    before = attributes(sqs, url)
    with pytest.raises(ClientError, match="InvalidAttributeValue"):
        sqs.set_queue_attributes(QueueUrl=url, Attributes={name: value})
    assert attributes(sqs, url) == before


def test_unknown_attributes_are_refused(sqs: Any, url: str) -> None:
    with pytest.raises(ClientError, match="InvalidAttributeName"):
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"MaxReceiveCount": "5"})


def test_a_message_moves_to_the_dead_letter_queue_on_the_receive_after_the_limit(
    sqs: Any, url: str, unique: str
) -> None:
    dead = sqs.create_queue(QueueName=f"{unique}-dead")["QueueUrl"]
    redrive = {"deadLetterTargetArn": attributes(sqs, dead)["QueueArn"], "maxReceiveCount": 2}
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": json.dumps(redrive)})
    sqs.send_message(QueueUrl=url, MessageBody="poison")
    for _ in range(2):
        message = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"][0]
        assert "Messages" not in sqs.receive_message(QueueUrl=dead)
        sqs.change_message_visibility(
            QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
        )
    assert "Messages" not in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1)
    assert [m["Body"] for m in sqs.receive_message(QueueUrl=dead, WaitTimeSeconds=5)["Messages"]] == [
        "poison"
    ]


def test_sizes_are_counted_in_bytes_with_the_message_attributes(sqs: Any, unique: str) -> None:
    url = sqs.create_queue(QueueName=unique, Attributes={"MaximumMessageSize": "1024"})["QueueUrl"]
    attribute = {"reason": {"DataType": "String", "StringValue": "x"}}  # 6 + 6 + 1 bytes
    sqs.send_message(QueueUrl=url, MessageBody="é" * 512)
    sqs.send_message(QueueUrl=url, MessageBody="x" * 1011, MessageAttributes=attribute)
    for body, more in (("é" * 513, {}), ("x" * 1012, {"MessageAttributes": attribute})):
        with pytest.raises(ClientError, match="shorter than 1024 bytes"):
            sqs.send_message(QueueUrl=url, MessageBody=body, **more)


def test_one_mebibyte_is_the_limit_of_a_message_and_of_a_batch(sqs: Any, url: str) -> None:
    sqs.send_message(QueueUrl=url, MessageBody="x" * MIB)
    half = "é" * (MIB // 4)
    entries = [{"Id": str(index), "MessageBody": half} for index in range(2)]
    assert len(sqs.send_message_batch(QueueUrl=url, Entries=entries)["Successful"]) == 2
    entries[1]["MessageBody"] += "x"
    with pytest.raises(ClientError, match="BatchRequestTooLong"):
        sqs.send_message_batch(QueueUrl=url, Entries=entries)


def test_a_bad_entry_fails_alone(sqs: Any, unique: str) -> None:
    url = sqs.create_queue(QueueName=unique, Attributes={"MaximumMessageSize": "1024"})["QueueUrl"]
    bodies = {"good": "x", "large": "x" * 1025, "control": "\x0b"}
    answer = sqs.send_message_batch(
        QueueUrl=url, Entries=[{"Id": name, "MessageBody": body} for name, body in bodies.items()]
    )
    assert [entry["Id"] for entry in answer["Successful"]] == ["good"]
    assert {entry["Id"]: entry["Code"] for entry in answer["Failed"]} == {
        "large": "InvalidParameterValue",
        "control": "InvalidMessageContents",
    }


def test_a_body_holds_xml_characters_only(sqs: Any, url: str) -> None:
    for body in ("\x00", "\x0b", "\ufffe"):
        with pytest.raises(ClientError, match="InvalidMessageContents"):
            sqs.send_message(QueueUrl=url, MessageBody=body)
    sqs.send_message(QueueUrl=url, MessageBody='{"a": "\\u0000 \U0001f600"}')


def test_entries_are_distinct_and_at_most_ten(sqs: Any, url: str) -> None:
    handle = {"ReceiptHandle": "h"}
    for entries, error in (
        ([{"Id": "a", **handle}, {"Id": "a", "ReceiptHandle": "i"}], "BatchEntryIdsNotDistinct"),
        ([{"Id": str(index), "ReceiptHandle": str(index)} for index in range(11)], "TooManyEntries"),
    ):
        with pytest.raises(ClientError, match=error):
            sqs.delete_message_batch(QueueUrl=url, Entries=entries)
        with pytest.raises(ClientError, match=error):
            sqs.change_message_visibility_batch(
                QueueUrl=url, Entries=[{**entry, "VisibilityTimeout": 1} for entry in entries]
            )


def test_a_long_poll_ends_when_a_message_arrives(sqs: Any, url: str) -> None:
    found: list[Any] = []
    waiting = threading.Thread(
        target=lambda: found.extend(sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"])
    )
    waiting.start()
    sqs.send_message(QueueUrl=url, MessageBody="1")
    waiting.join(timeout=15)
    assert [message["Body"] for message in found] == ["1"]


def in_a_child(program: str) -> str:
    """Run in a process of its own, since the corrections replace moto's functions for good."""
    return subprocess.run(
        [sys.executable, "-c", CORRECTED + program], capture_output=True, text=True, check=True, timeout=120
    ).stdout


CORRECTED = """
import threading
from dev.emulator import corrections
corrections.apply()
from moto.sqs.models import Message, Queue, sqs_backends
backend = sqs_backends["123456789012"]["eu-central-1"]
"""


def test_a_message_sent_during_a_delete_is_kept() -> None:
    # A send is started just where a delete is about to put the queue's new list in place.
    answer = in_a_child("""
armed = []
def put(queue, messages):
    if armed:
        armed.pop()
        sending.start()
        sending.join(0.5)
    queue.__dict__["messages kept"] = messages
Queue._messages = property(lambda queue: queue.__dict__["messages kept"], put)
sending = threading.Thread(target=lambda: backend.send_message("q", "late"))
backend.create_queue("q")
backend.send_message("q", "early")
handle = backend.receive_message("q", 1, 0, 30)[0].receipt_handle
armed.append(True)
backend.delete_message("q", handle)
sending.join()
print([message.body for message in backend.receive_message("q", 10, 0, 30)])
""")
    assert answer.strip() == "['late']"


def test_two_receivers_at_once_get_different_messages() -> None:
    # Each receiver stops just where it is about to hide the message that it chose.
    answer = in_a_child("""
meeting = threading.Barrier(2)
hide = Message.mark_received
def mark_received(message, visibility_timeout=None):
    try:
        meeting.wait(0.5)
    except threading.BrokenBarrierError:
        pass
    hide(message, visibility_timeout=visibility_timeout)
Message.mark_received = mark_received
backend.create_queue("q")
backend.send_message("q", "only")
got = []
receivers = [threading.Thread(target=lambda: got.extend(backend.receive_message("q", 1, 0, 30))) for _ in range(2)]
for receiver in receivers:
    receiver.start()
for receiver in receivers:
    receiver.join()
print([message.body for message in got])
""")
    assert answer.strip() == "['only']"
