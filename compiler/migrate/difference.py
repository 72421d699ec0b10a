"""Two shapes of one table, and what sets them apart, object by object."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from compiler.canonical import Json
from compiler.migrate import state
from compiler.table import Table


def table_differences(old: Table, new: Table) -> tuple[str, ...]:
    """How two Tables of one dataset version differ. The order of columns is no difference, as in fingerprints."""
    if old.fingerprint == new.fingerprint:
        return moves(old, new)
    return (*moves(old, new), *differences(old.shape.document.value, new.shape.document.value))


def moves(old: Table, new: Table) -> tuple[str, ...]:
    """How the names differ that a table is found by."""
    return tuple(
        f"{kind} changed from {before} to {after}"
        for kind, before, after in (
            ("schema", old.schema, new.schema),
            ("table name", old.name, new.name),
            ("view name", old.view.name, new.view.name),
        )
        if before != after
    )


def differences(old: Json, new: Json) -> tuple[str, ...]:
    """How `new` differs from `old`, one phrase an object, in a fixed order; either may be None for no table."""
    if old is None or new is None:
        return () if old == new else ("the table is there" if old is None else "the table is missing",)
    return (
        *_columns(old["columns"], new["columns"]),
        *_key(old["key"], new["key"]),
        *_named("index", old["indexes"], new["indexes"]),
        *_named("check", old["checks"], new["checks"]),
        *_view(old["view"], new["view"]),
        *_comments(old["comments"], new["comments"]),
    )


def _by_name(rows: list[list[Json]]) -> Mapping[str, list[Json]]:
    return {row[0]: row for row in rows}


def _columns(old: list[list[Json]], new: list[list[Json]]) -> Iterator[str]:
    before, after = _by_name(old), _by_name(new)
    for name in sorted(before.keys() | after.keys()):
        if name not in before:
            yield f"column {name} added ({after[name][1]})"
        elif name not in after:
            yield f"column {name} removed ({before[name][1]})"
        else:
            yield from _column(name, before[name], after[name])


def _column(name: str, old: list[Any], new: list[Any]) -> Iterator[str]:
    if old[1] != new[1]:
        yield f"column {name} changed type from {old[1]} to {new[1]}"
    if old[2] != new[2]:
        yield f"column {name} became {'nullable' if new[2] else 'NOT NULL'}"
    if old[3] != new[3]:
        yield f"column {name} changed its default from {_default(old[3])} to {_default(new[3])}"


def _default(default: list[Json] | None) -> str:
    return "none" if default is None else repr(default[-1])


def _key(old: list[str], new: list[str]) -> Iterator[str]:
    if old != new:
        yield f"key changed from ({', '.join(old)}) to ({', '.join(new)})"


def _named(kind: str, old: list[list[Json]], new: list[list[Json]]) -> Iterator[str]:
    before, after = _by_name(old), _by_name(new)
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) == after.get(name):
            continue
        unfinished = _unfinished(after.get(name, [name]))
        if unfinished:
            yield f"{kind} {name} is {unfinished}"
        elif name not in before:
            yield f"{kind} {name} added"
        else:
            yield f"{kind} {name} {'changed' if name in after else 'removed'}"


def _unfinished(row: list[Json]) -> str:
    match row:
        case [_, state.INVALID]:
            return "invalid: its build did not finish, nor its removal"
        case [_, *_, state.NOT_VALID]:
            return "not validated: rows that were there before it may break it"
        case [_, _, _, _, state.UNNAMED]:
            return "partial, and its comment is not its predicate's id"
        case _:
            return ""


def _view(old: list[str], new: list[str]) -> Iterator[str]:
    if old == new:
        return
    if not new:
        yield "view removed, or no longer on this table"
    elif not old:
        yield "view added"
    else:
        lists = (sorted(set(new) - set(old)), sorted(set(old) - set(new)))
        added, removed = (", ".join(names) or "none" for names in lists)
        yield f"view changed its columns (added: {added}; removed: {removed})"


def _comments(old: list[list[str]], new: list[list[str]]) -> Iterator[str]:
    before, after = {row[0]: row[1] for row in old}, {row[0]: row[1] for row in new}
    for place in sorted(before.keys() | after.keys()):
        if before.get(place) != after.get(place):
            yield f"comment on {f'column {place}' if place else 'the table'} changed"
