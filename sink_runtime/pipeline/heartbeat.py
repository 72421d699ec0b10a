"""Keeps what is in hand invisible: extends visibility at a third of the timeout, for as long as SQS permits.

SQS permits twelve hours from the receive. What outlasts that is received anew, by this sink or another, and changes
nothing that is written.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

from sink_runtime import progress
from sink_runtime.faults import Fault
from sink_runtime.pipeline.shared import Shared
from sink_runtime.sqs.queue import Queue, Received

_MOST_MESSAGES = 50  # extended at a time: those cannot be deleted meanwhile


class Heartbeat:
    """The one heartbeat of a sink, with a queue connection of its own. `ending` is set once nothing is in hand any more."""

    def __init__(self, queue: Queue, ending: threading.Event, shared: Shared) -> None:
        self._queue = queue
        self.ending = ending
        self._shared = shared
        self._visibility = shared.plan.visibility_timeout_seconds
        self._pause = min(1.0, self._visibility / 12)

    def turn(self) -> None:
        """Wait a moment, then extend what is due."""
        self.ending.wait(self._pause)
        while not self.ending.is_set() and (due := self._shared.custody.take_due(_MOST_MESSAGES)):
            progress.mark()
            again: Sequence[Received] = due
            try:
                again = self._extend(due)
            finally:
                self._shared.custody.extended(again)
            if len(again) == len(due):  # SQS does not answer: others would fare no better now
                return

    def _extend(self, due: Sequence[Received]) -> Sequence[Received]:
        """Extend messages; those that are to be tried again soon."""
        try:
            failures = self._queue.hide(due, self._visibility)
        except Fault as fault:
            self._shared.log.warning("visibility not extended", messages=len(due), why=fault.text)
            self._shared.metrics.extended(len(due), len(due))
            return due
        self._shared.metrics.extended(len(due), len(failures))
        if failures:
            self._shared.log.warning("visibility not extended", messages=len(failures), why=failures[0].code)
        return [due[failure.index] for failure in failures if not failure.permanent]
