"""Add a CHECK that new rows are held to at once, and old ones when `validate_check` has compared them."""

from __future__ import annotations

from dataclasses import replace

from compiler.migrate import render
from compiler.migrate.model import INSTANT_SECONDS, Effort, Lock, Step
from compiler.migrate.quoting import identifier
from compiler.migrate.state import State
from compiler.table import TableCheck


def after(state: State, check: TableCheck) -> State:
    """The CHECK is there, not validated."""
    checks = tuple(sorted((*state.table.checks, check), key=lambda one: one.name))
    return replace(
        state.with_table(replace(state.table, checks=checks)), unvalidated=state.unvalidated | {check.name}
    )


def step(state: State, check: TableCheck) -> Step:
    """NOT VALID: no row is read under the lock."""
    return Step(
        title=f"add check {identifier(check.name)}",
        sql=render.add_check(state.table, check),
        lock=Lock.ACCESS_EXCLUSIVE,
        effort=Effort.INSTANT,
        after=after(state, check).fingerprint,
        statement_timeout=INSTANT_SECONDS,
    )
