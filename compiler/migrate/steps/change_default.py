"""Set, change or drop a column's default: what rows that come later get."""

from __future__ import annotations

from dataclasses import replace

from compiler.migrate import render
from compiler.migrate.model import INSTANT_SECONDS, Effort, Lock, Step
from compiler.migrate.quoting import identifier
from compiler.migrate.state import State
from compiler.table import TableColumn


def after(state: State, column: TableColumn) -> State:
    """The column of that name has the default of `column`."""
    columns = tuple(
        replace(one, default=column.default) if one.name == column.name else one
        for one in state.table.columns
    )
    return state.with_table(replace(state.table, columns=columns))


def step(state: State, column: TableColumn) -> Step:
    """Rows that are there keep their values."""
    change = "drop the default of" if render.default(column) is None else "set the default of"
    return Step(
        title=f"{change} {identifier(column.name)}",
        sql=render.change_default(state.table, column),
        lock=Lock.ACCESS_EXCLUSIVE,
        effort=Effort.INSTANT,
        after=after(state, column).fingerprint,
        statement_timeout=INSTANT_SECONDS,
    )
