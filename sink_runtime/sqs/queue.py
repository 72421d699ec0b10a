"""What the sink needs of a queue service, apart from how it is reached; the limits of SQS as constants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple, Protocol, TypeVar

from sink_runtime.faults import Fault

BATCH_ENTRIES = 10  # entries of one call: receive, delete, change visibility, send
MAX_MESSAGE_BYTES = 1_048_576  # of one message with its attributes, and of one call's messages together


class Received(NamedTuple):
    """A message as it was received. `sent_ms` is SentTimestamp, milliseconds since the epoch; `sender` is SenderId.

    `receives` counts from 1; `replays` is how often an operator sent it again from the dead-letter queue.
    """

    message_id: str
    receipt: str
    body: bytes
    sent_ms: int
    sender: str
    receives: int
    replays: int = 0

    @property
    def sent_text(self) -> str:
        """The sending's instant as Postgres and RFC 3339 write it, to the millisecond."""
        return instant_text(self.sent_ms)

    def __repr__(self) -> str:
        """Without body and receipt: neither may end in a log."""
        return f"Received({self.message_id!r}, receives={self.receives})"


@lru_cache(maxsize=4096)  # messages come in bursts
def instant_text(milliseconds: int) -> str:
    """An instant, in milliseconds since the epoch, as Postgres and RFC 3339 write it."""
    moment = datetime.fromtimestamp(milliseconds // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}Z"


@dataclass(frozen=True)
class Outgoing:
    """A message to send: text and string attributes."""

    body: str = field(repr=False)
    attributes: Mapping[str, str]

    @property
    def size(self) -> int:
        """Bytes as SQS counts them: the body, and each attribute's name, type and value."""
        attributes = sum(
            len(name) + len("String") + len(value.encode()) for name, value in self.attributes.items()
        )
        return len(self.body.encode()) + attributes


@dataclass(frozen=True)
class EntryFailure:
    """One entry of a batch call that failed though the call answered 200. `index` counts within what was given.

    `permanent`: the service lays it at the sender's door, so that trying again is of no use.
    """

    index: int
    code: str
    permanent: bool


class Queue(Protocol):
    """One queue, for one thread at a time. Every method raises QueueFault where the call as a whole fails."""

    def receive(self, wait_seconds: int) -> Sequence[Received]:
        """Up to ten messages, waiting up to `wait_seconds` (0 to 20) for the first."""

    def delete(self, messages: Sequence[Received]) -> Sequence[EntryFailure]:
        """Delete messages, any number of them."""

    def hide(self, messages: Sequence[Received], seconds: int) -> Sequence[EntryFailure]:
        """Keep messages invisible for `seconds` from now; 0 gives them back."""

    def send(self, messages: Sequence[Outgoing]) -> Sequence[EntryFailure]:
        """Send messages, any number of them."""


class Room(Protocol):
    """Memory for one answer: `bytes` of it may be taken, and all once `widen` has made room for that."""

    @property
    def bytes(self) -> int:
        """How much may be taken without more ado."""

    def widen(self) -> bool:
        """Make room for the largest answer; False where there is none yet."""


RoomT = TypeVar("RoomT", bound=Room)


class Receives(Protocol[RoomT]):
    """Receives from one queue, several at a time."""

    @property
    def free(self) -> int:
        """How many more may start."""

    @property
    def busy(self) -> int:
        """How many are under way."""

    def start(self, wait_seconds: int, room: RoomT) -> None:
        """Begin a receive of up to ten messages into `room`. Raises Fault where there are no credentials."""

    def send(self) -> None:
        """Have those that were started leave now, not only when `finished` is asked."""

    def finished(self, seconds: float) -> Sequence[tuple[RoomT, Sequence[Received] | Fault]]:
        """What each receive brought that has ended, with its room; waits up to `seconds` for the first."""


class Deletes(Protocol):
    """Deletes from one queue, several calls at a time."""

    @property
    def free(self) -> int:
        """How many more may start."""

    @property
    def busy(self) -> int:
        """How many are under way."""

    def start(self, messages: list[Received]) -> None:
        """Begin to delete up to ten messages. Raises Fault where there are no credentials."""

    def finished(self, seconds: float) -> Sequence[tuple[list[Received], Sequence[EntryFailure] | Fault]]:
        """Each delete that has ended, with what failed of it; waits up to `seconds` for the first."""
