"""Give a partial index its predicate's id, by which it is known: Postgres writes predicates in words of its own."""

from __future__ import annotations

from dataclasses import replace

from compiler.migrate import render
from compiler.migrate.model import INSTANT_SECONDS, Effort, Lock, Mode, Step
from compiler.migrate.quoting import identifier
from compiler.migrate.state import State
from compiler.table import TableIndex


def after(state: State, index: TableIndex) -> State:
    """The index says what it holds."""
    return replace(state, unnamed=state.unnamed - {index.name})


def step(state: State, index: TableIndex) -> Step:
    """A comment on the index, which its readers do not wait for."""
    return Step(
        title=f"mark index {identifier(index.name)} with its predicate's id",
        sql=render.index_comment(state.table, index),
        lock=Lock.SHARE_UPDATE_EXCLUSIVE,
        effort=Effort.INSTANT,
        after=after(state, index).fingerprint,
        mode=Mode.OWN,
        statement_timeout=INSTANT_SECONDS,
    )
