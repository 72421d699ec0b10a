"""Add one column: nullable, or with a default that Postgres need not compute row by row."""

from __future__ import annotations

from dataclasses import replace

from compiler.migrate import render
from compiler.migrate.model import INSTANT_SECONDS, Effort, Lock, Step
from compiler.migrate.quoting import identifier
from compiler.migrate.state import State
from compiler.table import TableColumn


def after(state: State, column: TableColumn) -> State:
    """The column is the last one; its comment and its place in the view come later."""
    bare = replace(column, comment=None)
    return state.with_table(replace(state.table, columns=(*state.table.columns, bare)))


def step(state: State, column: TableColumn) -> Step:
    """A constant, or now(), is computed once and kept in the catalog: no row is written.

    Sinks that do not know the column leave it null or at its default.
    """
    return Step(
        title=f"add column {identifier(column.name)}",
        sql=render.add_column(state.table, column),
        lock=Lock.ACCESS_EXCLUSIVE,
        effort=Effort.INSTANT,
        after=after(state, column).fingerprint,
        statement_timeout=INSTANT_SECONDS,
    )
