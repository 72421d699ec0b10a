"""The dead letters of one dataset, looked at and left where they are."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dev.emulator.client import session
from dev.emulator.state import EmulatorState
from sink_runtime.records.encoder import as_it_came, encode

HIDDEN_SECONDS = 60  # while the queue is read to its end; every letter is shown again at once afterwards
_BATCH = 10


@dataclass(frozen=True)
class Letter:
    """One dead letter. `reason` is a code, None where SQS' own redrive moved the message; `particulars` tells the rest.

    `record` is the refused record's JSON text with its numbers as they came, None where the body holds none that can be
    shown; `origin` says where the record came from. `body` has no half surrogate pairs: they are shown as escapes.
    """

    message_id: str
    reason: str | None
    particulars: Mapping[str, Any]
    origin: Mapping[str, Any]
    record: str | None
    body: str


def letters(state: EmulatorState, dead_letter_url: str, limit: int) -> tuple[Letter, ...]:
    """Up to `limit` letters of the queue, oldest first, as its administrator; none is taken out."""
    client = session(state).client("sqs")
    held: dict[str, dict[str, Any]] = {}
    try:
        while len(held) < limit:
            answer = client.receive_message(
                QueueUrl=dead_letter_url,
                MaxNumberOfMessages=min(_BATCH, limit - len(held)),
                VisibilityTimeout=HIDDEN_SECONDS,
                WaitTimeSeconds=0,
                AttributeNames=["SentTimestamp"],
                MessageAttributeNames=["All"],
            )
            news = {message["MessageId"]: message for message in answer.get("Messages", ())}
            if news.keys() <= held.keys():  # none, or it took so long that the first ones show again
                break
            held |= news
    finally:
        for message in held.values():
            client.change_message_visibility(
                QueueUrl=dead_letter_url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
            )
    in_order = sorted(held.values(), key=lambda message: int(message["Attributes"]["SentTimestamp"]))
    return tuple(_letter(message) for message in in_order)


def _letter(message: Mapping[str, Any]) -> Letter:
    attributes = message.get("MessageAttributes", {})
    body = str(message["Body"]).encode(errors="backslashreplace").decode()
    envelope = _object(body, as_it_came)
    origin = envelope.get("origin")
    reason = attributes.get("reason", {}).get("StringValue")
    particulars = _object(attributes.get("sluice", {}).get("StringValue", ""), json.loads)
    return Letter(
        message["MessageId"],
        reason,
        particulars,
        _object(_text(origin) or "", json.loads),
        _only_record(envelope),
        body,
    )


def _object(text: str, read: Callable[[bytes], Any]) -> dict[str, Any]:
    """The object that the text is; empty where it is none."""
    try:
        value = read(text.encode())
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _only_record(envelope: Mapping[str, Any]) -> str | None:
    records = envelope.get("records")
    return _text(records[0]) if isinstance(records, list) and len(records) == 1 else None


def _text(value: Any) -> str | None:
    """What was read `as_it_came`, as JSON; None for half a surrogate pair, which cannot be shown."""
    try:
        return encode(value).decode()
    except TypeError:
        return None
