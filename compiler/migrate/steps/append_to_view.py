"""Show new columns in the public relation, behind those that it has."""

from __future__ import annotations

from dataclasses import replace

from compiler.migrate import render
from compiler.migrate.model import INSTANT_SECONDS, Effort, Lock, Mode, Step
from compiler.migrate.quoting import identifier
from compiler.migrate.state import State
from compiler.table import View


def after(state: State, columns: tuple[str, ...]) -> State:
    """The view with `columns` at its end."""
    view = View(state.table.view.name, (*state.table.view.columns, *columns))
    return state.with_table(replace(state.table, view=view))


def step(state: State, columns: tuple[str, ...]) -> Step:
    """The view is replaced, not made anew: its privileges, comments and the views built on it stay.

    A transaction of its own: readers lock the view before the table, so nobody may hold the table and ask for the view.
    """
    shown = after(state, columns)
    return Step(
        title=f"show {', '.join(map(identifier, columns))} in view {identifier(shown.table.view.name)}",
        sql=render.append_to_view(shown.table),
        lock=Lock.ACCESS_EXCLUSIVE,
        effort=Effort.INSTANT,
        after=shown.fingerprint,
        mode=Mode.OWN,
        statement_timeout=INSTANT_SECONDS,
    )
