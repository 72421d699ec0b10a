"""Run one migration file: its steps in the transactions that they ask for, each journalled with the table that it left.

A transaction's steps, their journal rows and the proof of what they left are one: a kill leaves the state before or
after. A step without a transaction is journalled before it begins, so that the next run knows what it may find.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.sql import SQL
from tenacity import Retrying, retry_if_result, wait_fixed

from compiler.migrate import blockers, catalog, journal
from compiler.migrate.difference import differences
from compiler.migrate.errors import StepError, StoppedError
from compiler.migrate.journal import Entry, Snapshot
from compiler.migrate.model import ChainFile, Lock, Mode, Step
from compiler.migrate.patience import Patience
from compiler.migrate.relations import Relation, size_of
from compiler.migrate.stop import Stop, never
from compiler.migrate.violations import violations
from compiler.migrate.watch import watched
from compiler.table import ABSENT_FINGERPRINT, Table

# How large a table may be that a step writes anew while nobody reads or writes it: about two seconds' work.
REWRITE_BYTES = 128 * 1024 * 1024
# How often another session's build is asked after.
BUILDER_SECONDS = 0.5

Progress = Callable[[str], None]
Part = tuple[tuple[int, Step], ...]
_STRENGTH = (Lock.NONE, Lock.SHARE, Lock.SHARE_UPDATE_EXCLUSIVE, Lock.ACCESS_EXCLUSIVE)


@dataclass(frozen=True)
class Runner:
    """A session that holds the dataset's lock, and the table that it works on.

    `end` is the Table after the chain, which names objects when a step left another one than it declares.
    """

    connection: Connection[Any]
    relation: Relation
    end: Table
    progress: Progress
    patience: Patience
    stop: Stop = never

    def run(self, member: ChainFile, interrupted: Entry | None) -> None:
        """Run what is left of the file; `interrupted` is its journal entry where it was begun before.

        Raises StepError, LockError, StoppedError.
        """
        done = interrupted.done if interrupted else 0
        for part in parts(member.migration.steps):
            first = part[0][0]
            if first <= done:
                continue
            if self.stop():
                raise StoppedError(
                    f"Stopped before step {first} of {member.migration.dataset} {member.name}.",
                    "What was finished is kept. Run the command again to go on there.",
                )
            if part[0][1].mode is Mode.NONE:
                begun = interrupted is not None and first == done + 1 and interrupted.started
                self._alone(member, *part[0], begun=begun)
            else:
                self._together(member, part)

    def _together(self, member: ChainFile, part: Part) -> None:
        """Steps in one transaction, tried again while other sessions hold a lock that one of them needs."""
        for number, step in part:
            self._look(member, number, step)
        self.patience.attempt(
            lambda: self._transaction(member, part), lambda: self._in_the_way(part), self.progress
        )

    def _transaction(self, member: ChainFile, part: Part) -> None:
        with self.connection.transaction():
            self._begin(member, part[0][0])
            for number, step in part:
                self._limits(step, local=True)
                self._tell(number, step)
                with watched(self.connection, self.progress) if step.scan else nullcontext():
                    self._execute(member, number, step, step.sql)
                journal.record_step(self.connection, member.migration, number, step)
            self._prove(member, *part[-1])

    def _alone(self, member: ChainFile, number: int, step: Step, *, begun: bool) -> None:
        """One statement without a transaction. What it leaves half done, the next run finds by its journal row."""
        self._tell(number, step)
        with self.connection.transaction():
            self._begin(member, number)
        self._limits(step, local=False)
        try:
            if not (begun and self._recovered(member, number, step)):
                self._look(member, number, step)
                journal.start_step(self.connection, member.migration, number, step)
                with watched(self.connection, self.progress):
                    self._execute(member, number, step, step.sql)
        finally:
            self._no_limits()
        with self.connection.transaction():
            journal.finish_step(self.connection, member.migration, number)
            self._prove(member, number, step)

    def _look(self, member: ChainFile, number: int, step: Step) -> None:
        """What a step could not do is found before it takes a lock: rows in its way, or too many to write anew.

        Raises StepError.
        """
        place = f"{member.migration.dataset} {member.name}, step {number} ({step.title})"
        found = violations(self.connection, step)
        if found:
            raise StepError(
                f"{place} cannot be done, for {found}.",
                f"{_kept(number, step)} Mend the rows that `{step.violations}` finds, or plan a new version; "
                "then run the command again.",
            )
        for text in too_large(size_of(self.connection, self.relation)) if step.rewrite else ():
            raise StepError(
                f"{place} {text}",
                f"{_kept(number, step)} Set `version` one higher: a new version is a table of its own.",
            )

    def _recovered(self, member: ChainFile, number: int, step: Step) -> bool:
        """Whether the step was finished after all; what it left half done is cleared away."""
        self._wait_for_builder()
        live = catalog.read(self.connection, self.relation)
        found = live.shape.fingerprint if live else ABSENT_FINGERPRINT
        if found in step.partial and step.recovery:
            self.progress(f"  after a kill: {step.recovery}")
            self._execute(member, number, step, step.recovery)
        return found == step.after

    def _wait_for_builder(self) -> None:
        """A build that is still at work is waited for, however long, and never undone.

        By asking, not by queueing for its lock: whoever queues may hold the snapshot that the build waits for.
        """
        told: set[int] = set()

        def at_work() -> bool:
            found = blockers.builders(self.connection, self.relation, told)
            for pid, session in found:
                if pid not in told:
                    self.progress(f"  another session works on the table; waiting for it: {session}")
            told.update(pid for pid, _ in found)
            return bool(found)

        Retrying(retry=retry_if_result(bool), wait=wait_fixed(BUILDER_SECONDS))(at_work)

    def _begin(self, member: ChainFile, number: int) -> None:
        if number == 1 and not journal.is_begun(self.connection, member.migration):
            journal.begin(self.connection, member, self._snapshot())

    def _snapshot(self) -> Snapshot | None:
        live = catalog.read(self.connection, self.relation)
        return Snapshot.of(live, journal.server_major(self.connection)) if live else None

    def _prove(self, member: ChainFile, number: int, step: Step) -> None:
        """The table as the step left it must be the one that the file declares; it is kept in the journal."""
        live = catalog.read(self.connection, self.relation)
        if live is None or live.odd or live.shape.fingerprint != step.after:
            found = live.shape.document.value if live else None
            wrong = [*differences(self.end.shape.document.value, found), *(live.odd if live else ())]
            raise StepError(
                f"{member.migration.dataset} {member.name}, step {number} ({step.title}) left another table than it "
                f"declares: {'; '.join(wrong)}.",
                f"{_kept(number, step)} Please report it with the file.",
            )
        journal.keep(
            self.connection, member.migration, Snapshot.of(live, journal.server_major(self.connection))
        )
        if number == len(member.migration.steps):
            journal.finish(self.connection, member.migration)

    def _execute(self, member: ChainFile, number: int, step: Step, sql: str) -> None:
        try:
            self.connection.execute(SQL(sql))  # the reviewed text, as it is
        except psycopg.errors.LockNotAvailable:
            raise
        except psycopg.Error as error:
            place = f"{member.migration.dataset} {member.name}, step {number} ({step.title})"
            text = error.diag.message_primary or "the connection was lost"
            fix = f"{_kept(number, step)} Remove the cause, then run the command again."
            raise StepError(f"{place} failed: {text} (SQLSTATE {error.sqlstate or 'none'}).", fix) from None

    def _limits(self, step: Step, *, local: bool) -> None:
        for name, seconds in (
            ("lock_timeout", step.lock_timeout),
            ("statement_timeout", step.statement_timeout),
        ):
            self.connection.execute("SELECT pg_catalog.set_config(%s, %s, %s)", (name, f"{seconds}s", local))

    def _no_limits(self) -> None:
        if not self.connection.closed:
            self.connection.execute(
                "SELECT pg_catalog.set_config('lock_timeout', '0', false),"
                " pg_catalog.set_config('statement_timeout', '0', false)"
            )

    def _in_the_way(self, part: Part) -> str:
        strongest = max((step.lock for _, step in part), key=_STRENGTH.index)
        sessions = blockers.holders(self.connection, self.relation, strongest)
        return "; ".join(sessions) or "a session that has ended since"

    def _tell(self, number: int, step: Step) -> None:
        self.progress(f"  step {number}: {step.title}    lock {step.lock}, {step.effort}")


def too_large(size: int) -> Iterator[str]:
    """Why a table of so many bytes is not written anew; nothing where it may be."""
    if size > REWRITE_BYTES:
        yield (
            f"would write {size // 2**20} MiB anew, and nobody could read or write meanwhile; the limit is "
            f"{REWRITE_BYTES // 2**20} MiB."
        )


def parts(steps: tuple[Step, ...]) -> Iterator[Part]:
    """The numbered steps, those of one transaction together."""
    numbered = enumerate(steps, start=1)
    # A step that is not shared is a group of its own, so its number is in the key.
    for _, group in groupby(numbered, lambda one: 0 if one[1].mode is Mode.SHARED else one[0]):
        yield tuple(group)


def _kept(number: int, step: Step) -> str:
    """What a step that failed leaves."""
    if step.mode is Mode.NONE:
        return "Finished steps are kept; what this one may have half done, the next run clears away."
    return (
        "Nothing was changed."
        if number == 1
        else "Nothing was changed by it; finished transactions are kept."
    )
