"""Files that make what was done by hand are entered, not run, where the table is so already."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import Any

from psycopg import Connection

from compiler.migrate import catalog, journal
from compiler.migrate.catalog import Live
from compiler.migrate.drift import edited
from compiler.migrate.journal import Entry, Position, Snapshot
from compiler.migrate.model import Chain, ChainFile
from compiler.migrate.relations import relation_of


def made_by_hand(
    position: Position, live: Live | None, files: Sequence[ChainFile], major: int
) -> tuple[ChainFile, ...]:
    """The first of the pending files, up to the last that adopts what the live table has already."""
    first = tuple(takewhile(lambda member: member.migration.adopts, files))
    if not first or live is None or live.odd or position.interrupted or not position.snapshot:
        return ()
    found = live.shape.fingerprint
    ends = [count for count, member in enumerate(first, start=1) if member.migration.after == found]
    if not ends or found == position.fingerprint or _is_edited(position.snapshot, live, major):
        return ()
    return first[: ends[-1]]


def _is_edited(kept: Snapshot, live: Live, major: int) -> bool:
    """Whether something was edited under the name that it had. A default has no name, and stands in the shape."""
    texts = edited(kept.deparsed.value, live.deparsed.value) if kept.major == major else ()
    return any(not text.startswith("default of column") for text in texts)


def foreseen(position: Position, live: Live | None, files: Sequence[ChainFile], major: int) -> Position:
    """The journal as it is once these files are entered."""
    members = made_by_hand(position, live, files, major)
    if not members or live is None:
        return position
    snapshot = Snapshot.of(live, major)
    entries = (Entry(one.migration.number, one.sha256, one.migration.after, snapshot) for one in members)
    return Position((*position.entries, *entries))


def enter(connection: Connection[Any], chain: Chain, position: Position) -> tuple[ChainFile, ...]:
    """Enter them in the journal as applied, with the table as it is; in one transaction. No table is changed."""
    live = catalog.read(connection, relation_of(chain))
    major = journal.server_major(connection)
    members = made_by_hand(position, live, journal.pending(position, chain), major)
    with connection.transaction():
        for member in members:
            assert live is not None
            journal.begin(connection, member, None)
            for number, step in enumerate(member.migration.steps, start=1):
                journal.record_step(connection, member.migration, number, step)
            journal.keep(connection, member.migration, Snapshot.of(live, major))
            journal.finish(connection, member.migration)
    return members
