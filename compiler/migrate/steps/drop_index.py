"""Drop an index of a table that is in use, while it is."""

from __future__ import annotations

from dataclasses import replace

from compiler.migrate.model import Effort, Lock, Mode, Step
from compiler.migrate.quoting import identifier
from compiler.migrate.state import State
from compiler.table import TableIndex


def after(state: State, index: TableIndex) -> State:
    """The index is gone."""
    indexes = tuple(one for one in state.table.indexes if one.name != index.name)
    return state.with_table(replace(state.table, indexes=indexes))


def interrupted(state: State, index: TableIndex) -> State:
    """What a kill leaves: the index, invalid, which the same statement drops."""
    return replace(state, invalid=state.invalid | {index.name})


def step(state: State, index: TableIndex) -> Step:
    """DROP INDEX CONCURRENTLY waits for older transactions through a lock, so a lock timeout would only break it."""
    return Step(
        title=f"drop index {identifier(index.name)}",
        sql=f"DROP INDEX CONCURRENTLY {identifier(state.table.schema, index.name)};",
        lock=Lock.SHARE_UPDATE_EXCLUSIVE,
        effort=Effort.INSTANT,
        after=after(state, index).fingerprint,
        mode=Mode.NONE,
        lock_timeout=0,
        partial=(interrupted(state, index).fingerprint,),
    )
