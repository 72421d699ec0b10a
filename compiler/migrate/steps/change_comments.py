"""Describe a table that others use: the comments on it, its columns and its view that are other than before."""

from __future__ import annotations

from dataclasses import replace

from compiler.migrate import render
from compiler.migrate.model import INSTANT_SECONDS, Effort, Lock, Mode, Step
from compiler.migrate.quoting import identifier
from compiler.migrate.state import State
from compiler.table import Table


def after(state: State, target: Table) -> State:
    """The comments of `target` on the table as it is."""
    texts = {column.name: column.comment for column in target.columns}
    columns = tuple(replace(one, comment=texts.get(one.name)) for one in state.table.columns)
    return state.with_table(replace(state.table, columns=columns, comment=target.comment))


def step(state: State, target: Table) -> Step:
    """Readers and writers do not wait for a comment."""
    return Step(
        title=f"comment on {identifier(target.name)}",
        sql=render.changed_comments(state.table, after(state, target).table),
        lock=Lock.SHARE_UPDATE_EXCLUSIVE,
        effort=Effort.INSTANT,
        after=after(state, target).fingerprint,
        mode=Mode.OWN,
        statement_timeout=INSTANT_SECONDS,
    )
