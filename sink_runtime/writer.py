"""Batch -> committed rows: one transaction, one statement, and no message to any other service within it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import psycopg

from sink_runtime.batch import Batch, Row
from sink_runtime.database import Connection
from sink_runtime.encoder import encode
from sink_runtime.errors import Action, DatabaseFault, condition
from sink_runtime.plan import SinkPlan
from sink_runtime.reasons import Reason, Rejection

# Over any setting of the role or the database: a commit that was told is on disk, and others' commits are seen.
_BEGIN = b"BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL synchronous_commit = on"


@dataclass(frozen=True)
class Written:
    """A committed batch. `sequence` and `committed_at` are None where nothing changed: then there is no commit row.

    `refused` are rows (by index in the batch) that Postgres refused one by one; the others are committed.
    """

    commit_id: str
    sequence: int | None
    committed_at: datetime | None
    inserted: int
    updated: int
    unchanged: int
    refused: Mapping[int, Rejection]


class Writer:
    """Writes by one plan."""

    def __init__(self, plan: SinkPlan, plan_sha256: str) -> None:
        self._plan = plan
        self._plan_sha256 = plan_sha256
        self._statement = plan.statement.encode()

    def write(self, connection: Connection, batch: Batch) -> Written:
        """Commit the batch; where a record is to blame, find it and its like and commit the others.

        Raises DatabaseFault, with nothing committed (or, where the answer to COMMIT was lost, perhaps all of it:
        writing the batch again changes nothing then).
        """
        try:
            with self._transaction(connection):
                return self._execute(connection, batch, {})
        except DatabaseFault as fault:
            if fault.action is not Action.RECORD:
                raise
        with self._transaction(connection):
            refused = self._probe_each(connection, batch)
            return self._execute(connection, batch.without(refused), refused)

    def _execute(self, connection: Connection, batch: Batch, refused: Mapping[int, Rejection]) -> Written:
        commit_id = str(uuid.uuid4())
        if not batch.rows:
            return Written(commit_id, None, None, 0, 0, 0, refused)
        try:
            cursor: Any = connection.execute(
                self._statement, self._parameters(batch, commit_id), prepare=True
            )
        except psycopg.Error as error:
            raise DatabaseFault.of(error, self._plan, of_data=True) from None
        sequence, committed_at, inserted, updated, unchanged = cursor.fetchone()
        return Written(commit_id, sequence, committed_at, inserted, updated, unchanged, refused)

    def _probe_each(self, connection: Connection, batch: Batch) -> dict[int, Rejection]:
        """Write each record alone and undo it: Postgres names neither row nor column for most faults of a value."""
        refused: dict[int, Rejection] = {}
        connection.execute(b"SAVEPOINT probe")
        for index, row in enumerate(batch.rows):
            try:
                self._execute(connection, _alone(batch, row), {})
            except DatabaseFault as fault:
                if fault.action is not Action.RECORD:
                    raise
                refused[index] = _rejection(fault)
            connection.execute(b"ROLLBACK TO SAVEPOINT probe")
        connection.execute(b"RELEASE SAVEPOINT probe")
        return refused

    @contextmanager
    def _transaction(self, connection: Connection) -> Iterator[None]:
        try:
            connection.execute(_BEGIN)
            yield
            connection.execute(b"COMMIT")
        except psycopg.Error as error:  # of BEGIN, COMMIT or a savepoint: no record is to blame
            raise DatabaseFault.of(error, self._plan) from None
        finally:
            with suppress(psycopg.Error):
                connection.rollback()

    def _parameters(self, batch: Batch, commit_id: str) -> list[Any]:
        """In the order of `plan.PARAMETERS`; arrays as text, which costs the client a tenth of adapting lists."""
        rows = batch.rows
        return [
            encode([delivery.records[index] for delivery, index in rows]).decode(),
            _array([delivery.identity for delivery, _ in rows]),
            _array([str(delivery.positions[index]) for delivery, index in rows]),
            _array([delivery.message.sent_text for delivery, _ in rows]),
            _array([_quoted(delivery.message.sender) for delivery, _ in rows]),
            commit_id,
            self._plan_sha256,
            len(batch.deliveries),
            batch.rejected,
            batch.message_digest,
            orjson.dumps(batch.sender_counts()).decode(),
        ]


def _array(elements: list[str]) -> str:
    return "{" + ",".join(elements) + "}"


def _quoted(element: str) -> str:
    escaped = element.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _alone(batch: Batch, row: Row) -> Batch:
    return Batch((row[0],), (row,), batch.rejected)


def _rejection(fault: DatabaseFault) -> Rejection:
    found = fault.diagnosis
    named = f" by {found.constraint or found.column}" if found.constraint or found.column else ""
    text = f"{condition(found.sqlstate)}{named}"
    return Rejection(Reason.REFUSED_BY_DATABASE, text, sqlstate=found.sqlstate)
