"""What was done to a table by hand, as the Table that git would have to follow it with; and what to write for it.

Only what a manifest can say, and what another database can be brought to without losing anything, is taken over. The view
keeps its columns: the plan that follows the changed manifest shows a new one there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from compiler import names
from compiler.canonical import Json, JsonDocument
from compiler.dataset import (
    Bound,
    Expression,
    Index,
    IndexColumn,
    Integer,
    Length,
    Matches,
    Method,
    Nulls,
    OneOf,
    Order,
    Rule,
)
from compiler.migrate.catalog import Live
from compiler.migrate.difference import differences
from compiler.migrate.drift import edited
from compiler.migrate.journal import Snapshot
from compiler.migrate.table_json import read_type
from compiler.migrate.unplanned import unplanned
from compiler.table import Function, Table, TableCheck, TableColumn, TableIndex, type_name

# The property that makes a nullable column of the type; a type that is not here is asked for in table.columns.
_PROPERTIES: dict[str, Json] = {
    "bigint": {"type": "integer"},
    "double precision": {"type": "number"},
    "boolean": {"type": "boolean"},
    "text": {"type": "string"},
    "uuid": {"type": "string", "format": "uuid"},
    "timestamp with time zone": {"type": "string", "format": "date-time"},
    "date": {"type": "string", "format": "date"},
    "jsonb": {"type": "object"},
    "time with time zone": {"type": "string", "format": "time"},
    "bytea": {"type": "string", "contentEncoding": "base64"},
}
_NUMBER: dict[str, Json] = {"type": "number"}
# What a manifest calls an array type whose elements have another name in Postgres.
_ARRAYS = {"timestamp with time zone[]": "timestamptz[]"}
_LABEL = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Adopted:
    """`table` is the live one as far as it can be said; `manifest` what to write for it, a line each.

    `left` names what cannot be taken over; with any, the whole is not.
    """

    table: Table
    manifest: tuple[str, ...]
    left: tuple[str, ...]


def adopted(table: Table, live: Live, kept: Snapshot, major: int) -> Adopted:
    """`table` is the chain's end, and the one that the journal's snapshot `kept` is of."""
    document = live.shape.document.value
    result, lines = table, list[str]()
    for take in (_columns, _checks, _indexes, _comments):
        result, more = take(result, document)
        lines += more
    left = (*_left(result, live, kept, major), *unplanned(table, result, {}))
    return Adopted(result, tuple(lines), left)


def _left(result: Table, live: Live, kept: Snapshot, major: int) -> Iterator[str]:
    for text in differences(result.shape.document.value, live.shape.document.value):
        yield f"{text}{_hint(result, text, live)}"
    yield from live.odd
    if kept.major == major:
        texts = edited(kept.deparsed.value, live.deparsed.value)
        yield from (text for text in texts if not text.startswith("default of column"))


def _hint(table: Table, text: str, live: Live) -> str:
    """A plain index is taken over under the name that a manifest's index has."""
    added = re.fullmatch(r"index (.+) added", text)
    if added is None or not any(
        row[0] == added[1] and _is_plain(row) for row in live.shape.document.value["indexes"]
    ):
        return ""
    name = re.sub(r"[^a-z0-9_]", "_", added[1].lower())
    return (
        f"; it could be taken over as {names.index(table.name, name)}: "
        f'ALTER INDEX "{table.schema}"."{added[1]}" RENAME TO "{names.index(table.name, name)}";'
    )


# --- columns --------------------------------------------------------------------------------------------------------


def _columns(table: Table, live: Json) -> tuple[Table, list[str]]:
    lines: list[str] = []
    known = {column.name: column for column in table.columns}
    columns = {**known}
    texts = dict(live["comments"])
    for name, type_, nullable, default in live["columns"]:
        if name in known:
            columns[name], more = _changed(known[name], type_, nullable, default, table.key)
        else:
            new = _new(name, type_, nullable, default, texts.get(name))
            if new is None:
                continue
            columns[name], more = new, list(_new_lines(new))
        lines += more
    return replace(table, columns=tuple(columns.values())), lines


def _new(name: str, type_: str, nullable: bool, default: Json, comment: str | None) -> TableColumn | None:  # noqa: FBT001
    try:
        column_type = read_type(type_)
    except KeyError:
        return None
    if (
        isinstance(column_type, Integer)
        or name.startswith(names.RESERVED_COLUMN_PREFIX)
        or not _sayable(default)
    ):
        return None
    return TableColumn(name, column_type, nullable, _default(default), comment)


def _sayable(default: Json) -> bool:
    return default is None or len(default) > 1


def _default(default: Json) -> JsonDocument | Function | None:
    return None if default is None else JsonDocument.of(default[1])


def _property(type_: str) -> dict[str, Json]:
    if type_.endswith("[]"):
        return {"type": "array", "items": _property(type_.removesuffix("[]"))}
    return dict(_PROPERTIES.get(type_, _NUMBER))


