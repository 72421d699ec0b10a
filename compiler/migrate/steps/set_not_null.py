"""Make a column NOT NULL where a validated CHECK has proven already that no row is null."""

from __future__ import annotations

from dataclasses import replace

from compiler import names
from compiler.dataset import Expression
from compiler.migrate import render
from compiler.migrate.model import INSTANT_SECONDS, Effort, Lock, Step
from compiler.migrate.quoting import identifier
from compiler.migrate.state import State
from compiler.table import TableCheck, check_id


def proof(column: str) -> TableCheck:
    """The CHECK that proves it, dropped again afterwards. Its name is none that a manifest can give or Postgres takes."""
    label = f"{names.RESERVED_COLUMN_PREFIX}not_null_{column}"
    rule = Expression(f"{identifier(column)} IS NOT NULL")
    return TableCheck(names.check(label, check_id(label, rule)), rule, label)


def after(state: State, column: str) -> State:
    """The column takes no null."""
    columns = tuple(
        replace(one, nullable=False) if one.name == column else one for one in state.table.columns
    )
    return state.with_table(replace(state.table, columns=columns))


def step(state: State, column: str) -> Step:
    """Postgres finds the CHECK and reads no row under the lock."""
    relation = render.relation(state.table)
    return Step(
        title=f"let {identifier(column)} not be null",
        sql=f"ALTER TABLE {relation} ALTER COLUMN {identifier(column)} SET NOT NULL;",
        lock=Lock.ACCESS_EXCLUSIVE,
        effort=Effort.INSTANT,
        after=after(state, column).fingerprint,
        statement_timeout=INSTANT_SECONDS,
    )
