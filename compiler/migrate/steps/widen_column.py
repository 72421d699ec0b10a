"""Give a column a type that holds all that its old one does, in the same bytes: no row is written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from compiler.dataset import Expression, Numeric
from compiler.migrate import render
from compiler.migrate.grants import view_made_anew
from compiler.migrate.model import INSTANT_SECONDS, Effort, Lock, Mode, Step
from compiler.migrate.quoting import identifier
from compiler.migrate.state import State
from compiler.table import Table, TableCheck, TableColumn, type_name


def is_widening(old: TableColumn, new: TableColumn) -> bool:
    """numeric(p,s) with more digits before the point, or with no limit: what Postgres stores is the same."""
    match old.type, new.type:
        case Numeric(int(), _), Numeric(None, _):
            return True
        case Numeric(int() as fewer, scale), Numeric(int() as more, same):
            return more > fewer and scale == same
        case _:
            return False


def in_the_way(table: Table, column: str) -> tuple[str, ...]:
    """Partial indexes that have to do with the column: Postgres would build them anew under the lock."""
    return tuple(
        index.name
        for index in table.indexes
        if index.index.where
        and (
            column in index.index.include
            or any(one.name == column for one in index.index.columns)
            or column in index.index.where.sql
            or identifier(column)[1:-1] in index.index.where.sql
        )
    )


def after(state: State, column: TableColumn) -> State:
    """The column's new type and default; CHECKs that may read it are to be validated again."""
    columns = tuple(
        replace(one, type=column.type, default=column.default) if one.name == column.name else one
        for one in state.table.columns
    )
    again = {check.name for check in _checks(state.table, column.name)}
    return replace(
        state.with_table(replace(state.table, columns=columns)), unvalidated=state.unvalidated | again
    )


def step(state: State, column: TableColumn) -> Step:
    """The view is made anew, since none lets a column of its own change type; it is locked first, as readers do.

    Postgres compares every row with the CHECKs of a column that changes type, under the lock: so they are dropped and
    added NOT VALID in the same transaction, and validated later.
    """
    return Step(
        title=f"widen {identifier(column.name)} to {type_name(column.type)}",
        sql=view_made_anew(state.table, *statements(state.table, state.table, column)),
        lock=Lock.ACCESS_EXCLUSIVE,
        effort=Effort.INSTANT,
        after=after(state, column).fingerprint,
        mode=Mode.OWN,
        statement_timeout=INSTANT_SECONDS,
    )


def statements(table: Table, changed: Table, column: TableColumn) -> Iterator[str]:
    """The column's new type in `table`, its default, and its CHECKs as the `changed` table words them."""
    checks = _checks(table, column.name)
    alter, name = f"ALTER TABLE {render.relation(table)}", identifier(column.name)
    yield from (f"{alter} DROP CONSTRAINT {identifier(check.name)};" for check in checks)
    yield f"{alter} ALTER COLUMN {name} TYPE {type_name(column.type)};"
    # Postgres would keep a default as it was, with a cast around it.
    if any(render.default(one) for one in (*table.columns, column) if one.name == column.name):
        yield render.change_default(table, column)
    yield from (render.add_check(changed, check) for check in checks)


def _checks(table: Table, column: str) -> tuple[TableCheck, ...]:
    """An expression may read any column."""
    return tuple(
        check for check in table.checks if check.column == column or isinstance(check.rule, Expression)
    )
