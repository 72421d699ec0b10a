"""Rename a column: its values, its constraints and its indexes stay."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from compiler import names
from compiler.dataset import Expression
from compiler.migrate import renames, render
from compiler.migrate.model import INSTANT_SECONDS, Effort, Hazard, Lock, Mode, Step
from compiler.migrate.quoting import identifier
from compiler.migrate.state import State
from compiler.table import Table, TableCheck, TableIndex, View, check_id


def after(state: State, old: str, new: str) -> State:
    """The column under its new name, wherever it stands; a user's expressions keep the text that they were given in."""
    table = state.table
    return state.with_table(
        replace(
            table,
            columns=tuple(replace(one, name=_moved(one.name, old, new)) for one in table.columns),
            key=_all_moved(table.key, old, new),
            checks=tuple(sorted((_check(one, old, new) for one in table.checks), key=lambda one: one.name)),
            indexes=tuple(_index(one, old, new) for one in table.indexes),
            view=View(table.view.name, _all_moved(table.view.columns, old, new)),
        )
    )


def step(state: State, old: str, new: str) -> Step:
    """An instant, but for who knows the old name: running sinks wait for the new plan, readers' queries fail.

    The view comes first, as readers lock it first.
    """
    return Step(
        title=renames.title(old, new),
        sql="\n".join(_statements(state.table, old, new)),
        lock=Lock.ACCESS_EXCLUSIVE,
        effort=Effort.INSTANT,
        after=after(state, old, new).fingerprint,
        mode=Mode.OWN,
        hazard=Hazard.BLOCKED_WRITES,
        statement_timeout=INSTANT_SECONDS,
    )


def _statements(table: Table, old: str, new: str) -> Iterator[str]:
    rename = f"RENAME COLUMN {identifier(old)} TO {identifier(new)};"
    if old in table.view.columns:
        yield f"ALTER VIEW {identifier(table.schema, table.view.name)} {rename}"
    yield f"ALTER TABLE {render.relation(table)} {rename}"
    for check in table.checks:
        moved = _check(check, old, new)
        if moved != check:
            names_ = f"{identifier(check.name)} TO {identifier(moved.name)}"
            yield f"ALTER TABLE {render.relation(table)} RENAME CONSTRAINT {names_};"


def _check(check: TableCheck, old: str, new: str) -> TableCheck:
    """A structured CHECK names its column, and is named after it."""
    if check.column != old or isinstance(check.rule, Expression):
        return check
    return TableCheck(names.check(new, check_id(new, check.rule)), check.rule, new)


def _index(index: TableIndex, old: str, new: str) -> TableIndex:
    columns = tuple(replace(one, name=_moved(one.name, old, new)) for one in index.index.columns)
    include = _all_moved(index.index.include, old, new)
    return replace(index, index=replace(index.index, columns=columns, include=include))


def _all_moved(many: tuple[str, ...], old: str, new: str) -> tuple[str, ...]:
    return tuple(_moved(name, old, new) for name in many)


def _moved(name: str, old: str, new: str) -> str:
    return new if name == old else name
