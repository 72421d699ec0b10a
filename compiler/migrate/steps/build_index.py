"""Build an index on a table that is in use, while it is."""

from __future__ import annotations

from dataclasses import replace

from compiler.migrate import render
from compiler.migrate.model import Effort, Lock, Mode, Step
from compiler.migrate.quoting import identifier
from compiler.migrate.state import State
from compiler.table import TableIndex


def after(state: State, index: TableIndex) -> State:
    """The index is there; a partial one still lacks its predicate's id."""
    indexes = tuple(sorted((*state.table.indexes, index), key=lambda one: one.name))
    unnamed = state.unnamed | ({index.name} if index.predicate_id else set())
    return replace(state.with_table(replace(state.table, indexes=indexes)), unnamed=unnamed)


def interrupted(state: State, index: TableIndex) -> State:
    """What a killed or failed build leaves: the index, invalid."""
    built = after(state, index)
    return replace(built, unnamed=state.unnamed, invalid=state.invalid | {index.name})


def step(state: State, index: TableIndex) -> Step:
    """CREATE INDEX CONCURRENTLY waits for every older transaction through a lock, so a lock timeout would only break it."""
    return Step(
        title=f"create index {identifier(index.name)}",
        sql=render.index_statement(state.table, index, concurrently=True),
        lock=Lock.SHARE_UPDATE_EXCLUSIVE,
        effort=Effort.SCAN,
        after=after(state, index).fingerprint,
        mode=Mode.NONE,
        lock_timeout=0,
        partial=(interrupted(state, index).fingerprint,),
        recovery=f"DROP INDEX CONCURRENTLY {identifier(state.table.schema, index.name)};",
    )
