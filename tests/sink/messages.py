"""Messages as tests write them, and as SQS would have delivered them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sink_runtime.records.delivery import Delivery
from sink_runtime.sqs.queue import Received

START = datetime(2024, 5, 1, 12, 0, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Message:
    """An envelope of `records`, sent `sent` milliseconds after START by `sender`; `body` stands for the envelope."""

    records: tuple[Any, ...] = ()
    dataset: str = "alert_events"
    sent: int = 0
    sender: str = "AROAEXAMPLE:monitor"
    message_id: str = field(default_factory=lambda: str(uuid4()))
    envelope: dict[str, Any] = field(default_factory=dict)
    body: bytes | None = None
    receives: int = 1

    def received(self) -> Received:
        envelope = {"dataset": self.dataset, "records": list(self.records)} | self.envelope
        return Received(
            message_id=self.message_id,
            receipt=f"receipt of {self.message_id} {uuid4()}",
            body=json.dumps(envelope).encode() if self.body is None else self.body,
            sent_ms=round(START.timestamp() * 1000) + self.sent,
            sender=self.sender,
            receives=self.receives,
        )


def admitted(delivery: Delivery) -> list[Any]:
    """The admitted records of a delivery, as plain JSON values."""
    return [json.loads(text) for text in delivery.texts()]


def numbered(number: int) -> str:
    """The uuid of a small number: sorts as the number does."""
    return str(UUID(int=number))


def alert(key: str = "cpu", severity: str = "info", **more: Any) -> dict[str, Any]:
    """A valid record of `alert_events`."""
    return {
        "org_id": "6f1f0f0e-6a53-4d0d-9c0a-0a4f3ad8e1aa",
        "dedupe_key": key,
        "severity": severity,
        "raised_at": "2024-05-01T12:00:00.123456Z",
    } | more


def signal(subject: str = "a", observed: int = 0, **more: Any) -> dict[str, Any]:
    """A valid record of `integrity_signals`, observed so many seconds after START."""
    moment = START + timedelta(seconds=observed)
    return {"subject": subject, "check_name": "hash", "observed_at": moment.isoformat()} | more


def account(number: int, **more: Any) -> dict[str, Any]:
    """A valid record of `accounts`."""
    return {"id": number} | more


def monitored(service: str = "api", **more: Any) -> dict[str, Any]:
    """A valid record of `monitoring_events`."""
    return {"service": service, "at": "2024-05-01T12:00:00Z"} | more
