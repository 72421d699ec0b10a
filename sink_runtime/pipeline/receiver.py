"""Buffer -> intake: one receive waits while the queue is quiet, several at a time run while it is full.

What has arrived is read while the next receives are under way already: neither waits for the other.
A long poll is never broken off: the service may have handed out messages already, to be hidden until their visibility
timeout. So it is also what an idle sink may take to stop.
"""

from __future__ import annotations

from collections.abc import Sequence

from sink_runtime import progress
from sink_runtime.faults import Fault
from sink_runtime.patience import StoppingError
from sink_runtime.pipeline.custody import Room
from sink_runtime.pipeline.shared import Shared
from sink_runtime.records.admission import Admission
from sink_runtime.sqs.queue import Received, Receives

NAME = "receiver"  # the thread's, and its hold on the gate
RECEIVES = 20  # at a time, under load: SQS takes milliseconds for each, and a turn costs the same however many answers it finds
FIRST = 6  # after a lone message: each receive is paid for, one that finds nothing too
SCOUT_SECONDS = 5  # long poll of the one that waits while all is quiet
LITTLE = 3  # messages in an answer: each receive costs the same, however few it brings
HELPER_SECONDS = 1  # of the others: an empty answer tells that all is quiet again
TURN_SECONDS = 1.0  # between two looks at whether the sink is to end


class Receiver:
    """The one receiver of a sink."""

    def __init__(self, receives: Receives[Room], admission: Admission, shared: Shared) -> None:
        self._receives = receives
        self._admission = admission
        self._shared = shared
        self._wanted = 1  # receives at a time
        self._was_quiet = True

    def turn(self) -> None:
        """Start what may start, and take what has arrived. Raises StoppingError once the sink is to end."""
        self._end_if_asked()
        fault = self._start(TURN_SECONDS)
        messages, failed = self._arrived()
        fault = fault or failed
        if messages and not fault:
            fault = self._start(0)
        self._read(messages)
        if fault:  # only now that all else is held
            self._recover(fault)

    def _start(self, seconds: float) -> Fault | None:
        """Begin as many receives as are wanted; where none is under way, wait so long until one may. What hinders it."""
        if not self._receives.busy and not self._shared.gate.wait(seconds):
            return None
        while self._may_start() and (
            room := self._shared.custody.reserve(0 if self._receives.busy else seconds)
        ):
            try:
                self._receives.start(HELPER_SECONDS if self._receives.busy else SCOUT_SECONDS, room)
            except Fault as fault:
                self._hold((), room)
                return fault
        self._receives.send()
        return None

    def _may_start(self) -> bool:
        may = self._receives.free and self._receives.busy < self._wanted
        return bool(may) and not self._shared.patience.stop.is_set() and self._shared.gate.wait(0)

    def _arrived(self) -> tuple[list[Received], Fault | None]:
        """The messages that have arrived, in custody now; and the first fault among the answers."""
        progress.mark()  # an answer may wait for its room as long as Postgres is away
        messages: list[Received] = []
        fault: Fault | None = None
        for room, answer in self._receives.finished(TURN_SECONDS):
            if isinstance(answer, Fault):
                self._hold((), room)
                fault = fault or answer
            else:
                self._hold(answer, room)
                self._adapt(len(answer))
                messages += answer
        return messages, fault

    def _read(self, messages: Sequence[Received]) -> None:
        self._shared.intake.put(self._admission.read_all(messages))

    def _adapt(self, messages: int) -> None:
        """All at once when messages come, some for a single one; fewer again as answers hold little; one when there is nothing."""
        if not messages:
            self._wanted = 1
        elif messages >= LITTLE:
            self._wanted = RECEIVES
        elif self._was_quiet:
            self._wanted = FIRST
        else:
            self._wanted = max(1, self._wanted - 1)
        self._was_quiet = not messages

    def _recover(self, fault: Fault) -> None:
        """Take what else is under way, then try one receive at a time, with the gate closed, until one is answered."""
        self._close_gate(fault)
        while self._receives.busy:
            self._end_if_asked()
            messages, _ = self._arrived()
            self._read(messages)
        self._shared.patience.after(fault, self._receive_alone, self._close_gate)
        self._shared.gate.open(NAME)

    def _receive_alone(self) -> None:
        """One receive; none while anything else keeps the gate closed, or there is no room. Raises Fault."""
        if not self._shared.gate.wait(0, besides=NAME) or not (room := self._shared.custody.reserve(0)):
            return
        try:
            self._receives.start(HELPER_SECONDS, room)
        except Fault:
            self._hold((), room)
            raise
        while self._receives.busy:
            self._end_if_asked()
            messages, fault = self._arrived()
            self._read(messages)
            if fault:
                raise fault

    def _close_gate(self, fault: Fault) -> None:
        self._shared.gate.close(NAME, fault)

    def _end_if_asked(self) -> None:
        """Once the sink is to end, hold what the last receives bring, so that it is given back with the rest."""
        if not self._shared.patience.stop.is_set():
            return
        self._shared.custody.end()
        while self._receives.busy:
            self._arrived()
        raise StoppingError

    def _hold(self, messages: Sequence[Received], room: Room) -> None:
        """Take what a receive brought, if anything, into custody."""
        self._shared.custody.hold(messages, room)
        if messages:
            self._shared.metrics.received(messages)
