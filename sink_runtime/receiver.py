"""Buffer -> intake: one scout polls while the queue is quiet, and calls the others when there is something to receive.

A long poll is never broken off: the service may have handed out messages already, to be hidden until their visibility
timeout. So it is also what an idle sink may take to stop.
"""

from __future__ import annotations

import threading

from sink_runtime.admission import Admission
from sink_runtime.delivery import Delivery
from sink_runtime.queue import Queue, Received
from sink_runtime.shared import Shared

RECEIVERS = 6
SCOUT_SECONDS = 5  # long poll of the one that always asks
HELPER_SECONDS = 1  # of the others: an empty answer sends them to rest
TURN_SECONDS = 1.0  # between two looks at whether the sink is to end
# Bodies beyond this are read by one receiver at a time: a value takes many times the memory of its text.
LARGE_BYTES = 256 * 1024


_large = threading.Lock()


class Receiver:
    """One receiver, with a queue connection of its own. `name` is its thread's."""

    def __init__(
        self, name: str, queue: Queue, admission: Admission, shared: Shared, *, is_scout: bool
    ) -> None:
        self.name = name
        self._queue = queue
        self._admission = admission
        self._shared = shared
        self._is_scout = is_scout

    def turn(self) -> None:
        """Receive once, if the gate is open, there is room, and something is to be expected."""
        if not (self._is_scout or self._shared.flows.wait(TURN_SECONDS)):
            return
        if not self._shared.gate.wait(TURN_SECONDS) or not self._shared.custody.reserve(TURN_SECONDS):
            return
        messages: list[Received] = []
        try:
            messages = self._receive()
        finally:
            self._shared.custody.hold(messages)
        self._shared.intake.put([self._read(message) for message in messages])

    def _receive(self) -> list[Received]:
        messages = self._shared.patience.until(
            self._ask, lambda fault: self._shared.gate.close(self.name, fault)
        )
        self._shared.gate.open(self.name)
        if messages:
            self._shared.flows.set()
        elif not self._is_scout:
            self._shared.flows.clear()
        return messages

    def _ask(self) -> list[Received]:
        """One receive. While it fails, it asks alone; and not while anything else keeps the gate closed."""
        if not self._shared.gate.wait(0, besides=self.name):
            return []
        return list(self._queue.receive(SCOUT_SECONDS if self._is_scout else HELPER_SECONDS))

    def _read(self, message: Received) -> Delivery:
        if len(message.body) < LARGE_BYTES:
            return self._admission.read(message)
        with _large:
            return self._admission.read(message)
