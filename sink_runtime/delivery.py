"""What one message brought: admitted records with their identity, and what was rejected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sink_runtime.decoder import Json
from sink_runtime.queue import Received
from sink_runtime.reasons import Rejection


@dataclass(frozen=True)
class Refused:
    """A rejected record. `index` is its place in the body's records, None where the body itself is rejected;
    `position` is its identity's, which a dead letter keeps through replays.
    """

    index: int | None
    position: int
    rejection: Rejection


@dataclass(frozen=True)
class Delivery:
    """One message, read. `identity` is the first half of its records' identity (a uuid).

    `records`, `positions` and `indexes` are parallel: the admitted records, the second half of their identity, and
    their places in the body.
    """

    message: Received
    identity: str
    schema: str | None
    records: Sequence[Json]
    positions: Sequence[int]
    indexes: Sequence[int]
    refused: Sequence[Refused]
