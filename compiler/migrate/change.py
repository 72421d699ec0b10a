"""One Table to another: the steps in the order in which they run, or each reason why they are not planned.

defaults, new columns, CHECKs      one transaction of catalog changes
the view                           new columns at its end
comments
each CHECK compared with old rows  writers go on
each index                         built, replaced and dropped while the table is used
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import ModuleType
from typing import Any

from compiler.dataset import Expression
from compiler.migrate.difference import moves
from compiler.migrate.loosened import is_loosened
from compiler.migrate.model import Step
from compiler.migrate.state import State
from compiler.migrate.steps import (
    add_check,
    add_column,
    append_to_view,
    build_index,
    change_comments,
    change_default,
    drop_check,
    drop_index,
    drop_not_null,
    name_predicate,
    swap_index,
    validate_check,
    widen_column,
)
from compiler.table import Table, TableCheck, TableColumn, TableIndex, comments, default_json, type_name


def unplanned(old: Table, new: Table) -> tuple[str, ...]:
    """What of the change cannot be planned, one sentence each; empty where all can."""
    return (*moves(old, new), *_columns(old, new), *_key(old, new), *_checks(old, new))


def change(old: Table, new: Table) -> tuple[tuple[Step, ...], Table]:
    """The steps, and the Table that they end in: `new`, with its columns and its view's in the order that they came in.

    `unplanned` must be empty.
    """
    walk = _Walk(old)
    _widen(walk, old, new)
    _catalog(walk, old, new)
    _view(walk, new)
    if comments(walk.state.table) != comments(new):
        walk.take(change_comments, new)
    for name in sorted(walk.state.unvalidated):
        walk.take(validate_check, _named(new.checks, name))
    _indexes(walk, old, new)
    end = walk.state
    assert end.fingerprint == new.fingerprint, "the steps do not lead to the new table"
    return tuple(walk.steps), replace(end.table, indexes=new.indexes, checks=new.checks)


class _Walk:
    """The steps so far, and where they have come to."""

    def __init__(self, table: Table) -> None:
        self.state = State(table)
        self.steps: list[Step] = []

    def take(self, kind: ModuleType, *what: Any) -> None:
        """One step of a kind: a module of `steps` with `step(state, …)` and `after(state, …)`."""
        self.steps.append(kind.step(self.state, *what))
        self.state = kind.after(self.state, *what)


def _widen(walk: _Walk, old: Table, new: Table) -> None:
    before = {column.name: column for column in old.columns}
    for column in new.columns:
        if column.name in before and type_name(column.type) != type_name(before[column.name].type):
            walk.take(widen_column, column)


def _catalog(walk: _Walk, old: Table, new: Table) -> None:
    before = {column.name: column for column in walk.state.table.columns}
    for column in new.columns:
        if column.name not in before:
            walk.take(add_column, column)
            continue
        if column.nullable and not before[column.name].nullable:
            walk.take(drop_not_null, column.name)
        if default_json(column) != default_json(before[column.name]):
            walk.take(change_default, column)
    for check in _only(old.checks, new.checks):
        walk.take(drop_check, check)
    for check in _only(new.checks, old.checks):
        walk.take(add_check, check)


def _view(walk: _Walk, new: Table) -> None:
    shown = set(walk.state.table.view.columns)
    missing = tuple(name for name in new.view.columns if name not in shown)
    if missing:
        walk.take(append_to_view, missing)


def _indexes(walk: _Walk, old: Table, new: Table) -> None:
    before = {index.name: index for index in old.indexes}
    after = {index.name: index for index in new.indexes}
    for name in sorted(before.keys() | after.keys()):
        if name not in before:
            _build(walk, after[name])
        elif name not in after:
            walk.take(drop_index, before[name])
        elif not same_index(before[name], after[name]):
            _build(walk, swap_index.coming(after[name]))
            walk.take(swap_index, before[name], after[name])
            walk.take(drop_index, swap_index.going(before[name]))


def _build(walk: _Walk, index: TableIndex) -> None:
    walk.take(build_index, index)
    if index.predicate_id:
        walk.take(name_predicate, index)


def same_index(one: TableIndex, other: TableIndex) -> bool:
    """Whether two indexes of one name hold the same."""
    return replace(one.index, name="") == replace(other.index, name="")


def _only(checks: tuple[TableCheck, ...], others: tuple[TableCheck, ...]) -> Iterator[TableCheck]:
    known = {check.name for check in others}
    return (check for check in checks if check.name not in known)


def _named(checks: tuple[TableCheck, ...], name: str) -> TableCheck:
    return next(check for check in checks if check.name == name)


# --- what is not planned --------------------------------------------------------------------------------------------


def _columns(old: Table, new: Table) -> Iterator[str]:
    before = {column.name: column for column in old.columns}
    after = {column.name: column for column in new.columns}
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            yield f"column {name} removed ({type_name(before[name].type)})"
        elif name not in before:
            yield from _added(after[name])
        else:
            yield from _changed(before[name], after[name], old)
    for name in sorted(set(old.view.columns) - set(new.view.columns) & after.keys()):
        yield f"column {name} is no longer in the view"


def _added(column: TableColumn) -> Iterator[str]:
    if not column.nullable and default_json(column) is None:
        yield (
            f"column {column.name} added ({type_name(column.type)}): it takes no null and has no default, "
            "so the rows that are there, and those of sinks that do not know it, have no value for it"
        )


def _changed(old: TableColumn, new: TableColumn, table: Table) -> Iterator[str]:
    if type_name(old.type) != type_name(new.type):
        yield from _retyped(old, new, table)
    if old.nullable and not new.nullable:
        yield f"column {new.name} became NOT NULL"
    if not new.nullable and default_json(old) is not None and default_json(new) is None:
        yield f"column {new.name} lost its default and takes no null: sinks that do not write it need one"


def _retyped(old: TableColumn, new: TableColumn, table: Table) -> Iterator[str]:
    change = f"column {new.name} changed type from {type_name(old.type)} to {type_name(new.type)}"
    if not widen_column.is_widening(old, new):
        yield f"{change}: every row would be written anew, or may not fit"
    for index in widen_column.in_the_way(table, new.name):
        yield f"{change}: the partial index {index} would be built anew under the lock"


def _key(old: Table, new: Table) -> Iterator[str]:
    if old.key != new.key:
        yield f"key changed from ({', '.join(old.key)}) to ({', '.join(new.key)})"


def _checks(old: Table, new: Table) -> Iterator[str]:
    known = {column.name for column in old.columns}
    for check in _only(new.checks, old.checks):
        of_new_column = check.column not in known and not isinstance(check.rule, Expression)
        if not (of_new_column or is_loosened(old, check)):
            yield f"check {check.name} added: rows that are there, or that the old sink writes, may break it"
