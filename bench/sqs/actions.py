"""The JSON protocol's actions on queues in memory, and as much of SNS and Secrets Manager as a sink asks for."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

from bench.sqs.memory import MemoryQueue

ACCOUNT = "123456789012"


@dataclass(frozen=True)
class Wait:
    """A receive that found nothing and may wait `seconds` for messages; `answer` tries again."""

    queue: MemoryQueue
    seconds: float
    answer: Callable[[], bytes]


@dataclass
class Service:
    """Queues by name, each made when first named. `secret` is every secret's JSON object."""

    endpoint: str = ""
    secret: dict[str, str] = field(default_factory=dict)
    queues: dict[str, MemoryQueue] = field(default_factory=dict)

    def queue(self, url_or_name: str) -> MemoryQueue:
        """The queue, by its URL or name."""
        name = url_or_name.rpartition("/")[2]
        found = self.queues.get(name)
        if found is None:
            found = self.queues[name] = MemoryQueue()
        return found

    def url(self, name: str) -> str:
        """A queue's URL."""
        return f"{self.endpoint}/{ACCOUNT}/{name}"

    def answer(self, action: bytes, body: bytes) -> bytes | Wait | None:
        """The JSON of the answer to `AmazonSQS.<action>` or its like; None where the action is not known."""
        handler = _ACTIONS.get(action)
        return handler(self, orjson.loads(body or b"{}")) if handler else None


def _receive(service: Service, request: dict[str, Any]) -> bytes | Wait:
    queue = service.queue(request["QueueUrl"])
    counts = queue.counts
    counts.receives += 1
    if not counts.first_receive:
        counts.first_receive = time.time()
    limit = request.get("MaxNumberOfMessages", 1)
    visibility = request.get("VisibilityTimeout")
    attributes = bool(request.get("MessageSystemAttributeNames") or request.get("AttributeNames"))

    def take() -> bytes:
        messages = queue.take(limit, visibility, attributes=attributes)
        return b'{"Messages":[' + messages + b"]}" if messages else b""

    found = take()
    if found:
        return found
    counts.empty_receives += 1
    seconds = request.get("WaitTimeSeconds", 0)
    return Wait(queue, seconds, take) if seconds else b"{}"


def _delete_batch(service: Service, request: dict[str, Any]) -> bytes:
    entries = request["Entries"]
    try:
        service.queue(request["QueueUrl"]).delete([entry["ReceiptHandle"] for entry in entries])
    except ValueError:  # a receipt that is none, by which a starting sink asks whether it may delete
        return _failed(entries, "ReceiptHandleIsInvalid")
    return _successful(entries)


def _delete(service: Service, request: dict[str, Any]) -> bytes:
    service.queue(request["QueueUrl"]).delete([request["ReceiptHandle"]])
    return b"{}"


def _hide_batch(service: Service, request: dict[str, Any]) -> bytes:
    queue = service.queue(request["QueueUrl"])
    for entry in request["Entries"]:
        queue.hide(entry["ReceiptHandle"], entry.get("VisibilityTimeout", 0))
    return _successful(request["Entries"])


def _hide(service: Service, request: dict[str, Any]) -> bytes:
    service.queue(request["QueueUrl"]).hide(request["ReceiptHandle"], request["VisibilityTimeout"])
    return b"{}"


def _successful(entries: list[dict[str, Any]]) -> bytes:
    listed = b",".join([b'{"Id":"' + entry["Id"].encode() + b'"}' for entry in entries])
    return b'{"Successful":[' + listed + b'],"Failed":[]}'


def _failed(entries: list[dict[str, Any]], code: str) -> bytes:
    failed = [{"Id": entry["Id"], "Code": code, "SenderFault": True} for entry in entries]
    return orjson.dumps({"Successful": [], "Failed": failed})


def _send(service: Service, request: dict[str, Any]) -> bytes:
    service.queue(request["QueueUrl"]).add([request["MessageBody"]])
    return orjson.dumps(_sent(request))


def _send_batch(service: Service, request: dict[str, Any]) -> bytes:
    entries = request["Entries"]
    if any("\x01" in entry["MessageBody"] for entry in entries):
        return _failed(entries, "InvalidMessageContents")
    service.queue(request["QueueUrl"]).add([entry["MessageBody"] for entry in entries])
    return orjson.dumps(
        {"Successful": [{"Id": entry["Id"], **_sent(entry)} for entry in entries], "Failed": []}
    )


def _sent(request: dict[str, Any]) -> dict[str, str]:
    body = request["MessageBody"].encode()
    return {"MessageId": "sent", "MD5OfMessageBody": hashlib.md5(body, usedforsecurity=False).hexdigest()}


def _url(service: Service, request: dict[str, Any]) -> bytes:
    service.queue(request["QueueName"])
    return orjson.dumps({"QueueUrl": service.url(request["QueueName"])})


def _attributes(service: Service, request: dict[str, Any]) -> bytes:
    queue = service.queue(request["QueueUrl"])
    name = request["QueueUrl"].rpartition("/")[2]
    return orjson.dumps(
        {
            "Attributes": {
                "QueueArn": f"arn:aws:sqs:eu-central-1:{ACCOUNT}:{name}",
                "ApproximateNumberOfMessages": str(len(queue.ready)),
                "ApproximateNumberOfMessagesNotVisible": str(queue.in_flight),
                "ApproximateNumberOfMessagesDelayed": "0",
                "VisibilityTimeout": str(int(queue.visibility_seconds)),
                "MaximumMessageSize": "1048576",
                "MessageRetentionPeriod": "345600",
            }
        }
    )


def _secret(service: Service, request: dict[str, Any]) -> bytes:
    return orjson.dumps(
        {"ARN": request["SecretId"], "Name": "sink", "SecretString": orjson.dumps(service.secret).decode()}
    )


_ACTIONS: dict[bytes, Callable[[Service, dict[str, Any]], bytes | Wait]] = {
    b"ReceiveMessage": _receive,
    b"DeleteMessageBatch": _delete_batch,
    b"DeleteMessage": _delete,
    b"ChangeMessageVisibilityBatch": _hide_batch,
    b"ChangeMessageVisibility": _hide,
    b"SendMessage": _send,
    b"SendMessageBatch": _send_batch,
    b"CreateQueue": _url,
    b"GetQueueUrl": _url,
    b"GetQueueAttributes": _attributes,
    b"GetSecretValue": _secret,
}

# SNS speaks the Query protocol; a sink publishes and reads nothing of the answer but that it is well.
PUBLISHED = (
    b'<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>'
    b"00000000-0000-4000-8000-000000000000</MessageId></PublishResult><ResponseMetadata><RequestId>"
    b"00000000-0000-4000-8000-000000000000</RequestId></ResponseMetadata></PublishResponse>"
)
