"""Deletes messages whose records are safe, ten in a call, until SQS has taken every one."""

from __future__ import annotations

from functools import partial

from sink_runtime.faults import FatalError
from sink_runtime.queue import Queue, Received
from sink_runtime.shared import Shared
from sink_runtime.wire import QueueFault

DELETERS = 4
DENIED = 4  # exit code: going on would write the same messages again and again


class Deleter:
    """One deleter, with a queue connection of its own."""

    def __init__(self, queue: Queue, shared: Shared) -> None:
        self._queue = queue
        self._shared = shared

    def turn(self) -> None:
        """Delete the next messages. Raises FatalError where deleting is denied, StoppingError at the end."""
        left = self._shared.settlement.next_delete()
        self._shared.custody.release(left)
        self._shared.patience.until(partial(self._delete, left))

    def _delete(self, left: list[Received]) -> None:
        """Delete the messages of `left` and take them out of it. Raises QueueFault while some may yet be deleted."""
        try:
            failures = self._queue.delete(left)
        except QueueFault as fault:
            if fault.is_denial:
                raise FatalError("deleting messages is denied", DENIED) from fault
            raise
        if not failures:
            return
        lost = [failure for failure in failures if failure.permanent]
        if lost:  # its handle is stale: the message comes again, and changes nothing
            self._shared.log.warning("message not deleted", messages=len(lost), why=lost[0].code)
        left[:] = [left[failure.index] for failure in failures if not failure.permanent]
        if left:
            raise QueueFault("buffer", "delete failed for some messages", 500)
