"""Compare the rows that are there with a CHECK that was added NOT VALID."""

from __future__ import annotations

from dataclasses import replace

from compiler.migrate import render
from compiler.migrate.model import Effort, Lock, Mode, Step
from compiler.migrate.quoting import identifier
from compiler.migrate.state import State
from compiler.table import TableCheck


def after(state: State, check: TableCheck) -> State:
    """The CHECK holds for every row."""
    return replace(state, unvalidated=state.unvalidated - {check.name})


def step(state: State, check: TableCheck) -> Step:
    """A transaction of its own: together with ADD CONSTRAINT the scan would run under ACCESS EXCLUSIVE.

    Readers and writers go on, so it may take as long as it takes. Rows that break the CHECK are looked for first, since
    Postgres would name none of them.
    """
    return Step(
        title=f"validate check {identifier(check.name)}",
        sql=f"ALTER TABLE {render.relation(state.table)} VALIDATE CONSTRAINT {identifier(check.name)};",
        lock=Lock.SHARE_UPDATE_EXCLUSIVE,
        effort=Effort.SCAN,
        after=after(state, check).fingerprint,
        mode=Mode.OWN,
        violations=render.violations(state.table, check),
    )
