"""Drop a CHECK: rows that it refused may come."""

from __future__ import annotations

from dataclasses import replace

from compiler.migrate import render
from compiler.migrate.model import INSTANT_SECONDS, Effort, Lock, Step
from compiler.migrate.quoting import identifier
from compiler.migrate.state import State
from compiler.table import TableCheck


def after(state: State, check: TableCheck) -> State:
    """The CHECK is gone."""
    checks = tuple(one for one in state.table.checks if one.name != check.name)
    return replace(
        state.with_table(replace(state.table, checks=checks)), unvalidated=state.unvalidated - {check.name}
    )


def step(state: State, check: TableCheck) -> Step:
    """What the old sink admits fits as before."""
    return Step(
        title=f"drop check {identifier(check.name)}",
        sql=f"ALTER TABLE {render.relation(state.table)} DROP CONSTRAINT {identifier(check.name)};",
        lock=Lock.ACCESS_EXCLUSIVE,
        effort=Effort.INSTANT,
        after=after(state, check).fingerprint,
        statement_timeout=INSTANT_SECONDS,
    )
