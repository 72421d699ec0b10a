"""Let a column be null: rows without a value for it may come."""

from __future__ import annotations

from dataclasses import replace

from compiler.migrate import render
from compiler.migrate.model import INSTANT_SECONDS, Effort, Lock, Step
from compiler.migrate.quoting import identifier
from compiler.migrate.state import State


def after(state: State, column: str) -> State:
    """The column takes null."""
    columns = tuple(replace(one, nullable=True) if one.name == column else one for one in state.table.columns)
    return state.with_table(replace(state.table, columns=columns))


def step(state: State, column: str) -> Step:
    """Sinks that always write it go on as before."""
    relation = render.relation(state.table)
    return Step(
        title=f"let {identifier(column)} be null",
        sql=f"ALTER TABLE {relation} ALTER COLUMN {identifier(column)} DROP NOT NULL;",
        lock=Lock.ACCESS_EXCLUSIVE,
        effort=Effort.INSTANT,
        after=after(state, column).fingerprint,
        statement_timeout=INSTANT_SECONDS,
    )
