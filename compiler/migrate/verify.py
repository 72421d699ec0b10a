"""Is the live table the one that the journal says it left? After an upgrade of the server, keep its new texts too.

A new major version may write the same CHECK differently, so the kept texts are evidence within one major version only.
Where the shape is the expected one, `verify` puts this server's texts in their place, and names each that differs: an edit
that was made since the upgrade would be among them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from compiler.migrate import catalog, journal, session
from compiler.migrate.apply import silent
from compiler.migrate.catalog import Live
from compiler.migrate.drift import drift, edited
from compiler.migrate.errors import JournalError
from compiler.migrate.journal import Position, Snapshot
from compiler.migrate.model import Chain
from compiler.migrate.relations import relation_of
from compiler.migrate.run import Progress


@dataclass(frozen=True)
class Verified:
    """What was found, and done.

    `last` is the last migration in the journal, None where there is none. `wrong` names what is not as the journal says;
    empty where all is. `rebased` is (old, new) major version where the kept texts were replaced, and `rewritten` the
    objects whose text is another now.
    """

    dataset: str
    version: int
    last: str | None
    wrong: tuple[str, ...] = ()
    rebased: tuple[int, int] | None = None
    rewritten: tuple[str, ...] = ()


def verify_in(connection: Connection[Any], chain: Chain, progress: Progress = silent) -> Verified:
    """Read the table back, and keep its texts where the server's major version is new. The session is the owner's.

    Raises ControlError where there is no journal.
    """
    with session.advisory_lock(connection, f"dataset {chain.dataset}", progress):
        position = journal.read_position(connection, chain.dataset, chain.version)
        last = _last(position, chain)
        try:
            journal.pending(position, chain)
        except JournalError as error:
            return Verified(chain.dataset, chain.version, last, (str(error),))
        live = catalog.read(connection, relation_of(chain))
        major = journal.server_major(connection)
        wrong = tuple(drift(live, position, major, journal.tolerated(position, chain)))
        if live is None or wrong or position.interrupted:
            return Verified(chain.dataset, chain.version, last, wrong or _unfinished(position, last))
        return _rebased(connection, chain, position, live, last)


def _last(position: Position, chain: Chain) -> str | None:
    names = {member.migration.number: member.name for member in chain.files}
    numbers = [entry.number for entry in position.entries]
    return names.get(numbers[-1], f"{numbers[-1]:04d}") if numbers else None


def _unfinished(position: Position, last: str | None) -> tuple[str, ...]:
    return (f"{last} was begun and is not finished",) if position.interrupted else ()


def _rebased(
    connection: Connection[Any], chain: Chain, position: Position, live: Live, last: str | None
) -> Verified:
    major, kept = journal.server_major(connection), position.snapshot
    assert kept is not None, "a table without drift has a journal"
    if kept.major == major:
        return Verified(chain.dataset, chain.version, last)
    member = chain.files[len(position.entries) - 1]
    journal.keep(connection, member.migration, Snapshot.of(live, major))
    rewritten = tuple(edited(kept.deparsed.value, live.deparsed.value))
    return Verified(chain.dataset, chain.version, last, (), (kept.major, major), rewritten)
