"""Batch -> committed rows: one transaction, one statement, and no message to any other service within it."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import orjson
import psycopg

from sink_runtime import progress
from sink_runtime.plan import SinkPlan
from sink_runtime.postgres.batch import Batch, Part
from sink_runtime.postgres.database import BEGIN, Connection, Text
from sink_runtime.postgres.errors import Action, DatabaseFault, condition
from sink_runtime.records.reasons import Reason, Rejection

# Each is a subtransaction: Postgres keeps 64 of a session in shared memory, and slows everyone beyond.
SAVEPOINTS = 64
# A constraint or a trigger that refuses most of what the effective schema admits is what is wrong, not the records.
MASS_RECORDS = 20
MASS_SHARE = 0.5


@dataclass(frozen=True)
class Committed:
    """One committed statement. `sequence` and `committed_at` are None where nothing changed: there is no commit row."""

    commit_id: str
    sequence: int | None
    committed_at: datetime | None
    inserted: int
    updated: int
    unchanged: int


@dataclass(frozen=True)
class Written:
    """A batch that is done: what was committed, and the records that Postgres refused one by one."""

    commits: Sequence[Committed]
    refused: Sequence[tuple[Part, Rejection]]

    def counts(self) -> tuple[int, int, int]:
        """Records inserted, updated and found unchanged."""
        commits = self.commits
        return (
            sum([commit.inserted for commit in commits]),
            sum([commit.updated for commit in commits]),
            sum([commit.unchanged for commit in commits]),
        )


class Writer:
    """Writes by one plan. Without `prepare`, every statement is sent whole, as a transaction pooler needs it.

    `accepted` are SQLSTATEs by which a person lets most of a batch be refused: without them that pauses the sink.
    """

    def __init__(
        self,
        plan: SinkPlan,
        plan_sha256: str,
        begin: str = BEGIN,
        *,
        prepare: bool = True,
        accepted: Collection[str] = (),
    ) -> None:
        self._plan = plan
        self._plan_sha256 = plan_sha256
        self._begin = begin.encode()
        self._prepare = prepare
        self._accepted = frozenset(accepted)
        self._statement = plan.statement.encode()

    def write(self, connection: Connection, batch: Batch) -> Written:
        """Commit the batch; where a record is to blame, find it and its like and commit the others.

        Raises DatabaseFault, and what is committed by then (or, where the answer to COMMIT was lost, perhaps all of it)
        is found unchanged when the batch is written again.
        """
        if not batch.parts:
            return Written((), ())
        try:
            with self._transaction(connection):
                return Written((self._execute(connection, batch),), ())
        except DatabaseFault as fault:
            if fault.action is not Action.RECORD:
                raise
            if batch.records == 1:
                return Written((), ((batch.parts[0], _rejection(fault)),))
        return self._bisect(connection, batch)

    def _bisect(self, connection: Connection, batch: Batch) -> Written:
        """Halve what is refused until each record to blame stands alone; what is not refused is committed on the way.

        A refused record counts with the next commit row, if there is one.
        """
        left = list(reversed(batch.halves()))
        commits: list[Committed] = []
        refused: list[tuple[Part, Rejection]] = []
        uncounted = 0
        while left:
            with self._transaction(connection):
                for _ in range(SAVEPOINTS):
                    if not left:
                        break
                    tried = left.pop()
                    found = self._try(connection, tried._replace(rejected=tried.rejected + uncounted))
                    if isinstance(found, Committed):
                        commits.append(found)
                        uncounted = 0 if found.sequence else uncounted
                    elif tried.records == 1:
                        refused.append((tried.parts[0], _rejection(found)))
                        uncounted += 1 + tried.rejected
                        self._refuse_to_drain(batch, refused)
                    else:
                        left += reversed(tried.halves())
        return Written(commits, refused)

    def _try(self, connection: Connection, batch: Batch) -> Committed | DatabaseFault:
        """Write within a savepoint; the fault where a record is to blame. Raises any other DatabaseFault."""
        connection.execute(b"SAVEPOINT part")
        try:
            committed = self._execute(connection, batch)
        except DatabaseFault as fault:
            if fault.action is not Action.RECORD:
                raise
            connection.execute(b"ROLLBACK TO SAVEPOINT part; RELEASE SAVEPOINT part")
            return fault
        connection.execute(b"RELEASE SAVEPOINT part")
        return committed

    def _refuse_to_drain(self, batch: Batch, refused: Sequence[tuple[Part, Rejection]]) -> None:
        """Raises DatabaseFault where most of a batch is refused by one SQLSTATE: someone must look first."""
        if batch.records < MASS_RECORDS:
            return
        [(sqlstate, times)] = Counter(one.sqlstate for _, one in refused).most_common(1)
        if sqlstate and sqlstate not in self._accepted and times > batch.records * MASS_SHARE:
            by = next(one.text for _, one in refused if one.sqlstate == sqlstate)
            raise DatabaseFault.mass_refusal(sqlstate, by, times, batch.records)

    def _execute(self, connection: Connection, batch: Batch) -> Committed:
        commit_id = str(uuid.uuid4())
        try:
            cursor: Any = connection.execute(
                self._statement, self._parameters(batch, commit_id), prepare=self._prepare
            )
        except psycopg.Error as error:
            raise DatabaseFault.of(error, self._plan, of_data=True) from None
        finally:
            progress.mark()
        return Committed(commit_id, *cursor.fetchone())

    @contextmanager
    def _transaction(self, connection: Connection) -> Iterator[None]:
        try:
            connection.execute(self._begin)
            yield
            connection.execute(b"COMMIT")
        except psycopg.Error as error:  # of BEGIN, COMMIT or a savepoint: no record is to blame
            raise DatabaseFault.of(error, self._plan) from None
        finally:
            with suppress(psycopg.Error):
                connection.rollback()

    def _parameters(self, batch: Batch, commit_id: str) -> list[Any]:
        """In the order of `plan.PARAMETERS`, then the plan's arrays."""
        parts = batch.parts
        counts = batch.sender_counts()
        return [
            Text(b"[%b]" % b",".join([part.payload for part in parts])),
            batch.records,
            parts[0].delivery.sent_text,
            parts[-1].delivery.sent_text,
            commit_id,
            self._plan_sha256,
            len(batch.messages),
            batch.rejected,
            batch.message_digest,
            orjson.dumps(counts).decode(),
            *[_ARRAYS[name](parts) for name in self._plan.arrays],
        ]


