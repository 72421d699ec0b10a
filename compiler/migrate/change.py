"""One Table to another: the steps in the order in which they run. `unplanned` says what cannot be planned so.

Before the new sink's rollout (expand), while sinks of the old plan write:

    columns renamed; CHECKs dropped; types widened or rewritten
    defaults, new columns, columns that may be null, looser CHECKs      one transaction of catalog changes
    the view                                                            new columns at its end
    comments
    each CHECK compared with old rows                                   writers go on
    each index                                                          built, replaced and dropped while the table is used
    the new key's index

After it (contract), when no sink needs what goes:

    stricter CHECKs; columns NOT NULL                                   compared with old rows first
    the key exchanged
    defaults and columns dropped
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

from compiler.dataset import Expression
from compiler.migrate.loosened import covers, is_loosened
from compiler.migrate.model import Phase, Step
from compiler.migrate.state import State
from compiler.migrate.steps import (
    add_check,
    add_column,
    append_to_view,
    build_index,
    build_key,
    change_comments,
    change_default,
    drop_check,
    drop_column,
    drop_index,
    drop_not_null,
    name_predicate,
    rename_column,
    retype_column,
    set_not_null,
    swap_index,
    swap_key,
    validate_check,
    widen_column,
)
from compiler.table import Table, TableCheck, TableColumn, TableIndex, comments, default_json, type_name


@dataclass(frozen=True)
class Walk:
    """The steps of both phases, the fingerprint between them, and the Table at their end.

    That is the new Table, with its columns and its view's in the order that they came in.
    """

    expand: tuple[Step, ...]
    between: str
    contract: tuple[Step, ...]
    table: Table


def change(old: Table, new: Table, renames: Mapping[str, str]) -> Walk:
    """The way from `old` to `new`; `renames` is the old column name by the new one. `unplanned` must be empty."""
    walk = _Walk(old)
    _expand(walk, new, renames)
    between = walk.state.fingerprint
    walk.phase = Phase.CONTRACT
    _contract(walk, new)
    end = walk.state
    assert end.fingerprint == new.fingerprint, "the steps do not lead to the new table"
    table = replace(end.table, indexes=new.indexes, checks=new.checks)
    return Walk(walk.of(Phase.EXPAND), between, walk.of(Phase.CONTRACT), table)


class _Walk:
    """The steps so far, and where they have come to."""

    def __init__(self, table: Table) -> None:
        self.state = State(table)
        self.phase = Phase.EXPAND
        self._steps: list[Step] = []

    @property
    def table(self) -> Table:
        """The table as the steps so far leave it."""
        return self.state.table

    def take(self, kind: ModuleType, *what: Any) -> None:
        """One step of a kind: a module of `steps` with `step(state, …)` and `after(state, …)`."""
        self._steps.append(replace(kind.step(self.state, *what), phase=self.phase))
        self.state = kind.after(self.state, *what)

    def of(self, phase: Phase) -> tuple[Step, ...]:
        """The steps of a phase."""
        return tuple(step for step in self._steps if step.phase is phase)


# --- expand ---------------------------------------------------------------------------------------------------------


def _expand(walk: _Walk, new: Table, renames: Mapping[str, str]) -> None:
    for name, source in sorted(renames.items()):
        walk.take(rename_column, source, name)
    old_checks = walk.table.checks
    for check in _only(old_checks, new.checks):
        if not _can_wait(check, new):  # first: it may read columns by their old names and types
            walk.take(drop_check, check)
    _types(walk, new)
    _catalog(walk, new, old_checks)
    _view(walk, new)
    if comments(walk.table) != comments(_with_leaving(new, walk.table)):
        walk.take(change_comments, _with_leaving(new, walk.table))
    for name in sorted(walk.state.unvalidated):
        walk.take(validate_check, _named(walk.table.checks, name))
    _indexes(walk, walk.table, new)
    if walk.table.key != new.key:
        walk.take(build_key, new.key)


def _types(walk: _Walk, new: Table) -> None:
    before = _by_name(walk.table)
    for column in new.columns:
        if column.name in before and type_name(column.type) != type_name(before[column.name].type):
            kind = widen_column if widen_column.is_widening(before[column.name], column) else retype_column
            walk.take(kind, column)


def _catalog(walk: _Walk, new: Table, old_checks: tuple[TableCheck, ...]) -> None:
    before = _by_name(walk.table)
    for column in new.columns:
        if column.name not in before:
            walk.take(add_column, column)
            continue
        if column.nullable and not before[column.name].nullable and column.name not in walk.table.key:
            walk.take(drop_not_null, column.name)
        if default_json(column) != default_json(before[column.name]) and not _misses_default(column):
            walk.take(change_default, column)
    for column in _leaving(walk.table, new):
        if not column.nullable and default_json(column) is None:
            walk.take(drop_not_null, column.name)
    known = set(before)
    for check in _only(new.checks, old_checks):
        if _is_new_columns(check, known) or is_loosened(old_checks, check):
            walk.take(add_check, check)


def _misses_default(column: TableColumn) -> bool:
    """Whether a sink that does not know the column needs its default."""
    return default_json(column) is None and not column.nullable


def _is_new_columns(check: TableCheck, known: set[str]) -> bool:
    return check.column not in known and not isinstance(check.rule, Expression)


def _can_wait(check: TableCheck, new: Table) -> bool:
    """Whether all that the new sinks write passes an old CHECK, so that it stays until the stricter one is there."""
    return any(one.column == check.column and covers(check.rule, one.rule) for one in new.checks)


def _view(walk: _Walk, new: Table) -> None:
    shown = set(walk.table.view.columns)
    missing = tuple(name for name in new.view.columns if name not in shown)
    if missing:
        walk.take(append_to_view, missing)


def _with_leaving(new: Table, now: Table) -> Table:
    """The new table, with the columns that are still there and go later."""
    return replace(new, columns=(*new.columns, *_leaving(now, new)))


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


# --- contract -------------------------------------------------------------------------------------------------------


def _contract(walk: _Walk, new: Table) -> None:
    stricter = [*_only(new.checks, walk.table.checks)]
    before = _by_name(walk.table)
    required = [
        one.name
        for one in new.columns
        if not one.nullable and one.name in before and before[one.name].nullable
    ]
    proofs = [set_not_null.proof(name) for name in required]
    for check in [*stricter, *proofs]:
        walk.take(add_check, check)
    for check in [*stricter, *proofs]:
        walk.take(validate_check, check)
    for name, proof in zip(required, proofs, strict=True):
        walk.take(set_not_null, name)
        walk.take(drop_check, proof)
    for check in _only(walk.table.checks, new.checks):
        walk.take(drop_check, check)
    _key(walk, new)
    for column in new.columns:
        if default_json(column) != default_json(_by_name(walk.table)[column.name]):
            walk.take(change_default, column)
    for column in _leaving(walk.table, new):
        walk.take(drop_column, column.name)


def _key(walk: _Walk, new: Table) -> None:
    if not walk.state.coming_key:
        return
    walk.take(swap_key)
    before = _by_name(walk.table)
    for column in new.columns:
        if column.nullable and not before[column.name].nullable:
            walk.take(drop_not_null, column.name)


# --- both -----------------------------------------------------------------------------------------------------------


def _by_name(table: Table) -> Mapping[str, TableColumn]:
    return {column.name: column for column in table.columns}


def _leaving(now: Table, new: Table) -> tuple[TableColumn, ...]:
    staying = _by_name(new)
    return tuple(column for column in now.columns if column.name not in staying)


def _only(checks: Iterable[TableCheck], others: Iterable[TableCheck]) -> Iterator[TableCheck]:
    known = {check.name for check in others}
    return (check for check in checks if check.name not in known)


def _named(checks: tuple[TableCheck, ...], name: str) -> TableCheck:
    return next(check for check in checks if check.name == name)
