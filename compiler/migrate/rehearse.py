"""What an apply would do to a database, and everything that stands in its way. Reads only, under no lock.

Rows in the way of a step are counted; those of a step that works on what an earlier one makes cannot be counted yet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import Connection

from compiler.migrate import catalog, journal
from compiler.migrate.drift import guard
from compiler.migrate.entering import foreseen
from compiler.migrate.errors import MigrateError
from compiler.migrate.journal import Position
from compiler.migrate.model import Chain, ChainFile, Step
from compiler.migrate.relations import Relation, relation_of, size_of
from compiler.migrate.requirements import (
    require_approvals,
    require_registration,
    require_release,
    require_role,
)
from compiler.migrate.run import too_large
from compiler.migrate.violations import Violations, violations


@dataclass(frozen=True)
class Foreseen:
    """A step that would run.

    `rows` are those in its way; `later`: they can be found only when other steps have run.
    """

    file: ChainFile
    number: int
    step: Step
    rows: Violations | None
    later: bool = False


@dataclass(frozen=True)
class Rehearsal:
    """What would run, in order, and what stands in its way; nothing does where `obstacles` is empty."""

    dataset: str
    version: int
    steps: tuple[Foreseen, ...]
    obstacles: tuple[str, ...]


def rehearse(connection: Connection[Any], chain: Chain, writer_role: str, *, prepared: bool) -> Rehearsal:
    """As an apply would find the database; `prepared` says whether it has the control schema yet.

    The session may only read from here on.
    """
    connection.execute("SELECT pg_catalog.set_config('default_transaction_read_only', 'on', false)")
    try:
        position = (
            journal.read_position(connection, chain.dataset, chain.version) if prepared else Position(())
        )
        files = journal.pending(position, chain)
    except MigrateError as error:
        return Rehearsal(chain.dataset, chain.version, (), (str(error),))
    live = catalog.read(connection, relation_of(chain))
    position = foreseen(position, live, files, journal.server_major(connection))
    files = journal.pending(position, chain)
    steps = tuple(_steps(connection, position, files))
    obstacles = (
        *_requirements(connection, chain, position, files, writer_role, prepared=prepared),
        *(text for one in steps for text in _in_the_way(connection, relation_of(chain), one)),
    )
    return Rehearsal(chain.dataset, chain.version, steps, obstacles)


def _requirements(
    connection: Connection[Any],
    chain: Chain,
    position: Position,
    files: tuple[ChainFile, ...],
    writer_role: str,
    *,
    prepared: bool,
) -> Iterator[str]:
    tolerated = journal.tolerated(position, chain)
    yield from _refusal(lambda: require_role(connection, writer_role))
    for member in files:
        yield from _refusal(lambda member=member: require_approvals(chain, (member,)))  # type: ignore[misc]
    yield from _refusal(lambda: guard(connection, relation_of(chain), position, tolerated))
    if prepared:
        yield from _refusal(lambda: require_registration(connection, chain, writer_role))
        for member in files:
            yield from _refusal(lambda member=member: require_release(connection, chain, member))  # type: ignore[misc]


def _refusal(check: Callable[[], object]) -> Iterator[str]:
    """What a check refuses with, if it does. Why it does is told, not that nothing was changed: nothing is here."""
    try:
        check()
    except MigrateError as error:
        yield error.message.rstrip()


def _steps(
    connection: Connection[Any], position: Position, files: tuple[ChainFile, ...]
) -> Iterator[Foreseen]:
    entry = position.interrupted
    for member in files:
        done = entry.done if entry and entry.number == member.migration.number else 0
        for number, step in enumerate(member.migration.steps, start=1):
            if number > done:
                try:
                    yield Foreseen(member, number, step, violations(connection, step))
                except (psycopg.errors.UndefinedColumn, psycopg.errors.UndefinedTable):
                    yield Foreseen(member, number, step, None, later=True)


def _in_the_way(connection: Connection[Any], relation: Relation, one: Foreseen) -> Iterator[str]:
    place = f"{one.file.name}, step {one.number} ({one.step.title})"
    if one.rows:
        yield f"{place} cannot be done, for {one.rows}. `{one.step.violations}` finds them."
    if one.step.rewrite:
        yield from (f"{place} {text}" for text in too_large(size_of(connection, relation)))
