"""Drop a column with what is in it, once no sink writes it any more."""

from __future__ import annotations

from dataclasses import replace

from compiler.migrate import render
from compiler.migrate.grants import view_made_anew
from compiler.migrate.model import INSTANT_SECONDS, Effort, Hazard, Lock, Mode, Step
from compiler.migrate.quoting import identifier
from compiler.migrate.state import State
from compiler.table import View


def after(state: State, column: str) -> State:
    """The column is gone, from the view too."""
    table = state.table
    kept = tuple(one for one in table.columns if one.name != column)
    view = View(table.view.name, tuple(name for name in table.view.columns if name != column))
    return state.with_table(replace(table, columns=kept, view=view))


def step(state: State, column: str) -> Step:
    """Postgres marks the column as dropped and reads no row; what was in it cannot be had back.

    A view cannot lose a column of its own, so it is made anew, before the table is locked, as readers do.
    """
    gone = after(state, column)
    drop = f"ALTER TABLE {render.relation(state.table)} DROP COLUMN {identifier(column)};"
    shown = column in state.table.view.columns
    return Step(
        title=f"drop column {identifier(column)}",
        sql=view_made_anew(gone.table, drop) if shown else drop,
        lock=Lock.ACCESS_EXCLUSIVE,
        effort=Effort.INSTANT,
        after=gone.fingerprint,
        mode=Mode.OWN,
        hazard=Hazard.DATA_LOSS,
        statement_timeout=INSTANT_SECONDS,
    )
