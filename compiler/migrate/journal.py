"""The journal in the control schema: which files a database has seen, and the table that each one left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import Connection

from compiler.canonical import Json, JsonDocument, canonical
from compiler.migrate.catalog import Live
from compiler.migrate.errors import ControlError, JournalError
from compiler.migrate.model import Chain, ChainFile, Migration, Step
from compiler.table import ABSENT_FINGERPRINT


@dataclass(frozen=True)
class Snapshot:
    """A table as a migration left it: its shape, and the server's own texts behind it.

    `major` is the server's major version; deparsed texts compare within one only.
    """

    major: int
    shape: JsonDocument
    deparsed: JsonDocument

    @classmethod
    def of(cls, live: Live, major: int) -> Snapshot:
        """The snapshot of a table as it is now."""
        return cls(major, live.shape.document, live.deparsed)


@dataclass(frozen=True)
class Entry:
    """One journalled migration.

    `snapshot` is the table after its last finished step. `done` counts these; `started` says whether a step after them,
    one without a transaction, was begun.
    """

    number: int
    file_sha256: str
    after: str
    snapshot: Snapshot | None
    finished: bool = True
    done: int = 0
    started: bool = False


@dataclass(frozen=True)
class Position:
    """Where a dataset version's chain stands in this database."""

    entries: tuple[Entry, ...]

    @property
    def fingerprint(self) -> str:
        """The fingerprint that the live table must have."""
        if self.interrupted is not None and self.snapshot is not None:
            return self.snapshot.shape.sha256
        return self.entries[-1].after if self.entries else ABSENT_FINGERPRINT

    @property
    def snapshot(self) -> Snapshot | None:
        """The table as the last finished step left it; None before the first."""
        return self.entries[-1].snapshot if self.entries else None

    @property
    def interrupted(self) -> Entry | None:
        """The migration that was begun and not finished, if there is one; it is the last."""
        return self.entries[-1] if self.entries and not self.entries[-1].finished else None


def tolerated(position: Position, chain: Chain) -> frozenset[str]:
    """Other fingerprints that the live table may have: those of a step that was begun and not seen to end."""
    entry = position.interrupted
    if entry is None or not entry.started:
        return frozenset()
    steps = next(file.migration.steps for file in chain.files if file.migration.number == entry.number)
    return frozenset((*steps[entry.done].partial, steps[entry.done].after))


def server_major(connection: Connection[Any]) -> int:
    """15, 16, …"""
    return connection.info.server_version // 10_000


def read_position(connection: Connection[Any], dataset: str, version: int) -> Position:
    """The journal of a dataset version. Raises ControlError where there is no control schema."""
    try:
        rows = connection.execute(
            "SELECT m.number, m.file_sha256, m.to_fingerprint, m.snapshot, m.finished_at IS NOT NULL,"
            " count(s.finished_at), count(s.step) > count(s.finished_at)"
            " FROM sluice.migrations AS m LEFT JOIN sluice.migration_steps AS s USING (dataset, version, number)"
            " WHERE dataset = %s AND version = %s GROUP BY m.dataset, m.version, m.number ORDER BY m.number",
            (dataset, version),
        ).fetchall()
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        raise ControlError(
            "The control schema sluice is not there.",
            "Bring up the Pulumi program's Foundation, or run `sluice migrate apply` as a role that may create it.",
        ) from None
    return Position(
        tuple(
            Entry(number, file, after, _snapshot(snapshot), *rest)
            for number, file, after, snapshot, *rest in rows
        )
    )


