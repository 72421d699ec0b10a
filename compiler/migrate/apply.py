"""Bring one dataset's chain to a database: what was reviewed is what runs.

One session holds the dataset's advisory lock and does everything. The live table must be the one that the journal
expects, before a file and after it; a file's steps, its journal rows and that proof are one transaction, so a kill at
any point leaves the state before it or after it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from compiler.migrate import catalog, journal, session
from compiler.migrate.control import ControlResult, apply_control
from compiler.migrate.drift import drift, guard
from compiler.migrate.entering import enter, foreseen
from compiler.migrate.errors import JournalError, MigrateError
from compiler.migrate.journal import Position
from compiler.migrate.model import Chain, ChainFile
from compiler.migrate.patience import Patience
from compiler.migrate.relations import relation_of
from compiler.migrate.requirements import (
    require_approvals,
    require_registration,
    require_release,
    require_role,
    require_short,
    sinks_in_need,
)
from compiler.migrate.run import Progress, Runner
from compiler.migrate.session import ConnInfo
from compiler.migrate.stop import Stop, never

PATIENCE = Patience()
WRITER_ROLE_SETTING = "sluice.writer_role"


@dataclass(frozen=True)
class ApplyResult:
    """What an apply did: the names of the files that it ran, and the fingerprint that the table has now."""

    dataset: str
    version: int
    applied: tuple[str, ...]
    fingerprint: str


@dataclass(frozen=True)
class Status:
    """A chain's place in a database.

    `applied` and `pending` are file names; `held_back` tells of the sinks that a pending contract file waits for. `drift` names what was changed outside of the migrations; `trouble` says
    where the journal does not fit the chain. Both are empty where all is well.
    """

    dataset: str
    version: int
    applied: tuple[str, ...]
    pending: tuple[str, ...]
    drift: tuple[str, ...] = ()
    trouble: tuple[str, ...] = ()
    held_back: tuple[str, ...] = ()


def silent(_: str) -> None:
    """No progress."""


def apply_chain(  # noqa: PLR0913 - each is a wish of its own
    conninfo: ConnInfo,
    chain: Chain,
    writer_role: str,
    owner: str | None = None,
    progress: Progress = silent,
    patience: Patience = PATIENCE,
    *,
    expand_only: bool = False,
    stop: Stop = never,
) -> ApplyResult:
    """Apply what the database has not seen of the chain. Applying again changes nothing.

    `writer_role` is the role that the dataset's sink writes as; it must exist. `owner` renews the registry's owner.
    `expand_only` leaves the contract files at the chain's end for later, when the new sinks run.
    Raises MigrateError: ConnectError, ControlError, RoleError, JournalError, ApprovalError, DriftError, StepError,
    LockError, HeldBackError, TooLongError, StoppedError where `stop` says so between two steps.
    """
    with session.connect(conninfo) as connection:
        return apply_in(
            connection, chain, writer_role, owner, progress, patience, expand_only=expand_only, stop=stop
        )


def apply_in(  # noqa: PLR0913 - as above
    connection: Connection[Any],
    chain: Chain,
    writer_role: str,
    owner: str | None = None,
    progress: Progress = silent,
    patience: Patience = PATIENCE,
    *,
    expand_only: bool = False,
    stop: Stop = never,
) -> ApplyResult:
    """As `apply_chain`, in a session that `session.connect` made."""
    session.become_owner(connection)
    require_role(connection, writer_role)
    connection.execute("SELECT pg_catalog.set_config(%s, %s, false)", (WRITER_ROLE_SETTING, writer_role))
    with session.advisory_lock(connection, f"dataset {chain.dataset}", progress):
        return _apply(connection, chain, _How(writer_role, owner, patience, expand_only, stop), progress)


@dataclass(frozen=True)
class _How:
    writer_role: str
    owner: str | None
    patience: Patience
    expand_only: bool
    stop: Stop


def _apply(connection: Connection[Any], chain: Chain, how: _How, progress: Progress) -> ApplyResult:
    position = journal.read_position(connection, chain.dataset, chain.version)
    require_registration(connection, chain, how.writer_role)
    entered = enter(connection, chain, position)
    for member in entered:
        progress(f"{chain.dataset} v{chain.version}: {member.name} (entered: the table is so already)")
    if entered:
        position = journal.read_position(connection, chain.dataset, chain.version)
    files = journal.pending(position, chain)
    if how.expand_only:
        files = tuple(member for member in files if member in chain.expanded)
    require_approvals(chain, files)
    guard(connection, relation_of(chain), position, journal.tolerated(position, chain))
    require_short(connection, chain, files, how.patience.longest)
    runner = Runner(connection, relation_of(chain), chain.table, progress, how.patience, how.stop)
    entry = position.interrupted
    for member in files:
        resumed = entry is not None and entry.number == member.migration.number
        require_release(connection, chain, member)
        progress(f"{chain.dataset} v{chain.version}: {member.name}{' (resumed)' if resumed else ''}")
        runner.run(member, entry if resumed else None)
    _renew_owner(connection, chain, how.owner)
    end = files[-1].migration.after if files else position.fingerprint
    names = tuple(member.name for member in (*entered, *files))
    return ApplyResult(chain.dataset, chain.version, names, end)


def _renew_owner(connection: Connection[Any], chain: Chain, owner: str | None) -> None:
    if owner is not None:
        connection.execute(
            "UPDATE sluice.datasets SET owner = %s WHERE dataset = %s AND owner <> %s",
            (owner, chain.dataset, owner),
        )


def status(conninfo: ConnInfo, chain: Chain) -> Status:
    """Where the chain stands; reads only. Raises MigrateError where that cannot be told."""
    with session.connect(conninfo) as connection:
        session.become_owner(connection)
        return status_in(connection, chain)


def status_in(connection: Connection[Any], chain: Chain) -> Status:
    """As `status`, in a session that has become the owner."""
    position = journal.read_position(connection, chain.dataset, chain.version)
    names = {member.migration.number: member.name for member in chain.files}
    finished = [entry for entry in position.entries if entry.finished]
    applied = tuple(names.get(entry.number, f"{entry.number:04d}") for entry in finished)
    try:
        waiting = journal.pending(position, chain)
    except JournalError as error:
        return Status(chain.dataset, chain.version, applied, (), trouble=(str(error),))
    names_of_waiting = tuple(member.name for member in waiting)
    held = tuple(text for member in waiting for text in sinks_in_need(connection, chain, member))
    drifted = _drift(connection, chain, position, waiting)
    return Status(chain.dataset, chain.version, applied, names_of_waiting, drifted, held_back=held)


def _drift(
    connection: Connection[Any], chain: Chain, position: Position, waiting: tuple[ChainFile, ...]
) -> tuple[str, ...]:
    live, major = catalog.read(connection, relation_of(chain)), journal.server_major(connection)
    position = foreseen(position, live, waiting, major)
    return tuple(drift(live, position, major, journal.tolerated(position, chain)))


__all__ = [
    "ApplyResult",
    "ControlResult",
    "MigrateError",
    "Status",
    "apply_chain",
    "apply_control",
    "apply_in",
    "relation_of",
    "status",
    "status_in",
]
