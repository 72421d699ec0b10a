"""One queue in memory. Taking and deleting cost the same however long it is; messages are kept as the JSON that a receive gives."""

from __future__ import annotations

import hashlib
import heapq
import json
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

# Handles are as long as those of AWS, since clients parse, send and sign them.
_HANDLE = "AQEB{index:012d}-{receives:03d}" + "x9Zq" * 40
_SENDER = "AROAEXAMPLEEXAMPLE123:monitor"


@dataclass
class Counts:
    """What happened since the last rewind. Times are seconds since the epoch; 0 where it has not happened.

    `last_delete` is of messages that were received once: one that a client lost comes again after its visibility timeout,
    and should not make the rate of the others look worse.
    """

    receives: int = 0
    empty_receives: int = 0
    received: int = 0
    redelivered: int = 0
    deleted: int = 0
    first_receive: float = 0.0
    last_delete: float = 0.0


@dataclass
class MemoryQueue:
    """Messages by index. `held` messages were loaded and are not given out before `release`."""

    visibility_seconds: float = 120.0
    counts: Counts = field(default_factory=Counts)
    ready: deque[int] = field(default_factory=deque)
    held: int = 0
    _bodies: list[bytes] = field(default_factory=list)  # the message's JSON without its end
    _attributes: list[bytes] = field(default_factory=list)  # its end, for who asked for system attributes
    _receives: list[int] = field(default_factory=list)
    _is_deleted: bytearray = field(default_factory=bytearray)
    _visible_at: list[float] = field(default_factory=list)  # monotonic; 0 for a message that is not in flight
    _expiries: list[tuple[float, list[int]]] = field(default_factory=list)  # a heap

    def load(self, bodies: Iterable[str]) -> None:
        """Keep messages back until `release`."""
        before = len(self._bodies)
        self._append(bodies)
        self.held += len(self._bodies) - before

    def add(self, bodies: Iterable[str]) -> None:
        """Make messages available at once."""
        before = len(self._bodies)
        self._append(bodies)
        self.ready.extend(range(before, len(self._bodies)))

    def _append(self, bodies: Iterable[str]) -> None:
        attributes = _attributes(time.time(), 1)
        for body in bodies:
            self._bodies.append(_message(len(self._bodies), body))
            self._attributes.append(attributes)
            self._receives.append(0)
            self._is_deleted.append(0)
            self._visible_at.append(0.0)

    def release(self) -> None:
        """Make what is held available."""
        self.ready.extend(range(len(self._bodies) - self.held, len(self._bodies)))
        self.held = 0

    def rewind(self) -> None:
        """Hold every message again, as if none had ever been received."""
        for index, receives in enumerate(self._receives):
            if receives > 1:
                self._relabel(index, receives, 1)
        self.ready.clear()
        self._expiries.clear()
        self._receives = [0] * len(self._bodies)
        self._visible_at = [0.0] * len(self._bodies)
        self._is_deleted = bytearray(len(self._bodies))
        self.held = len(self._bodies)
        self.counts = Counts()

    @property
    def in_flight(self) -> int:
        """Messages that were received and neither deleted nor given back."""
        return len(self._bodies) - self.held - len(self.ready) - self.counts.deleted

    def take(self, limit: int, visibility: float | None, *, attributes: bool) -> bytes:
        """Up to `limit` messages as the elements of a JSON array; empty where there is none."""
        indexes = self._pop(limit)
        if not indexes:
            return b""
        self.counts.received += len(indexes)
        self._hide(indexes, self.visibility_seconds if visibility is None else visibility)
        if attributes:
            return b",".join([self._bodies[i] + self._attributes[i] for i in indexes])
        return b"},".join([self._bodies[i] for i in indexes]) + b"}"

    def _pop(self, limit: int) -> list[int]:
        ready, receives = self.ready, self._receives
        indexes: list[int] = []
        while ready and len(indexes) < limit:
            index = ready.popleft()
            if self._is_deleted[index]:  # deleted while it was visible again
                continue
            receives[index] += 1
            if receives[index] > 1:
                self._relabel(index, receives[index] - 1, receives[index])
                self.counts.redelivered += 1
            indexes.append(index)
        return indexes

    def _relabel(self, index: int, old: int, new: int) -> None:
        before, after = (_HANDLE.format(index=index, receives=n).encode() for n in (old, new))
        self._bodies[index] = self._bodies[index].replace(before, after, 1)
        sent = json.loads(b"{" + self._attributes[index][1:])["Attributes"]["SentTimestamp"]
        self._attributes[index] = _attributes(int(sent) / 1000, new)

    def delete(self, handles: Iterable[str]) -> None:
        """Delete by receipt handle, also where its visibility timeout is over."""
        is_deleted, receives, counts = self._is_deleted, self._receives, self.counts
        first = 0
        for handle in handles:
            index = int(handle[4:16])
            if not is_deleted[index]:
                is_deleted[index] = 1
                counts.deleted += 1
                first += receives[index] == 1
        if first:
            counts.last_delete = time.time()

    def hide(self, handle: str, seconds: float) -> None:
        """Keep a received message invisible for `seconds` from now; 0 makes it visible."""
        index = int(handle[4:16])
        if self._is_deleted[index] or not self._visible_at[index]:
            return
        if seconds:
            self._hide([index], seconds)
        else:
            self._show(index)

    def expire(self) -> None:
        """Make messages whose time is over visible again. Exact to the caller's period."""
        now = time.monotonic()
        while self._expiries and self._expiries[0][0] <= now:
            for index in heapq.heappop(self._expiries)[1]:
                if not self._is_deleted[index] and 0.0 < self._visible_at[index] <= now:
                    self._show(index)

    def _hide(self, indexes: list[int], seconds: float) -> None:
        ends = time.monotonic() + seconds
        for index in indexes:
            self._visible_at[index] = ends
        heapq.heappush(self._expiries, (ends, indexes))

    def _show(self, index: int) -> None:
        self._visible_at[index] = 0.0
        self.ready.append(index)


def _message(index: int, body: str) -> bytes:
    # The Go SDK checks the digest.
    digest = hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()
    return (
        f'{{"MessageId":"{index:08x}-5a1c-4e0f-9d3b-{index:012x}",'
        f'"ReceiptHandle":"{_HANDLE.format(index=index, receives=1)}",'
        f'"MD5OfBody":"{digest}","Body":{json.dumps(body)}'
    ).encode()


def _attributes(sent: float, receives: int) -> bytes:
    return (
        f',"Attributes":{{"SenderId":"{_SENDER}","SentTimestamp":"{int(sent * 1000)}",'
        f'"ApproximateReceiveCount":"{receives}"}}}}'
    ).encode()
