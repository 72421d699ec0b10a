"""The Queue of SQS, over a Wire: entries in calls of ten, per-entry failures read and returned."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

import orjson

from sink_runtime.sqs.lanes import Lanes, Tag
from sink_runtime.sqs.queue import (
    BATCH_ENTRIES,
    MAX_MESSAGE_BYTES,
    EntryFailure,
    Outgoing,
    Received,
    RoomT,
)
from sink_runtime.sqs.wire import QueueFault, Wire

_SYSTEM_ATTRIBUTES = ["SentTimestamp", "SenderId", "ApproximateReceiveCount"]
_DEAD_LETTER_ATTRIBUTE = "sluice"

Item = TypeVar("Item")
_new = tuple.__new__


def endpoint_of(queue_url: str) -> str:
    """The service's address, as the queue's URL has it."""
    parts = urlsplit(queue_url)
    return f"{parts.scheme}://{parts.netloc}/"


class SqsQueue:
    """One SQS queue; not for several threads at once."""

    def __init__(self, url: str, wire: Wire) -> None:
        self._url = url
        self._wire = wire

    def receive(self, wait_seconds: int) -> Sequence[Received]:
        """Up to ten messages, waiting up to `wait_seconds` (0 to 20) for the first."""
        return _messages(self._wire.call("ReceiveMessage", _receive(self._url, wait_seconds), wait_seconds))

    def delete(self, messages: Sequence[Received]) -> Sequence[EntryFailure]:
        """Delete messages, any number of them."""
        return self._in_batches(
            "DeleteMessageBatch", messages, lambda message: {"ReceiptHandle": message.receipt}
        )

    def hide(self, messages: Sequence[Received], seconds: int) -> Sequence[EntryFailure]:
        """Keep messages invisible for `seconds` from now; 0 gives them back."""
        return self._in_batches(
            "ChangeMessageVisibilityBatch",
            messages,
            lambda message: {"ReceiptHandle": message.receipt, "VisibilityTimeout": seconds},
        )

    def send(self, messages: Sequence[Outgoing]) -> Sequence[EntryFailure]:
        """Send messages, any number of them, as many in a call as its size permits."""
        return self._in_batches("SendMessageBatch", messages, _sent, lambda message: message.size)

    def _in_batches(
        self,
        action: str,
        items: Sequence[Item],
        entry: Callable[[Item], dict[str, Any]],
        weight: Callable[[Item], int] = lambda _: 0,
    ) -> Sequence[EntryFailure]:
        failures: list[EntryFailure] = []
        for batch in _batches(items, weight):
            entries = [{"Id": str(index), **entry(item)} for index, item in batch]
            answer = self._wire.call(action, {"QueueUrl": self._url, "Entries": entries})
            failures += _failures(answer, [index for index, _ in batch])
        return failures


class _InLanes(Generic[Tag]):
    """Calls of one kind, several at a time."""

    def __init__(self, wires: Sequence[Wire]) -> None:
        self._lanes: Lanes[Tag] = Lanes(wires)

    @property
    def free(self) -> int:
        """How many more may start."""
        return self._lanes.free

    @property
    def busy(self) -> int:
        """How many are under way."""
        return self._lanes.busy


class SqsReceives(_InLanes[RoomT]):
    """Receives from one queue, several at a time; for one thread."""

    def __init__(self, url: str, wires: Sequence[Wire]) -> None:
        super().__init__(wires)
        self._body = lru_cache(lambda wait_seconds: orjson.dumps(_receive(url, wait_seconds)))

    def start(self, wait_seconds: int, room: RoomT) -> None:
        """Begin a receive of up to ten messages into `room`. Raises Fault where there are no credentials."""
        self._lanes.start(room, "ReceiveMessage", self._body(wait_seconds), wait_seconds, room)

    def send(self) -> None:
        """Have those that were started leave now, not only when `finished` is asked."""
        self._lanes.send()

    def finished(self, seconds: float) -> list[tuple[RoomT, Sequence[Received] | QueueFault]]:
        """What each receive brought that has ended, with its room; waits up to `seconds` for the first."""
        return [
            (room, answer if isinstance(answer, QueueFault) else _messages(answer))
            for room, answer in self._lanes.finished(seconds)
        ]


class SqsDeletes(_InLanes[list[Received]]):
    """Deletes from one queue, several calls of up to ten at a time; for one thread."""

    def __init__(self, url: str, wires: Sequence[Wire]) -> None:
        super().__init__(wires)
        self._url = url

    def start(self, messages: list[Received]) -> None:
        """Begin to delete up to ten messages. Raises Fault where there are no credentials."""
        entries = [{"Id": str(n), "ReceiptHandle": message.receipt} for n, message in enumerate(messages)]
        body = orjson.dumps({"QueueUrl": self._url, "Entries": entries})
        self._lanes.start(messages, "DeleteMessageBatch", body)

    def finished(self, seconds: float) -> list[tuple[list[Received], Sequence[EntryFailure] | QueueFault]]:
        """Each delete that has ended, with what failed of it; waits up to `seconds` for the first."""
        return [
            (messages, answer if isinstance(answer, QueueFault) else _failures(answer, range(len(messages))))
            for messages, answer in self._lanes.finished(seconds)
        ]


def _receive(url: str, wait_seconds: int) -> dict[str, Any]:
    return {
        "QueueUrl": url,
        "MaxNumberOfMessages": BATCH_ENTRIES,
        "WaitTimeSeconds": wait_seconds,
        "MessageSystemAttributeNames": _SYSTEM_ATTRIBUTES,
        "MessageAttributeNames": [_DEAD_LETTER_ATTRIBUTE],
    }


def _messages(answer: dict[str, Any]) -> list[Received]:
    return [_received(message) for message in answer.get("Messages") or ()]


def _failures(answer: dict[str, Any], asked: Sequence[int]) -> list[EntryFailure]:
    """What failed of the entries asked for. One of which the answer says nothing was not done: not every 200 is SQS'."""
    failed = [_failure(entry) for entry in answer.get("Failed") or ()]
    done = answer.get("Successful") or ()
    told = {failure.index for failure in failed}.union([int(entry["Id"]) for entry in done])
    return failed + [
        EntryFailure(index, "NotAnswered", permanent=False) for index in asked if index not in told
    ]


