"""Table <-> table.json: the canonical Table after a chain's last file, so that planning needs no database.

The text is JSON with sorted keys and an indent, because a reviewer reads its difference; the same Table gives the same
bytes, and reading gives the same Table back.
"""

from __future__ import annotations

import re
from typing import assert_never

from compiler.canonical import Json, JsonDocument, indented, parsed
from compiler.dataset import (
    Array,
    BigInt,
    Boolean,
    Bound,
    Bytea,
    ColumnType,
    Date,
    Double,
    Expression,
    Index,
    IndexColumn,
    Integer,
    Jsonb,
    Length,
    Matches,
    Method,
    Nulls,
    Numeric,
    OneOf,
    Order,
    Rule,
    Text,
    Timestamptz,
    Timetz,
    Uuid,
)
from compiler.table import Function, Table, TableCheck, TableColumn, TableIndex, View, rule_json, type_name

FORMAT = 1

_PLAIN: tuple[ColumnType, ...] = (
    BigInt(),
    Integer(),
    Numeric(),
    Double(),
    Boolean(),
    Text(),
    Uuid(),
    Timestamptz(),
    Date(),
    Timetz(),
    Bytea(),
    Jsonb(),
    *(Array(element) for element in (BigInt(), Numeric(), Boolean(), Text(), Uuid(), Timestamptz(), Date())),
)
_TYPES = {type_name(type_): type_ for type_ in _PLAIN}
_NUMERIC = re.compile(r"numeric\(([0-9]+),(-?[0-9]+)\)")


class TableJsonError(ValueError):
    """The text is not a table.json that this release wrote."""


def dumps(table: Table) -> str:
    """The file's text, ended by LF."""
    return indented(_table(table))


def loads(text: str) -> Table:
    """The Table of a file's text. Raises TableJsonError where `dumps` would not have written it."""
    try:
        table = _read_table(parsed(text))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise TableJsonError(f"not a table.json of format {FORMAT}: {error}") from error
    if dumps(table) != text:
        raise TableJsonError("the text is not the one form that `sluice plan` writes for this table")
    return table


def _table(table: Table) -> Json:
    # Written only where there is any: a file without it stays as it was planned.
    unmanaged = {"unmanaged": list(table.unmanaged)} if table.unmanaged else {}
    return {
        **unmanaged,
        "format": FORMAT,
        "schema": table.schema,
        "name": table.name,
        "columns": [_column(column) for column in table.columns],
        "key": list(table.key),
        "checks": [{"name": c.name, "column": c.column, "rule": rule_json(c.rule)} for c in table.checks],
        "indexes": [_index(index) for index in table.indexes],
        "view": {"name": table.view.name, "columns": list(table.view.columns)},
        "comment": table.comment,
    }


def _column(column: TableColumn) -> Json:
    return {
        "name": column.name,
        "type": type_name(column.type),
        "nullable": column.nullable,
        "default": _default(column.default),
        "comment": column.comment,
    }


def _default(default: JsonDocument | Function | None) -> Json:
    match default:
        case None:
            return None
        case Function():
            return {"function": str(default)}
        case JsonDocument():
            return {"literal": default.value}
        case _:
            assert_never(default)


def _index(index: TableIndex) -> Json:
    return {
        "name": index.name,
        "declared": index.index.name,
        "method": str(index.index.method),
        "columns": [[column.name, str(column.order), str(column.nulls)] for column in index.index.columns],
        "include": list(index.index.include),
        "where": index.index.where.sql if index.index.where else None,
    }


def _read_table(value: Json) -> Table:
    if value["format"] != FORMAT:
        raise ValueError(f"format {value['format']!r}")
    view = value["view"]
    return Table(
        schema=value["schema"],
        name=value["name"],
        columns=tuple(_read_column(column) for column in value["columns"]),
        key=tuple(value["key"]),
        checks=tuple(TableCheck(c["name"], read_rule(c["rule"]), c["column"]) for c in value["checks"]),
        indexes=tuple(_read_index(index) for index in value["indexes"]),
        view=View(view["name"], tuple(view["columns"])),
        comment=value["comment"],
        unmanaged=tuple(value.get("unmanaged", ())),
    )


def _read_column(value: Json) -> TableColumn:
    if not isinstance(value["nullable"], bool):
        raise ValueError(f"nullable: {value['nullable']!r}")  # noqa: TRY004 - every reader raises ValueError
    return TableColumn(
        name=value["name"],
        type=read_type(value["type"]),
        nullable=value["nullable"],
        default=_read_default(value["default"]),
        comment=value["comment"],
    )


def _read_default(value: Json) -> JsonDocument | Function | None:
    if value is None:
        return None
    return Function(value["function"]) if "function" in value else JsonDocument.of(value["literal"])


def _read_index(value: Json) -> TableIndex:
    return TableIndex(
        value["name"],
        Index(
            name=value["declared"],
            method=Method(value["method"]),
            columns=tuple(
                IndexColumn(name, Order(order), Nulls(nulls)) for name, order, nulls in value["columns"]
            ),
            include=tuple(value["include"]),
            where=None if value["where"] is None else Expression(value["where"]),
        ),
    )


def read_type(name: str) -> ColumnType:
    """The column type that `type_name` writes so. Raises KeyError."""
    numeric = _NUMERIC.fullmatch(name)
    return Numeric(int(numeric[1]), int(numeric[2])) if numeric else _TYPES[name]


def read_rule(value: list[Json]) -> Rule:
    """The structured rule that `rule_json` writes so. Raises ValueError."""
    match value:
        case ["one_of", list(values)]:
            return OneOf(tuple(values))
        case ["length", minimum, maximum]:
            return Length(minimum, maximum)
        case ["bound", str(operator), str(number)]:
            return Bound(operator, number)
        case ["matches", str(pattern)]:
            return Matches(pattern)
        case ["expression", str(sql)]:
            return Expression(sql)
        case _:
            raise ValueError(f"no such rule: {value!r}")