def pending(position: Position, chain: Chain) -> tuple[ChainFile, ...]:
    """The chain's files that the database has not finished. Raises JournalError where the journal is no part of the chain."""
    known = {member.migration.number: member for member in chain.files}
    for entry in position.entries:
        member = known.get(entry.number)
        if member is None:
            raise JournalError(
                f"{chain.dataset} v{chain.version}: the database has migration {entry.number:04d}, which is not in "
                "this chain: the database is ahead of git.",
                f"Check out the commit that has it; or after a revert, `sluice plan {chain.dataset} --undo "
                f"{entry.number:04d}` brings the file back and plans the way from there.",
            )
        if member.sha256 != entry.file_sha256:
            raise JournalError(
                f"{chain.dataset} v{chain.version}: {member.name} was applied with other contents "
                f"({entry.file_sha256}); the file here has {member.sha256}.",
                "Restore the file that was applied; a new change is a new migration.",
            )
    return chain.files[len(position.entries) - (position.interrupted is not None) :]


def is_begun(connection: Connection[Any], migration: Migration) -> bool:
    """Whether the journal has the migration."""
    row = connection.execute(
        "SELECT 1 FROM sluice.migrations WHERE dataset = %s AND version = %s AND number = %s",
        (migration.dataset, migration.version, migration.number),
    ).fetchone()
    return row is not None


def begin(connection: Connection[Any], member: ChainFile, snapshot: Snapshot | None) -> None:
    """Enter a migration, in its first transaction; `snapshot` is the table before it, None where there was none."""
    new = member.migration
    connection.execute(
        "INSERT INTO sluice.migrations"
        " (dataset, version, number, phase, file_sha256, from_fingerprint, to_fingerprint)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s)",
        (new.dataset, new.version, new.number, new.phase, member.sha256, new.before, new.after),
    )
    if snapshot is not None:
        keep(connection, new, snapshot)


def record_step(connection: Connection[Any], migration: Migration, number: int, step: Step) -> None:
    """Enter a step that has run."""
    connection.execute(
        "INSERT INTO sluice.migration_steps"
        " (dataset, version, number, step, sql_sha256, started_at, finished_at)"
        " VALUES (%s, %s, %s, %s, %s, statement_timestamp(), clock_timestamp())",
        (migration.dataset, migration.version, migration.number, number, step.sql_sha256),
    )


def start_step(connection: Connection[Any], migration: Migration, number: int, step: Step) -> None:
    """Enter a step before it runs: whatever ends it, the next run knows that it may find it half done."""
    connection.execute(
        "INSERT INTO sluice.migration_steps (dataset, version, number, step, sql_sha256, started_at)"
        " VALUES (%s, %s, %s, %s, %s, clock_timestamp())"
        " ON CONFLICT (dataset, version, number, step) DO UPDATE SET started_at = excluded.started_at",
        (migration.dataset, migration.version, migration.number, number, step.sql_sha256),
    )


def finish_step(connection: Connection[Any], migration: Migration, number: int) -> None:
    """Close a step that `start_step` entered."""
    connection.execute(
        "UPDATE sluice.migration_steps SET finished_at = clock_timestamp()"
        " WHERE dataset = %s AND version = %s AND number = %s AND step = %s",
        (migration.dataset, migration.version, migration.number, number),
    )


def keep(connection: Connection[Any], migration: Migration, snapshot: Snapshot) -> None:
    """Keep the table as the migration's steps have left it so far."""
    document = {
        "major": snapshot.major,
        "shape": snapshot.shape.value,
        "deparsed": snapshot.deparsed.value,
    }
    connection.execute(
        "UPDATE sluice.migrations SET snapshot = %s::json"
        " WHERE dataset = %s AND version = %s AND number = %s",
        (canonical(document).decode(), migration.dataset, migration.version, migration.number),
    )


def finish(connection: Connection[Any], migration: Migration) -> None:
    """Close a migration whose last step has run."""
    connection.execute(
        "UPDATE sluice.migrations SET finished_at = clock_timestamp()"
        " WHERE dataset = %s AND version = %s AND number = %s",
        (migration.dataset, migration.version, migration.number),
    )


def _snapshot(value: Json) -> Snapshot | None:
    if value is None:
        return None
    return Snapshot(value["major"], JsonDocument.of(value["shape"]), JsonDocument.of(value["deparsed"]))
