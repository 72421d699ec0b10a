"""The sink's story: gate, collect, write, dead letters, delete, publish; and the end of it.

Nothing is received while the gate is closed. What was received is held until it is safe: written, or in the dead-letter
queue. A message is deleted after that and never before, so whatever stops the sink, the message comes again, and what
it says is then written already.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import structlog

from sink_runtime.batch import Batch
from sink_runtime.collector import Collector
from sink_runtime.custody import Custody
from sink_runtime.delivery import Delivery, Refused
from sink_runtime.errors import Action, DatabaseFault
from sink_runtime.events import Publisher
from sink_runtime.gate import Gate
from sink_runtime.patience import Patience, StoppingError
from sink_runtime.reasons import Reason, Rejection
from sink_runtime.writer import Writer, Written

TIMEOUTS = 3  # of a record alone, before it is rejected


class Sink:
    """One dataset's sink, its parts already made."""

    def __init__(
        self,
        gate: Gate,
        collector: Collector,
        writer: Writer,
        custody: Custody,
        publisher: Publisher | None,
        patience: Patience,
        log: structlog.typing.FilteringBoundLogger,
    ) -> None:
        self._gate = gate
        self._collector = collector
        self._writer = writer
        self._custody = custody
        self._publisher = publisher
        self._patience = patience
        self._log = log

    def run(self) -> None:
        """Work until asked to stop; then finish the batch in hand, give back what cannot be finished, and return.

        Raises FatalError where going on would do harm.
        """
        try:
            while not self._patience.stop.is_set():
                self._turn()
        except StoppingError:
            self._log.info("stopping with work in hand")
        finally:
            self._custody.let_go()
            self._gate.leave()

    def _turn(self) -> None:
        connection = self._patience.until(self._gate.enter)
        if self._publisher:
            self._publisher.publish_pending(connection)
        deliveries = self._collector.collect()
        if deliveries:
            self._custody.hold(deliveries)
            self._deliver(deliveries)

    def _deliver(self, deliveries: Sequence[Delivery]) -> None:
        refused: dict[str, list[Refused]] = defaultdict(list)
        for delivery in deliveries:
            refused[delivery.message.receipt] += delivery.refused
        batch = Batch.of(deliveries)
        for receipt, one in self._write(batch):
            refused[receipt].append(one)
        self._custody.delete([d.message for d in deliveries if not refused[d.message.receipt]])
        self._tell_rejected([one for some in refused.values() for one in some])
        for delivery in deliveries:
            self._bury(delivery, refused[delivery.message.receipt])

    def _bury(self, delivery: Delivery, refused: list[Refused]) -> None:
        if refused and self._custody.bury(delivery, refused):
            self._custody.delete([delivery.message])

    def _write(self, batch: Batch, timeouts: int = 0) -> list[tuple[str, Refused]]:
        """Commit the batch, in halves where it is too slow as a whole; the records refused, by their receipts."""
        if not batch.rows:
            return []
        started = time.monotonic()
        written = self._patience.until(lambda: self._attempt(batch), self._custody.keep)
        if isinstance(written, Written):
            self._tell(batch, written, time.monotonic() - started)
            return _refused(batch, written.refused.items())
        self._log.warning("batch halved", records=len(batch.rows), why=written.text)
        if len(batch.rows) > 1:
            first, second = batch.halves()
            return self._write(first) + self._write(second)
        if written.action is Action.TOO_SLOW and timeouts + 1 < TIMEOUTS:
            return self._write(batch, timeouts + 1)
        return _refused(batch, [(0, _rejected_alone(written))])

    def _attempt(self, batch: Batch) -> Written | DatabaseFault:
        """Write on a connection that serves the plan; the fault itself where a smaller batch may fare better."""
        connection = self._gate.enter()
        try:
            return self._writer.write(connection, batch)
        except DatabaseFault as fault:
            if fault.action in (Action.TOO_SLOW, Action.RECORD):
                return fault
            self._gate.close()
            raise

    def _tell(self, batch: Batch, written: Written, seconds: float) -> None:
        self._log.info(
            "batch written",
            commit_id=written.commit_id if written.sequence is not None else None,
            sequence=written.sequence,
            messages=len(batch.deliveries),
            records=len(batch.rows) - len(written.refused),
            inserted=written.inserted,
            updated=written.updated,
            unchanged=written.unchanged,
            rejected=batch.rejected + len(written.refused),
            ms=round(seconds * 1000),
        )

    def _tell_rejected(self, refused: list[Refused]) -> None:
        """One line a batch; each dead letter has its own particulars."""
        if not refused:
            return
        first = refused[0].rejection
        self._log.warning(
            "records rejected",
            reasons=dict(sorted(Counter(str(one.rejection.reason) for one in refused).items())),
            first_text=first.text,
            first_pointer=first.pointer,
            first_sqlstate=first.sqlstate,
        )


def _rejected_alone(fault: DatabaseFault) -> Rejection:
    """Why one record, written alone, is rejected."""
    if fault.action is Action.TOO_SLOW:
        return Rejection(Reason.STATEMENT_TIMEOUT, fault.text, sqlstate=fault.diagnosis.sqlstate)
    return Rejection(Reason.REFUSED_BY_DATABASE, fault.text, sqlstate=fault.diagnosis.sqlstate)


def _refused(batch: Batch, refusals: Iterable[tuple[int, Rejection]]) -> list[tuple[str, Refused]]:
    """Refusals by index in the batch as refusals by receipt, each with its record's place in the body."""
    found = []
    for row, rejection in refusals:
        delivery, index = batch.rows[row]
        refused = Refused(delivery.indexes[index], delivery.positions[index], rejection)
        found.append((delivery.message.receipt, refused))
    return found
