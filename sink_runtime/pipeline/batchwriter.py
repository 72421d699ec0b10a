"""Intake -> settlement: a writer takes a batch, commits it, however long that takes, and says what became of it."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence

from sink_runtime.faults import Fault
from sink_runtime.pipeline.shared import Shared
from sink_runtime.postgres.batch import Batch, Part
from sink_runtime.postgres.errors import Action, DatabaseFault
from sink_runtime.postgres.session import Session
from sink_runtime.postgres.writer import Writer, Written
from sink_runtime.records.delivery import Delivery, Refused
from sink_runtime.records.reasons import Reason, Rejection

WRITERS = 2
IDLE_SECONDS = 5.0  # without a batch, until Postgres is asked whether it is there
TIMEOUTS = 3  # of a record alone, before it is rejected


class BatchWriter:
    """One writer with a session of its own. `name` is its thread's, and its hold on the gate."""

    def __init__(self, name: str, session: Session, writer: Writer, shared: Shared) -> None:
        self.name = name
        self.session = session
        self._writer = writer
        self._shared = shared
        self._batches = 0
        shared.gate.close(name, Fault("postgres", "not connected yet"))

    def turn(self) -> None:
        """Make sure of Postgres, then write one batch, if there is one."""
        self._shared.patience.until(self.session.enter, self._close_gate)
        self._shared.gate.open(self.name)
        deliveries = self._shared.intake.take(IDLE_SECONDS)
        if deliveries:
            self.deliver(deliveries)

    def deliver(self, deliveries: Sequence[Delivery]) -> None:
        """Commit what the deliveries brought, and settle each of them."""
        self._batches += 1
        refused: dict[int, list[Refused]] = defaultdict(list)  # by delivery: one message may be here twice
        for part, rejection in self._write(Batch.of(deliveries)):
            refused[id(part.delivery)].append(_refused(part, rejection))
        safe, rejects = [], []
        for delivery in deliveries:
            found = refused.get(id(delivery), ()) if refused else ()
            if found or delivery.refused:
                rejects.append((delivery, [*delivery.refused, *found]))
            else:
                safe.append(delivery.message)
        self._tell_rejected([one for _, some in rejects for one in some])
        self._shared.settlement.delete(safe)
        self._shared.settlement.reject(rejects)

    def _write(self, batch: Batch, timeouts: int = 0) -> list[tuple[Part, Rejection]]:
        """Commit the batch, in halves where it is too slow as a whole; the records refused."""
        if not batch.parts:
            return []
        started = time.monotonic()
        written = self._shared.patience.until(lambda: self._attempt(batch), self._close_gate)
        self._shared.gate.open(self.name)
        seconds = time.monotonic() - started
        if isinstance(written, Written):
            self._shared.pace.observe(seconds)
            self._tell(batch, written, seconds)
            return list(written.refused)
        self._shared.pace.slow_down()
        self._shared.log.warning("batch halved", batch=self._batch, records=batch.records, why=written.text)
        if batch.records > 1:
            first, second = batch.halves()
            return self._write(first) + self._write(second)
        if timeouts + 1 < TIMEOUTS:
            return self._write(batch, timeouts + 1)
        timed_out = Rejection(Reason.STATEMENT_TIMEOUT, written.text, sqlstate=written.diagnosis.sqlstate)
        return [(batch.parts[0], timed_out)]

    def _attempt(self, batch: Batch) -> Written | DatabaseFault:
        """Write on a connection that serves the plan; the fault itself where a smaller batch may fare better."""
        connection = self.session.enter()
        try:
            return self._writer.write(connection, batch)
        except DatabaseFault as fault:
            if fault.action is Action.TOO_SLOW:
                return fault
            self.session.close()
            raise

    @property
    def _batch(self) -> str:
        """The present batch in log lines: its writer, and its number there."""
        return f"{self.name}/{self._batches}"

    def _close_gate(self, fault: Fault) -> None:
        self._shared.gate.close(self.name, fault)

    def _tell(self, batch: Batch, written: Written, seconds: float) -> None:
        announced = [commit for commit in written.commits if commit.sequence is not None]
        if announced:
            self._shared.settlement.to_announce.set()
        inserted, updated, unchanged = written.counts()
        self._shared.metrics.committed(batch.messages, batch.records - len(written.refused), seconds)
        self._shared.metrics.wrote(inserted, updated, unchanged)
        self._shared.log.info(
            "batch written",
            batch=self._batch,
            commit_id=announced[-1].commit_id if announced else None,
            sequence=announced[-1].sequence if announced else None,
            commits=len(announced),
            messages=len(batch.messages),
            records=batch.records - len(written.refused),
            inserted=inserted,
            updated=updated,
            unchanged=unchanged,
            rejected=batch.rejected + len(written.refused),
            ms=round(seconds * 1000),
        )

    def _tell_rejected(self, refused: Sequence[Refused]) -> None:
        """One line a batch; each dead letter has its own particulars."""
        if not refused:
            return
        first = refused[0].rejection
        reasons = self._shared.metrics.rejected(refused)
        self._shared.log.warning(
            "records rejected",
            batch=self._batch,
            reasons=dict(sorted(reasons.items())),
            first_text=first.text,
            first_pointer=first.pointer,
            first_sqlstate=first.sqlstate,
        )


def _refused(part: Part, rejection: Rejection) -> Refused:
    """A refusal of one record as that of its place in the body."""
    return Refused(part.delivery.indexes[part.start], part.delivery.positions[part.start], rejection)
