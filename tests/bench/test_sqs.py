"""The benchmarks' own SQS server, by boto3: it must be fast, and what it does do as SQS does."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from bench.sqs.ceiling import ceiling
from bench.sqs.client import REGION, Server, running_server


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server() as running:
        yield running


@pytest.fixture
def sqs(server: Server) -> Iterator[Any]:
    server.control("forget")
    client = boto3.client(
        "sqs",
        region_name=REGION,
        endpoint_url=server.endpoint,
        aws_access_key_id="bench",
        aws_secret_access_key="bench",
    )
    yield client
    client.close()


def receive(sqs: Any, server: Server, **more: Any) -> list[dict[str, Any]]:
    answer = sqs.receive_message(
        QueueUrl=server.queue_url("buffer"), MessageSystemAttributeNames=["All"], **more
    )
    return answer.get("Messages", [])


def test_a_message_is_received_once_and_deleted(sqs: Any, server: Server) -> None:
    url = sqs.get_queue_url(QueueName="buffer")["QueueUrl"]
    assert url == server.queue_url("buffer")
    before = int(time.time() * 1000)
    sqs.send_message(QueueUrl=url, MessageBody='{"a": "\u00fc\\u0000\n"}')
    (message,) = receive(sqs, server)
    assert message["Body"] == '{"a": "\u00fc\\u0000\n"}'
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"
    assert before <= int(message["Attributes"]["SentTimestamp"]) <= int(time.time() * 1000)
    assert receive(sqs, server) == []
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    assert server.counts()["deleted"] == 1
    assert server.counts()["in_flight"] == 0


def test_a_message_that_is_given_back_comes_again_and_is_counted(sqs: Any, server: Server) -> None:
    url = server.queue_url("buffer")
    sqs.send_message_batch(
        QueueUrl=url, Entries=[{"Id": str(n), "MessageBody": f"body {n}"} for n in range(3)]
    )
    found = receive(sqs, server, MaxNumberOfMessages=10)
    assert [message["Body"] for message in found] == ["body 0", "body 1", "body 2"]
    entries = [{"Id": "x", "ReceiptHandle": found[1]["ReceiptHandle"], "VisibilityTimeout": 0}]
    sqs.change_message_visibility_batch(QueueUrl=url, Entries=entries)
    (again,) = receive(sqs, server)
    assert (again["MessageId"], again["Body"]) == (found[1]["MessageId"], "body 1")
    assert again["Attributes"]["ApproximateReceiveCount"] == "2"
    assert again["ReceiptHandle"] != found[1]["ReceiptHandle"]


def test_what_is_neither_deleted_nor_kept_comes_again(sqs: Any, server: Server) -> None:
    url = server.queue_url("buffer")
    sqs.send_message(QueueUrl=url, MessageBody="late")
    (first,) = receive(sqs, server, VisibilityTimeout=1)
    (again,) = receive(sqs, server, WaitTimeSeconds=20)
    assert again["MessageId"] == first["MessageId"]


def test_a_long_poll_ends_when_a_message_arrives(sqs: Any, server: Server) -> None:
    found: list[dict[str, Any]] = []
    poll = threading.Thread(target=lambda: found.extend(receive(sqs, server, WaitTimeSeconds=20)))
    poll.start()
    while not server.counts()["receives"]:
        pass
    server.control("load", messages=1, records=2, dataset="alert_events")
    assert found == []
    server.control("release")
    poll.join()
    assert found[0]["Body"].startswith('{"dataset":"alert_events","records":[{')


def test_a_rewound_queue_gives_the_same_messages_again(sqs: Any, server: Server) -> None:
    server.control("load", messages=15, records=1, dataset="")
    server.control("release")
    first = [receive(sqs, server, MaxNumberOfMessages=10), receive(sqs, server, MaxNumberOfMessages=10)]
    assert [len(found) for found in first] == [10, 5]
    server.control("rewind")
    assert receive(sqs, server) == []
    server.control("release")
    again = receive(sqs, server, MaxNumberOfMessages=10)
    assert [message["MessageId"] for message in again] == [message["MessageId"] for message in first[0]]
    assert {message["Attributes"]["ApproximateReceiveCount"] for message in again} == {"1"}


def test_the_paced_producer_sends_what_it_was_asked_for(sqs: Any, server: Server) -> None:
    server.control("pace", rate=200, seconds=0.1, records=1, dataset="")
    found: list[dict[str, Any]] = []
    while len(found) < 20:
        found += receive(sqs, server, MaxNumberOfMessages=10, WaitTimeSeconds=20)
    assert len({message["Body"] for message in found}) == 20


def test_an_unknown_action_is_refused(sqs: Any, server: Server) -> None:
    with pytest.raises(sqs.exceptions.ClientError, match="UnsupportedOperation"):
        sqs.purge_queue(QueueUrl=server.queue_url("buffer"))


def test_the_ceiling_drains_everything(server: Server) -> None:
    assert "messages/s" in ceiling(server, 500, 1)
