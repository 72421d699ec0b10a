"""Rejections -> dead letters: each ready to be sent again, and telling why it is here.

The body is an envelope with the one record as it came and its `origin`; what could not be read goes as it is. Two
attributes: `reason`, a code, and `sluice`, JSON with the particulars.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from sink_runtime.plan import SinkPlan
from sink_runtime.records.decoder import Json, decode
from sink_runtime.records.delivery import Delivery, Refused
from sink_runtime.records.encoder import as_it_came, encode
from sink_runtime.records.envelope import is_bare
from sink_runtime.records.reasons import RejectedError, Rejection
from sink_runtime.sqs.queue import Outgoing

TEXT_BYTES = 512  # of each free text in the `sluice` attribute
_SCHEMA_HASH = re.compile(r"sha256:[0-9a-f]{64}")


class DeadLetters:
    """Writes the dead letters of one plan; `sink_version` is the sink's own."""

    def __init__(self, plan: SinkPlan, plan_sha256: str, sink_version: str) -> None:
        self._plan = plan
        self._plan_sha256 = plan_sha256
        self._sink_version = sink_version

    def of(self, delivery: Delivery, refused: list[Refused]) -> Iterator[Outgoing]:
        """A letter for each rejection of a delivery; its body is read again only where a record must be cut out."""
        records = self._records(delivery) if any(one.index is not None for one in refused) else None
        for one in refused:
            body = (
                None
                if records is None or one.index is None
                else self._wrapped(delivery, one, records[one.index])
            )
            yield Outgoing(
                body if body is not None else delivery.message.body.decode(errors="replace"),
                {"reason": str(one.rejection.reason), "sluice": self._particulars(delivery, one.rejection)},
            )

    def _records(self, delivery: Delivery) -> list[Json] | None:
        """The body's records with their numbers as they came, or as they were read where it is nested too deeply for that;
        None where it cannot be read again at all.
        """
        body = delivery.message.body
        try:
            value = as_it_came(body)
        except RecursionError:
            try:
                value, _ = decode(body, len(body), self._plan.max_depth)
            except RejectedError:
                return None
        records: list[Json] = [value] if is_bare(value, self._plan) else value["records"]
        return records

    def _wrapped(self, delivery: Delivery, refused: Refused, record: Json) -> str:
        message = delivery.message
        envelope: dict[str, Json] = {"dataset": self._plan.dataset}
        if delivery.schema and _SCHEMA_HASH.fullmatch(delivery.schema):
            envelope["schema"] = delivery.schema
        envelope["records"] = [record]
        envelope["origin"] = {
            "id": delivery.identity,
            "position": refused.position,
            "sent_at": delivery.sent_text,
            "sender": delivery.sender,
            "message_id": message.message_id,
        }
        return _sendable(encode(envelope))

    def _particulars(self, delivery: Delivery, rejection: Rejection) -> str:
        told = {
            "pointer": rejection.pointer,
            "sqlstate": rejection.sqlstate,
            "text": _cut(rejection.text),
            "plan": self._plan_sha256,
            "sink": self._sink_version,
            "receives": delivery.message.receives,
            "replays": delivery.message.replays,
        }
        if rejection.pointer is not None:
            told["pointer"] = _cut(rejection.pointer)
        # ASCII, since an attribute takes no control character, and a pointer may hold any.
        return json.dumps({name: value for name, value in told.items() if value is not None}, sort_keys=True)


def _sendable(body: bytes) -> str:
    """The body with the two characters escaped that JSON may hold and SQS does not take."""
    return body.decode().replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")


def _cut(text: str) -> str:
    return text.encode(errors="replace")[:TEXT_BYTES].decode(errors="ignore")
