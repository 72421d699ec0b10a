"""What one message brought: admitted records with their identity, and what was rejected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sink_runtime.records.encoder import as_it_came, encode
from sink_runtime.records.reasons import Rejection
from sink_runtime.sqs.queue import Received


@dataclass(frozen=True, slots=True)
class Refused:
    """A rejected record. `index` is its place in the body's records, None where the body itself is rejected;
    `position` is its identity's, which a dead letter keeps through replays.
    """

    index: int | None
    position: int
    rejection: Rejection


class Delivery(NamedTuple):
    """One message, read. Its records' identity is (`identity`, a uuid; each one's position).

    `payload` is the admitted records' JSON text, joined by commas. `positions` and `indexes` are parallel to them: the
    second half of each one's identity, and its place in the body. `sent_text` and `sender` are those of the records,
    which a believed dead letter keeps from before its replay; `schema` is the envelope's. `weight` counts all its records,
    `size` the bytes that it holds in memory, roughly.
    """

    message: Received
    identity: str
    sent_text: str
    sender: str
    schema: str | None
    payload: bytes
    positions: Sequence[int]
    indexes: Sequence[int]
    refused: Sequence[Refused]
    weight: int
    size: int

    def texts(self) -> list[bytes]:
        """The admitted records one by one, each as JSON text with its numbers as they are in `payload`."""
        return [encode(record) for record in as_it_came(b"[" + self.payload + b"]")]

    def __repr__(self) -> str:
        """Without the records: none of them may end in a log."""
        return f"Delivery({self.message!r}, admitted={len(self.indexes)}, refused={len(self.refused)})"