def _batches(items: Sequence[Item], weight: Callable[[Item], int]) -> Iterator[list[tuple[int, Item]]]:
    """Runs of up to ten items and 1 MiB, each item with its index, which is its entry's distinct id."""
    batch: list[tuple[int, Item]] = []
    size = 0
    for index, item in enumerate(items):
        if batch and (len(batch) == BATCH_ENTRIES or size + weight(item) > MAX_MESSAGE_BYTES):
            yield batch
            batch, size = [], 0
        batch.append((index, item))
        size += weight(item)
    if batch:
        yield batch


def _sent(message: Outgoing) -> dict[str, Any]:
    attributes = {
        name: {"DataType": "String", "StringValue": value}
        for name, value in sorted(message.attributes.items())
    }
    return {"MessageBody": message.body, "MessageAttributes": attributes}


def _failure(entry: dict[str, Any]) -> EntryFailure:
    return EntryFailure(int(entry["Id"]), str(entry.get("Code")), permanent=bool(entry.get("SenderFault")))


def _received(message: dict[str, Any]) -> Received:
    system = message["Attributes"]
    own = message.get("MessageAttributes")
    return _new(  # as Received(...) does, for half its cost
        Received,
        (
            message["MessageId"],
            message["ReceiptHandle"],
            _bytes(message["Body"]),
            int(system["SentTimestamp"]),
            system["SenderId"],
            int(system["ApproximateReceiveCount"]),
            _replays(own) if own else 0,
        ),
    )


def _bytes(body: str) -> bytes:
    try:
        return body.encode()
    except UnicodeEncodeError:  # half a surrogate pair, which the decoder will reject
        return body.encode("utf-8", "surrogatepass")


def _replays(attributes: dict[str, Any]) -> int:
    """The replay count of a message that an operator sent again; 0 where there is none to read."""
    try:
        told = json.loads(attributes[_DEAD_LETTER_ATTRIBUTE]["StringValue"])["replays"]
    except (KeyError, TypeError, ValueError, RecursionError):
        return 0
    return told if isinstance(told, int) else 0
