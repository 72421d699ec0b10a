"""The guard: the live table is the one that the journal says it left, object by object, or nothing is changed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from psycopg import Connection

from compiler.canonical import Json
from compiler.migrate import catalog
from compiler.migrate.catalog import Live
from compiler.migrate.difference import differences
from compiler.migrate.errors import DriftError
from compiler.migrate.journal import Position, server_major
from compiler.migrate.relations import Relation
from compiler.table import ABSENT_FINGERPRINT

_VIEW = re.compile(r"SELECT (.+) (FROM \S+;)")


def guard(
    connection: Connection[Any], relation: Relation, position: Position, tolerated: frozenset[str]
) -> Live | None:
    """The live table, proven to be what the journal expects. Raises DriftError naming what differs."""
    live = catalog.read(connection, relation)
    objects = tuple(drift(live, position, server_major(connection), tolerated))
    if objects:
        raise DriftError(str(relation), objects, relation.view)
    return live


def drift(live: Live | None, position: Position, major: int, tolerated: frozenset[str]) -> Iterator[str]:
    """How the live table differs from the one that the journal's last finished step left.

    `tolerated` are the fingerprints that an interrupted step may have left instead.
    """
    snapshot = position.snapshot
    if live and snapshot and live.shape.fingerprint in tolerated:
        yield from live.odd
        yield from edited(snapshot.deparsed.value, live.deparsed.value) if snapshot.major == major else ()
        return
    found = live.shape.document.value if live else None
    changes = differences(snapshot.shape.value if snapshot else None, found)
    yield from changes
    yield from live.odd if live else ()
    fingerprint = live.shape.fingerprint if live else ABSENT_FINGERPRINT
    if not changes and fingerprint != position.fingerprint:
        yield f"the fingerprint is {fingerprint}, and the journal says {position.fingerprint}"
    # Another major version may write the same thing differently; its texts are no evidence.
    if live and snapshot and snapshot.major == major:
        yield from edited(snapshot.deparsed.value, live.deparsed.value)


def edited(old: Json, new: Json) -> Iterator[str]:
    """Objects on both sides whose text the server now writes differently: the ids in their names no longer hold."""
    for kind, many in (
        ("default of column", "defaults"),
        ("constraint", "constraints"),
        ("index", "indexes"),
    ):
        for name in sorted(old[many].keys() & new[many].keys()):
            if old[many][name] != new[many][name]:
                yield f"{kind} {name} was edited: {new[many][name]}, not {old[many][name]}"
    if old["view"] and new["view"] and not _shows_less(old["view"], new["view"]):
        yield f"view was edited: {' '.join(new['view'].split())}"


def _shows_less(old: str, new: str) -> bool:
    """Whether a view is as it was but for columns that it shows no longer: those are missed by name, in its shape."""
    if old == new:
        return True
    before, after = (_VIEW.fullmatch(" ".join(text.split())) for text in (old, new))
    if before is None or after is None or before[2] != after[2]:
        return False
    there = after[1].split(", ")
    return [one for one in before[1].split(", ") if one in there] == there