# Arrays are made as text, which costs the client a tenth of adapting lists.


def _message_ids(parts: Sequence[Part]) -> str:
    return _array(parts, [part.delivery.identity for part in parts])


def _positions(parts: Sequence[Part]) -> str:
    return _listed([_places(part) for part in parts])


def _sent_ats(parts: Sequence[Part]) -> str:
    return _array(parts, [part.delivery.sent_text for part in parts])


def _senders(parts: Sequence[Part]) -> str:
    senders = [part.delivery.sender for part in parts]
    quoted = {sender: _quoted(sender) for sender in set(senders)}
    return _array(parts, [quoted[sender] for sender in senders])


_ARRAYS: Mapping[str, Callable[[Sequence[Part]], str]] = {
    "message_ids": _message_ids,
    "positions": _positions,
    "sent_ats": _sent_ats,
    "senders": _senders,
}


def _places(part: Part) -> str:
    """The positions of its records, with commas between them."""
    if part.size == 1:
        return str(part.delivery.positions[part.start])
    positions = part.positions()
    return _kept(positions) if isinstance(positions, range) else _text(positions)


def _text(positions: Sequence[int]) -> str:
    return ",".join(map(str, positions))


# Most messages have the same few runs of positions again and again.
_kept = lru_cache(maxsize=256)(_text)


def _array(parts: Sequence[Part], elements: list[str]) -> str:
    """An array with one element a record: each part's, as many times as it has records."""
    sizes = [part.size for part in parts]
    if max(sizes) == 1:
        return _listed(elements)
    repeated = [f"{element}," * size for element, size in zip(elements, sizes, strict=True)]
    return "{" + "".join(repeated)[:-1] + "}"


def _listed(elements: list[str]) -> str:
    """An array as Postgres reads it."""
    return "{" + ",".join(elements) + "}"


def _quoted(element: str) -> str:
    escaped = element.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _rejection(fault: DatabaseFault) -> Rejection:
    found = fault.diagnosis
    named = f" by {found.constraint or found.column}" if found.constraint or found.column else ""
    text = f"{condition(found.sqlstate)}{named}"
    return Rejection(Reason.REFUSED_BY_DATABASE, text, sqlstate=found.sqlstate)
