"""The messages in hand: kept invisible while they wait, deleted when all of them is safe, given back otherwise."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from functools import partial

import structlog

from sink_runtime.deadletters import DeadLetters
from sink_runtime.delivery import Delivery, Refused
from sink_runtime.faults import FatalError, Fault
from sink_runtime.patience import Patience
from sink_runtime.plan import SinkPlan
from sink_runtime.queue import BATCH_ENTRIES, MAX_MESSAGE_BYTES, Outgoing, Queue, Received
from sink_runtime.wire import QueueFault

DELETE_DENIED = 4  # exit code: going on would write the same messages again and again


class Custody:
    """Holds the messages of one batch at a time."""

    def __init__(
        self,
        buffer: Queue,
        dead_letter_queue: Queue,
        letters: DeadLetters,
        plan: SinkPlan,
        patience: Patience,
        log: structlog.typing.FilteringBoundLogger,
    ) -> None:
        self._buffer = buffer
        self._dead_letter_queue = dead_letter_queue
        self._letters = letters
        self._visibility = plan.visibility_timeout_seconds
        self._patience = patience
        self._log = log
        self._held: dict[str, Received] = {}
        self._extended = 0.0

    def hold(self, deliveries: Iterable[Delivery]) -> None:
        """Take messages just received into custody."""
        self._held = {delivery.message.receipt: delivery.message for delivery in deliveries}
        self._extended = time.monotonic()

    def keep(self) -> None:
        """Keep what is held invisible: to be called now and then while something is waited for.

        Extends at a third of the timeout, for as long as SQS permits (12 hours from the receive).
        """
        if not self._held or time.monotonic() - self._extended < self._visibility / 3:
            return
        self._extended = time.monotonic()
        try:
            failures = self._buffer.hide(list(self._held.values()), self._visibility)
        except Fault as fault:
            self._log.warning("visibility not extended", why=fault.text)
        else:
            if failures:
                self._log.warning("visibility not extended", messages=len(failures), why=failures[0].code)

    def delete(self, messages: Sequence[Received]) -> None:
        """Delete messages whose records are safe. Raises StoppingError, or FatalError where deletes are denied."""
        for start in range(0, len(messages), BATCH_ENTRIES):
            left = list(messages[start : start + BATCH_ENTRIES])
            self._patience.until(partial(self._delete_some, left), self.keep)

    def _delete_some(self, left: list[Received]) -> None:
        """Delete the messages of `left` and take them out of it. Raises QueueFault while some may yet be deleted."""
        try:
            failures = self._buffer.delete(left)
        except QueueFault as fault:
            if fault.is_denial:
                raise FatalError("deleting messages is denied", DELETE_DENIED) from fault
            raise
        again = [left[failure.index] for failure in failures if not failure.permanent]
        lost = [failure for failure in failures if failure.permanent]
        if lost:  # its handle is stale: the message comes again, and changes nothing
            self._log.warning("message not deleted", messages=len(lost), why=lost[0].code)
        for message in left:
            self._held.pop(message.receipt, None)
        self._held |= {message.receipt: message for message in again}
        left[:] = again
        if again:
            raise QueueFault("buffer", "delete failed for some messages", 500)

    def bury(self, delivery: Delivery, refused: list[Refused]) -> bool:
        """Send a message's dead letters; whether all of them were taken.

        Waits while the dead-letter queue is away, and raises StoppingError where the sink is to stop then. A letter
        that SQS will never take leaves its source message where it is, for SQS' own redrive.
        """
        letters = list(self._letters.of(delivery, refused))
        left = [letter for letter in letters if letter.size <= MAX_MESSAGE_BYTES]
        unsendable = ["too large"] * (len(letters) - len(left))
        while left:
            some, left = left[:BATCH_ENTRIES], left[BATCH_ENTRIES:]
            self._patience.until(partial(self._send_some, some, unsendable), self.keep)
        if unsendable:
            self._log.error("dead letter refused", letters=len(unsendable), why=unsendable[0])
        return not unsendable

    def _send_some(self, letters: list[Outgoing], unsendable: list[str]) -> None:
        """Send letters; what is done with is taken out of the list. Raises QueueFault while some may yet be sent."""
        failures = self._dead_letter_queue.send(letters)
        unsendable += [failure.code for failure in failures if failure.permanent]
        letters[:] = [letters[failure.index] for failure in failures if not failure.permanent]
        if letters:
            raise QueueFault("dead_letters", "send failed for some letters", 500)

    def let_go(self) -> None:
        """Give back what is still held, to be received again at once."""
        if not self._held:
            return
        try:
            self._buffer.hide(list(self._held.values()), 0)
        except Fault as fault:
            self._log.warning("messages not given back", messages=len(self._held), why=fault.text)
        self._held = {}
