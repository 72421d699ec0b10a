"""What of a change cannot be planned, each by name: `change` is called for all else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from compiler.migrate.difference import moves
from compiler.migrate.steps import retype_column, widen_column
from compiler.table import Table, TableColumn, default_json, type_name


def unplanned(old: Table, new: Table, renames: Mapping[str, str]) -> tuple[str, ...]:
    """One sentence for each obstacle; empty where there is none.

    `renames` is the old column name by the new one; those that do not hold of `old` are told by `renames.untrue`.
    """
    return (
        *moves(old, new),
        *_left(old, new),
        *_stays(old, new, renames),
        *_columns(old, new, renames),
    )


def _left(old: Table, new: Table) -> Iterator[str]:
    """What is to go is looked at until it is gone, so it cannot be left to others at the same time."""
    ours = {f"column:{one.name}" for one in old.columns} | {f"index:{one.name}" for one in old.indexes}
    for entry in sorted(ours & set(new.unmanaged)):
        yield f"{entry.replace(':', ' ', 1)} is left to others (unmanaged), and the table has it from its migrations"


def _stays(old: Table, new: Table, renames: Mapping[str, str]) -> Iterator[str]:
    """A column that is renamed is gone under its old name."""
    before, after = {one.name for one in old.columns}, {one.name for one in new.columns}
    for name, source in sorted(renames.items()):
        if source in before & after and name not in before:
            yield f"column {name} is renamed from {source}, which stays"


def _columns(old: Table, new: Table, renames: Mapping[str, str]) -> Iterator[str]:
    before = {column.name: column for column in old.columns}
    after = {column.name: column for column in new.columns}
    for name, column in sorted(after.items()):
        source = before.get(renames.get(name, name))
        yield from _added(column) if source is None else _retyped(source, column, old)
    for name in sorted(before.keys() - after.keys() - set(renames.values())):
        if name in old.key:
            yield f"column {name} removed: it is part of the key that the rows have"
    for name in sorted(set(old.view.columns) - set(new.view.columns) & after.keys()):
        yield f"column {name} is no longer in the view"


def _added(column: TableColumn) -> Iterator[str]:
    if not column.nullable and default_json(column) is None:
        yield (
            f"column {column.name} added ({type_name(column.type)}): it takes no null and has no default, "
            "so the rows that are there, and those of sinks that do not know it, have no value for it"
        )


def _retyped(old: TableColumn, new: TableColumn, table: Table) -> Iterator[str]:
    if type_name(old.type) == type_name(new.type):
        return
    change = f"column {new.name} changed type from {type_name(old.type)} to {type_name(new.type)}"
    if not (widen_column.is_widening(old, new) or retype_column.is_exact(old, new)):
        yield f"{change}: a value of the old type may not fit, or not mean the same"
    for index in widen_column.in_the_way(table, old.name):
        yield f"{change}: the partial index {index} would be built anew under the lock"
