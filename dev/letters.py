"""The dead letters of one dataset, looked at and left where they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dev.emulator.client import session
from dev.emulator.state import EmulatorState

HIDDEN_SECONDS = 60  # while the queue is read to its end; every letter is shown again at once afterwards
_BATCH = 10


@dataclass(frozen=True)
class Letter:
    """One dead letter. `reason` is a code, None where SQS' own redrive moved the message; `particulars` tells the rest.

    `record` is the refused record, None where the body could not be read; `origin` says where the record came from.
    """

    message_id: str
    reason: str | None
    particulars: Mapping[str, Any]
    origin: Mapping[str, Any]
    record: Any
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
            if not news:
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
    envelope = _object(message["Body"])
    records = envelope.get("records")
    one = records[0] if isinstance(records, list) and len(records) == 1 else None
    reason = attributes.get("reason", {}).get("StringValue")
    particulars = _object(attributes.get("sluice", {}).get("StringValue", ""))
    return Letter(
        message["MessageId"], reason, particulars, envelope.get("origin", {}), one, str(message["Body"])
    )


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
