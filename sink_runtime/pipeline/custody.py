"""The messages in hand: counted against a budget from before they are received, kept invisible until they are done with.

Memory is bounded, since a receive must reserve what it brings: what is ordinary before it starts, and the most that there
can be before it takes more. What is held stays invisible, since a
heartbeat extends it at a third of the visibility timeout. A message that is released is never extended again: not after
its delete, and not over the longer timeout by which it was put off.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence

from sink_runtime.sqs.queue import BATCH_ENTRIES, Received

BUDGET_BYTES = 80 * 1024 * 1024  # of bodies, held and still to be received
ORDINARY_BYTES = 1024 * 1024  # of one answer; most have far less, and one with more waits until the most fits
# Beyond this, receiving more would only make it wait here; receives that are under way may bring as much again.
AHEAD_BYTES = 4 * 1024 * 1024
AHEAD_MESSAGES = 8_000  # of the 120,000 that SQS lets all sinks of a queue have in flight
# Of visibility timeout, so that what is in hand can be deleted within it where each call takes half a second, and
# extended within a third of it, one call after another, where each takes 50 ms.
AHEAD_MESSAGES_A_SECOND = 60
_AGAIN = 3 / 4  # of either, below which receiving begins again: in runs, not a receive at a time


class Room:
    """What one receive may bring: `bytes`, and whatever it is once it was widened. The rest is Custody's."""

    def __init__(self, custody: Custody, reserved: int) -> None:
        self.bytes = self.reserved = reserved
        self.is_wide = False
        self._custody = custody

    def widen(self) -> bool:
        """Make room for the largest answer; False where there is none yet."""
        return self._custody.widen(self)


class Custody:
    """Every message between its receive and its delete. Each receive may bring ten of `max_message_bytes`."""

    def __init__(self, max_message_bytes: int, visibility_seconds: int) -> None:
        self.receive_bytes = BATCH_ENTRIES * max_message_bytes
        self._third = visibility_seconds / 3
        self._ahead_messages = min(AHEAD_MESSAGES, AHEAD_MESSAGES_A_SECOND * visibility_seconds)
        self._lock = threading.Lock()
        self._has_changed = threading.Condition(self._lock)  # there may be room for a receive
        self._is_extended = threading.Condition(self._lock)
        self._reserved = 0
        self._wide = 0  # rooms that were widened
        self._is_ending = False
        self._bytes = 0
        self._is_far_ahead = False
        self._held: dict[str, _Held] = {}
        self._extending: set[str] = set()

    def reserve(self, seconds: float) -> Room | None:
        """Wait up to `seconds` for room for one more receive; None where there is none. `hold` must follow."""
        with self._lock:
            if not self._has_changed.wait_for(self._has_room, seconds):
                return None
            room = Room(self, min(ORDINARY_BYTES, self.receive_bytes))
            self._reserved += room.reserved
            return room

    def widen(self, room: Room) -> bool:
        """Reserve the most that a receive may bring; False where it does not fit yet. At the end one at a time does."""
        with self._lock:
            more = self.receive_bytes - room.reserved
            fits = self._bytes + self._reserved + more <= BUDGET_BYTES
            if not (fits or (self._is_ending and not self._wide)):
                return False
            self._reserved += more
            room.reserved += more
            room.is_wide = True
            self._wide += 1
            return True

    def end(self) -> None:
        """What is still being received is to be given back: its bodies are of no use, and nobody makes room any more."""
        with self._lock:
            self._is_ending = True

    def hold(self, messages: Sequence[Received], room: Room) -> None:
        """Take what was received, if anything, into custody, in place of what was reserved for it."""
        now = time.monotonic()
        due = now if room.is_wide else now + self._third  # it may have waited for its room
        with self._lock:
            self._reserved -= room.reserved
            self._wide -= room.is_wide
            if self._is_ending:
                messages = [one._replace(body=b"") for one in messages]
            for message in messages:
                if message.receipt not in self._held:  # one delivery may be told of twice
                    self._bytes += len(message.body)
                self._held[message.receipt] = _Held(message, due)
            self._tell_room()

    def release(self, messages: Iterable[Received]) -> None:
        """Let go of messages that are about to be deleted, put off or given back; waits while one is being extended."""
        receipts = [message.receipt for message in messages]
        with self._lock:
            if self._extending:
                self._is_extended.wait_for(lambda: self._extending.isdisjoint(receipts))
            for receipt in receipts:
                held = self._held.pop(receipt, None)
                if held:
                    self._bytes -= len(held.message.body)
            self._tell_room()

    def keep(self, messages: Iterable[Received]) -> None:
        """Take back messages that were released to be deleted, and are not: they stay invisible until they are."""
        now = time.monotonic()
        with self._lock:
            for message in messages:
                if message.receipt not in self._held:
                    self._bytes += len(message.body)
                    self._held[message.receipt] = _Held(message, now)

    def take_due(self, most: int) -> list[Received]:
        """Up to `most` messages to extend now. `extended` must follow: until then none of them can be released."""
        now = time.monotonic()
        with self._lock:
            due = [held for held in self._held.values() if held.due <= now][:most]
            for held in due:
                held.due = now + self._third
                self._extending.add(held.message.receipt)
            return [held.message for held in due]

    def extended(self, again: Iterable[Received]) -> None:
        """What was taken by `take_due` is extended, but for the messages to try `again` in a moment."""
        soon = time.monotonic() + self._third / 6
        with self._lock:
            for message in again:
                if held := self._held.get(message.receipt):
                    held.due = soon
            self._extending.clear()
            self._is_extended.notify_all()

    def release_all(self) -> list[Received]:
        """Let go of everything that is left, for the end of the sink."""
        with self._lock:
            left = [held.message for held in self._held.values()]
            self._held.clear()
            self._bytes = 0
            self._tell_room()
            return left

    def messages(self) -> list[Received]:
        """What is held at the moment."""
        with self._lock:
            return [held.message for held in self._held.values()]

    def counts(self) -> tuple[int, int, int]:
        """Messages held, their bytes, and bytes reserved for receives under way."""
        with self._lock:
            return len(self._held), self._bytes, self._reserved

    def _tell_room(self) -> None:
        """Wake one receiver: one more receive may fit, and it wakes the next when it is done."""
        limit = _AGAIN if self._is_far_ahead else 1
        self._is_far_ahead = (
            self._bytes >= limit * AHEAD_BYTES or len(self._held) >= limit * self._ahead_messages
        )
        if self._has_room():
            self._has_changed.notify()

    def _has_room(self) -> bool:
        fits = self._bytes + self._reserved + self.receive_bytes <= BUDGET_BYTES
        return fits and not self._is_far_ahead


class _Held:
    """A message and the monotonic instant at which its visibility is to be extended."""

    __slots__ = ("due", "message")

    def __init__(self, message: Received, due: float) -> None:
        self.message = message
        self.due = due
