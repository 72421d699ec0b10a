"""What becomes of a message once its records are committed or refused: it is deleted, or its rejects are seen to.

A message is deleted when all of its records are safe, in the table or in the dead-letter queue, and never before. So
whatever stops the sink, the message comes again, and what it says is then written already. Nothing here is done inside a
transaction.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from queue import Empty, SimpleQueue

from sink_runtime.patience import StoppingError
from sink_runtime.records.delivery import Delivery, Refused
from sink_runtime.sqs.queue import BATCH_ENTRIES, Received

IDLE_SECONDS = 5.0  # without work, until a thread's turn ends, so that health sees that it lives
_MOST_OUTCOMES = 100  # taken at a time, so that dead letters of several messages share a call

Outcome = tuple[
    Delivery, Sequence[Refused]
]  # a delivery whose good records are committed, and its refused ones


class Settlement:
    """Hands each delivery to whoever does the rest: the deleters, or the one who sees to rejects.

    `to_announce` is set when there are commits to publish.
    """

    def __init__(self) -> None:
        self.to_announce = threading.Event()
        self._deletes: SimpleQueue[list[Received] | None] = SimpleQueue()
        self._rejects: SimpleQueue[Outcome | None] = SimpleQueue()

    def delete(self, messages: Sequence[Received]) -> None:
        """Have messages deleted whose records are safe."""
        for start in range(0, len(messages), BATCH_ENTRIES):
            self._deletes.put(list(messages[start : start + BATCH_ENTRIES]))

    def reject(self, outcomes: Sequence[Outcome]) -> None:
        """Have refused records seen to; their messages' other records are safe."""
        for outcome in outcomes:
            self._rejects.put(outcome)

    def next_delete(self, *, wait: bool) -> list[Received] | None:
        """Up to ten messages to delete, None where there are none; `wait`s for them up to IDLE_SECONDS.

        Raises StoppingError when there will be no more.
        """
        try:
            messages = self._deletes.get(block=wait, timeout=IDLE_SECONDS)
        except Empty:
            return None
        if messages is None:
            raise StoppingError
        return messages

    def next_rejects(self) -> list[Outcome]:
        """Deliveries with refused records; none where none came within IDLE_SECONDS. Raises StoppingError at the end."""
        try:
            first = self._rejects.get(timeout=IDLE_SECONDS)
        except Empty:
            return []
        if first is None:
            raise StoppingError
        found = [first]
        while len(found) < _MOST_OUTCOMES:
            try:
                one = self._rejects.get_nowait()
            except Empty:
                break
            if one is None:
                self._rejects.put(None)
                break
            found.append(one)
        return found

    def no_more_rejects(self) -> None:
        """Every batch is settled: whoever sees to rejects ends when the last one is seen to."""
        self._rejects.put(None)

    def no_more_deletes(self) -> None:
        """Every reject is seen to as well: the deleter ends when the last delete is done."""
        self._deletes.put(None)

    def counts(self) -> tuple[int, int]:
        """Calls' worth of deletes, and deliveries with rejects, that are still to be seen to; roughly."""
        return self._deletes.qsize(), self._rejects.qsize()
