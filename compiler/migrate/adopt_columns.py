"""Columns that were added, dropped or changed by hand, as a manifest can say them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

from compiler import names
from compiler.canonical import Json, JsonDocument
from compiler.dataset import ColumnType, Integer, Timestamptz
from compiler.migrate.table_json import read_type
from compiler.table import Function, Table, TableColumn, type_name

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
_NOW: Json = [str(Function.NOW)]


def columns(table: Table, live: Json) -> tuple[Table, list[str]]:
    """The table with the live columns as far as they can be said, and what to write for them."""
    table, lines = _without(table, {row[0] for row in live["columns"]})
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


def _without(table: Table, there: set[str]) -> tuple[Table, list[str]]:
    """Columns that were dropped, and the view, which was made anew for it; what holds the key stays where it is missed."""
    gone = [
        one.name
        for one in table.columns
        if one.name not in there
        and one.name not in table.key
        and not one.name.startswith(names.RESERVED_COLUMN_PREFIX)
    ]
    shown = tuple(name for name in table.view.columns if name not in gone)
    kept = tuple(one for one in table.columns if one.name not in gone)
    lines = [
        f"$.record.properties.{name}, or $.table.columns.{name} where the platform fills it: remove it; and say in "
        "$.evolve.compatible why no record with it waits"
        for name in gone
    ]
    return replace(table, columns=kept, view=replace(table.view, columns=shown)), lines


def perhaps_renamed(table: Table, live: Json) -> Iterator[str]:
    """A column that is gone beside a new one of its type: dropped elsewhere, its values would be lost if it was renamed."""
    before = {one.name: type_name(one.type) for one in table.columns}
    after = {row[0]: row[1] for row in live["columns"]}
    for old in sorted(before.keys() - after.keys()):
        for new in sorted(after.keys() - before.keys()):
            if before[old] == after[new]:
                yield (
                    f"column {old} removed and column {new} added ({after[new]}): if it was renamed, rename it back and let "
                    f"`sluice plan` rename it ($.table.columns.{new}.renamed_from)"
                )


def _new(name: str, type_: str, nullable: bool, default: Json, comment: str | None) -> TableColumn | None:  # noqa: FBT001
    try:
        column_type = read_type(type_)
    except KeyError:
        return None
    if (
        isinstance(column_type, Integer)
        or name.startswith(names.RESERVED_COLUMN_PREFIX)
        or not (_sayable(default) or _is_ingestion(column_type, nullable, default))
    ):
        return None
    return TableColumn(name, column_type, nullable, _default(default), comment)


def _sayable(default: Json) -> bool:
    return default is None or len(default) > 1


def _is_ingestion(type_: ColumnType, nullable: bool, default: Json) -> bool:  # noqa: FBT001
    """Whether the column is as one that the platform fills with the time of its row."""
    return isinstance(type_, Timestamptz) and not nullable and default == _NOW


def _default(default: Json) -> JsonDocument | Function | None:
    if default is None:
        return None
    return Function.NOW if default == _NOW else JsonDocument.of(default[1])


def _property(type_: str) -> dict[str, Json]:
    if type_.endswith("[]"):
        return {"type": "array", "items": _property(type_.removesuffix("[]"))}
    return dict(_PROPERTIES.get(type_, _NUMBER))


def _new_lines(column: TableColumn) -> Iterator[str]:
    if column.default is Function.NOW:
        described = {"description": column.comment} if column.comment else {}
        yield f"$.table.columns.{column.name}: {_json({'from': '$ingested_at', **described})}"
        return
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
    if column.name.startswith(names.RESERVED_COLUMN_PREFIX):
        return column, lines
    if type_name(column.type) != type_:
        try:
            column = replace(column, type=read_type(type_))
        except KeyError:
            return column, lines
        lines.append(f"$.table.columns.{column.name}.type: {_json(_ARRAYS.get(type_, type_))}")
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


def _json(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False)