def _new_lines(column: TableColumn) -> Iterator[str]:
    type_ = type_name(column.type)
    schema = _property(type_)
    if column.nullable and column.default is not None:
        schema["type"] = [schema["type"], "null"]
    if column.comment:
        schema["description"] = column.comment
    yield f"$.record.properties.{column.name}: {_json(schema)}"
    if type_ not in _PROPERTIES:
        yield f"$.table.columns.{column.name}.type: {_json(_ARRAYS.get(type_, type_))}"
    if isinstance(column.default, JsonDocument):
        yield f"$.table.columns.{column.name}.default: {_json(column.default.value)}"


def _changed(
    column: TableColumn,
    type_: str,
    nullable: bool,  # noqa: FBT001 - as it stands in the shape
    default: Json,
    key: tuple[str, ...],
) -> tuple[TableColumn, list[str]]:
    lines: list[str] = []
    if type_name(column.type) != type_ or column.name.startswith(names.RESERVED_COLUMN_PREFIX):
        return column, lines
    if nullable != column.nullable and column.name not in key:
        column = replace(column, nullable=nullable)
        what = (
            "take it out, or let its schema admit null"
            if nullable
            else f"add {_json(column.name)}, and no null"
        )
        lines.append(f"$.record.required, for {column.name}: {what}")
    if isinstance(column.default, Function) or not _sayable(default):
        return column, lines
    new = replace(column, default=_default(default))
    if new.default != column.default:
        lines.append(
            f"$.table.columns.{column.name}.default: {_json(default[1]) if default else 'remove it'}"
        )
    return new, lines


# --- checks, indexes, comments --------------------------------------------------------------------------------------


def _checks(table: Table, live: Json) -> tuple[Table, list[str]]:
    there = {row[0] for row in live["checks"]}
    gone = [check for check in table.checks if check.name not in there]
    kept = tuple(check for check in table.checks if check.name in there)
    return replace(table, checks=kept), [f"{_place(check)}: remove it" for check in gone]


def _place(check: TableCheck) -> str:
    if isinstance(check.rule, Expression):
        return f"$.table.checks.{check.column}"
    return f"$.record.properties.{check.column}: {_keyword(check.rule)}"


def _keyword(rule: Rule) -> str:
    match rule:
        case OneOf():
            return "enum or const"
        case Length():
            return "minLength and maxLength"
        case Bound(operator):
            return {">=": "minimum", ">": "exclusiveMinimum", "<=": "maximum"}.get(
                operator, "exclusiveMaximum"
            )
        case Matches():
            return "pattern"
        case _:
            return "the check"


def _indexes(table: Table, live: Json) -> tuple[Table, list[str]]:
    rows = {row[0]: row for row in live["indexes"]}
    lines = [
        f"$.table.indexes: remove {_json(one.index.name)}" for one in table.indexes if one.name not in rows
    ]
    kept = [one for one in table.indexes if one.name in rows]
    for name in sorted(rows.keys() - {one.name for one in table.indexes}):
        index = _index(table, rows[name])
        if index:
            kept.append(TableIndex(name, index))
            lines.append(f"$.table.indexes: add {_json(_index_json(index))}")
    return replace(table, indexes=tuple(sorted(kept, key=lambda one: one.name))), lines


def _is_plain(row: list[Json]) -> bool:
    return len(row) == 5 and row[4] is None and row[1] in set(Method) and all(column[0] for column in row[2])


def _index(table: Table, row: list[Json]) -> Index | None:
    """A plain index that has the name of one that a manifest declares."""
    label = row[0].removeprefix(f"{table.name}_").removesuffix("_idx")
    if not _is_plain(row) or not _LABEL.fullmatch(label) or names.index(table.name, label) != row[0]:
        return None
    columns = tuple(IndexColumn(name, Order(order), Nulls(nulls)) for name, order, nulls in row[2])
    return Index(label, Method(row[1]), columns, tuple(row[3]))


def _index_json(index: Index) -> Json:
    columns = [
        {"column": one.name, "order": str(one.order), "nulls": str(one.nulls)}
        if (one.order, one.nulls) != (Order.ASC, Nulls.LAST)
        else one.name
        for one in index.columns
    ]
    document: dict[str, Json] = {"name": index.name, "columns": columns}
    if index.method is not Method.BTREE:
        document["method"] = str(index.method)
    return {**document, "include": list(index.include)} if index.include else document


def _comments(table: Table, live: Json) -> tuple[Table, list[str]]:
    texts, lines = dict(live["comments"]), list[str]()
    columns = []
    for column in table.columns:
        text = texts.get(column.name)
        if text != (column.comment or None):
            lines.append(
                f"$.record.properties.{column.name}.description: {_json(text) if text else 'remove it'}"
            )
            column = replace(column, comment=text)  # noqa: PLW2901
        columns.append(column)
    comment = texts.get("")
    if comment != (table.comment or None):
        lines.append(f"$.description: {_json(comment) if comment else 'remove it'}")
        table = replace(table, comment=comment)
    return replace(table, columns=tuple(columns)), lines


def _json(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False)
