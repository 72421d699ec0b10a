r"""The sink's story: its threads, from the buffer to the last delete, and the order in which they end.

    buffer -> receiver -> intake -> writers -> deleter
                                        |  \\--> rejects -> dead-letter queue, then deleter
                                        \\--> publisher (from the committed outbox)

Nothing is received while the gate is closed. What was received stays in custody, kept invisible by the heartbeat, until
it is safe: written, or in the dead-letter queue.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sink_runtime.faults import Fault
from sink_runtime.pipeline.batchwriter import BatchWriter
from sink_runtime.pipeline.deleter import Deleter
from sink_runtime.pipeline.events import Publisher
from sink_runtime.pipeline.heartbeat import Heartbeat
from sink_runtime.pipeline.receiver import Receiver
from sink_runtime.pipeline.rejects import Rejects
from sink_runtime.pipeline.shared import Shared
from sink_runtime.settings import DEFAULT_DRAIN_SECONDS
from sink_runtime.sqs.queue import BATCH_ENTRIES, Queue
from sink_runtime.worker import Failures, Worker


@dataclass(frozen=True)
class Parts:
    """What the threads run, each with connections of its own. `buffer` is the main thread's, for the end."""

    receiver: Receiver
    writers: Sequence[BatchWriter]
    rejects: Rejects
    deleter: Deleter
    heartbeat: Heartbeat
    publisher: Publisher | None
    buffer: Queue


class Sink:
    """One dataset's sink, its parts already made.

    `drain_seconds` are from being asked to stop to the end, whatever hangs; what is not done by then comes again.
    """

    def __init__(self, parts: Parts, shared: Shared, drain_seconds: float = DEFAULT_DRAIN_SECONDS) -> None:
        self._parts = parts
        self._shared = shared
        self._drain_seconds = drain_seconds
        self._log = shared.log
        self._stop = shared.patience.stop
        self._failures = Failures(self._stop)
        never = threading.Event()  # those end when they are told that there is no more work
        self._receiver = [self._worker("receiver", parts.receiver.turn, never)]
        self._writers = [self._worker(one.name, one.turn, self._stop) for one in parts.writers]
        self._rejects = [self._worker("rejects", parts.rejects.turn, never)]
        self._deleter = [self._worker("deleter", parts.deleter.turn, never)]
        self._heartbeat = [self._worker("heartbeat", parts.heartbeat.turn, parts.heartbeat.ending)]
        self._publisher = (
            [self._worker("publisher", parts.publisher.turn, self._stop)] if parts.publisher else []
        )

    @property
    def workers(self) -> Sequence[Worker]:
        """All of its threads."""
        groups = (
            self._heartbeat,
            self._deleter,
            self._rejects,
            self._publisher,
            self._writers,
            self._receiver,
        )
        return [worker for group in groups for worker in group]

    def run(self) -> None:
        """Work until asked to stop; then finish the batches in hand, give back what cannot be finished, and return.

        Raises what a thread died of: FatalError where going on would do harm, anything else where the sink is at fault.
        """
        for worker in self.workers:
            worker.start()
        self._stop.wait()
        self._end()
        self._failures.raise_first()

    def _end(self) -> None:
        shared = self._shared
        until = time.monotonic() + self._drain_seconds
        shared.intake.close()
        shared.settlement.to_announce.set()
        self._join([*self._receiver, *self._writers], until)
        shared.settlement.no_more_rejects()
        self._join(self._rejects, until)
        shared.settlement.no_more_deletes()
        self._join([*self._deleter, *self._publisher], until)
        self._parts.heartbeat.ending.set()
        self._join(self._heartbeat, until)
        self._give_back()
        if time.monotonic() < until:
            self._leave()

    def _join(self, workers: Sequence[Worker], until: float) -> None:
        late = [worker.name for worker in workers if not worker.join(until - time.monotonic())]
        if late:
            self._log.error("not ended in time", threads=late)

    def _give_back(self) -> None:
        """Make what is left visible again, for another sink to receive at once."""
        left = self._shared.custody.release_all()
        if not left:
            return
        missed, why = 0, ""
        for start in range(0, len(left), BATCH_ENTRIES):
            some = left[start : start + BATCH_ENTRIES]
            try:
                self._parts.buffer.hide(some, 0)
            except Fault as fault:
                missed, why = missed + len(some), fault.text
        self._log.info("messages given back", messages=len(left) - missed)
        if missed:
            self._log.warning("messages not given back", messages=missed, why=why)

    def _leave(self) -> None:
        """Say goodbye to Postgres, unless a thread still hangs on its session."""
        ended = {worker.name: not worker.is_alive for worker in self.workers}
        for writer in self._parts.writers:
            if ended[writer.name]:
                writer.session.leave()
        if self._parts.publisher and ended["publisher"]:
            self._parts.publisher.leave()

    def _worker(self, name: str, turn: Callable[[], None], ending: threading.Event) -> Worker:
        return Worker(name, turn, ending, self._failures)
