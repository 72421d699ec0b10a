"""The records of a batch as rows: read by jsonb_to_recordset beside their identities, cast, defaults filled in.

Also the small pieces that this text and the statement around it are made of.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import LiteralString, assert_never

from psycopg import sql

from compiler import names
from compiler.dataset import (
    Array,
    BigInt,
    Bytea,
    Column,
    ColumnType,
    Dataset,
    Integer,
    Jsonb,
    Platform,
    Property,
)
from compiler.literals import constant_text
from compiler.table import identity_columns, type_name
from sink_runtime.plan import ARRAYS, PARAMETERS

IDENTITY = (names.SENT_AT_COLUMN, names.MESSAGE_ID_COLUMN, names.POSITION_COLUMN)
ORDINAL = names.RESERVED_COLUMN_PREFIX + "ordinal"
_RAW = names.RESERVED_COLUMN_PREFIX + "raw"
_SENDER = names.RESERVED_COLUMN_PREFIX + "sender"

# jsonb_to_recordset finds a property by the column's name, and these can be no column's name.
_NAME_BYTES = 63
_SYSTEM_COLUMNS = frozenset({"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"})


# Each array of the statement: the elements' type, the column that a row has it as, and the platform's column of it.
_ARRAYS: Mapping[str, tuple[str, str, Platform | None]] = {
    "message_ids": ("uuid", names.MESSAGE_ID_COLUMN, Platform.MESSAGE_ID),
    "positions": ("int4", names.POSITION_COLUMN, None),
    "sent_ats": ("timestamptz", names.SENT_AT_COLUMN, Platform.SENT_AT),
    "senders": ("text", _SENDER, Platform.SENDER),
}


def arrays(dataset: Dataset) -> tuple[str, ...]:
    """Those of `sink_runtime.plan.ARRAYS` that the dataset's rows, or their order, are made of."""
    platform = {column.source for column in dataset.columns}
    identity = {column.name for column in identity_columns(dataset.key, dataset.on_conflict)}
    return tuple(name for name in ARRAYS if _ARRAYS[name][1] in identity or _ARRAYS[name][2] in platform)


def parameter(name: str, type_: LiteralString) -> sql.Composed:
    """One of `sink_runtime.plan.PARAMETERS`, by its number and with its type, so that Postgres knows it."""
    return sql.SQL("${}::" + type_).format(sql.Literal(PARAMETERS.index(name) + 1))


def arriving(dataset: Dataset) -> sql.Composed:
    """One row a record: the table's columns (casts and defaults done), then what the arrays hold, and the ordinal."""
    read, records, parallel = _read_by_name(dataset), parameter("records", "jsonb"), arrays(dataset)
    functions, aliases = [], [column.name for _, column in read]
    if read:
        fields = commas(
            sql.SQL("{} {}").format(sql.Identifier(name), _read_type(column.type)) for name, column in read
        )
        functions.append(sql.SQL("jsonb_to_recordset({}) AS ({})").format(records, fields))
    if _wants_raw(dataset):
        functions.append(sql.SQL("jsonb_array_elements({})").format(records))
        aliases.append(_RAW)
    for number, name in enumerate(parallel, start=len(PARAMETERS) + 1):
        functions.append(sql.SQL("unnest(${}::{}[])").format(sql.Literal(number), sql.SQL(_ARRAYS[name][0])))
        aliases.append(_ARRAYS[name][1])
    values: list[sql.Composable] = [
        sql.SQL("{} AS {}").format(_value(column), sql.Identifier(column.name)) for column in dataset.columns
    ]
    values += [sql.Identifier("r", _ARRAYS[name][1]) for name in parallel if name != "senders"]
    values.append(sql.Identifier("r", ORDINAL))
    return sql.SQL("SELECT {}\nFROM ROWS FROM ({}) WITH ORDINALITY AS r ({})").format(
        commas(values), commas(functions, "\n  "), identifiers([*aliases, ORDINAL])
    )


def _read_by_name(dataset: Dataset) -> list[tuple[str, Column]]:
    """Columns that the recordset reads, each with its property's name."""
    return [
        (column.source.name, column)
        for column in dataset.columns
        if isinstance(column.source, Property) and _is_readable(column.source.name)
    ]


def _is_readable(name: str) -> bool:
    return 0 < len(name.encode()) <= _NAME_BYTES and name not in _SYSTEM_COLUMNS


def _wants_raw(dataset: Dataset) -> bool:
    """Whether the record itself is needed: as a column, to tell missing from null, or for a name no column can have.

    Postgres takes each record apart once more for it, so a default where null is not admitted does without.
    """
    return any(
        column.source is Platform.RECORD
        or (
            isinstance(column.source, Property)
            and (_keeps_null(column) or not _is_readable(column.source.name))
        )
        for column in dataset.columns
    )


def _keeps_null(column: Column) -> bool:
    """Whether its default is only for records without the property: a null that they hold stays one."""
    return column.default is not None and column.nullable


def _value(column: Column) -> sql.Composable:
    match column.source:
        case Property(name):
            return _property_value(column, name)
        case Platform.INGESTED_AT:
            return sql.SQL("now()")
        case Platform.SENT_AT:
            return sql.Identifier("r", names.SENT_AT_COLUMN)
        case Platform.MESSAGE_ID:
            return sql.Identifier("r", names.MESSAGE_ID_COLUMN)
        case Platform.SENDER:
            return sql.Identifier("r", _SENDER)
        case Platform.RECORD:
            return sql.Identifier("r", _RAW)
        case _:
            assert_never(column.source)


def _property_value(column: Column, name: str) -> sql.Composable:
    value = _cast(column, name)
    if column.default is None:
        return value
    if not _keeps_null(column):
        return sql.SQL("coalesce({}, {})").format(value, _literal(column))
    return sql.SQL("CASE WHEN {} ? {} THEN {} ELSE {} END").format(
        sql.Identifier("r", _RAW), sql.Literal(name), value, _literal(column)
    )


def _cast(column: Column, name: str) -> sql.Composable:
    """The property as its column's type; JSON null is SQL null."""
    if _is_readable(name):
        return _converted(column.type, sql.Identifier("r", column.name))
    raw, key = sql.Identifier("r", _RAW), sql.Literal(name)
    match column.type:
        case Jsonb():  # unlike the recordset, -> gives JSON null as a value
            return sql.SQL("nullif({} -> {}, 'null'::jsonb)").format(raw, key)
        case Array():  # ->> would give JSON's text of it, which is no array's
            read = sql.SQL(
                "(SELECT a.v FROM jsonb_to_record(jsonb_build_object('v', {} -> {})) AS a (v {}))"
            ).format(raw, key, _read_type(column.type))
            return _converted(column.type, read)
        case _:
            text = sql.SQL("({} ->> {})::{}").format(raw, key, _read_type(column.type))
            return _converted(column.type, text)


def _read_type(type_: ColumnType) -> sql.SQL:
    """The type by which Postgres reads the JSON value.

    JSON's `1.0` is an integer, and the integers' input functions refuse it: they are read as numeric. Base64 is text
    until it is decoded, since bytea's own input would take it for the bytes themselves.
    """
    match type_:
        case BigInt() | Integer():
            return sql.SQL("numeric")
        case Array(BigInt()):
            return sql.SQL("numeric[]")
        case Bytea():
            return sql.SQL("text")
        case _:
            return _type(type_)


def _converted(type_: ColumnType, read: sql.Composable) -> sql.Composable:
    """What was read as `_read_type`, as the column's type."""
    match type_:
        case BigInt() | Integer() | Array(BigInt()):
            return sql.SQL("{}::{}").format(read, _type(type_))
        case Bytea():
            return sql.SQL("decode({}, 'base64')").format(read)
        case _:
            return read


def _literal(column: Column) -> sql.Composable:
    """The column's default, a JSON literal, as SQL of its type."""
    assert column.default is not None
    if column.default.value is None and not isinstance(column.type, Jsonb):
        return sql.SQL("NULL::{}").format(_type(column.type))
    text = constant_text(column.type, column.default.text)
    return sql.SQL("{}::{}").format(sql.Literal(text), _type(column.type))


def _type(type_: ColumnType) -> sql.SQL:
    """A type's name as SQL; names of types come from a closed set, never from a manifest."""
    return sql.SQL(type_name(type_))


def identifiers(columns: Iterable[str]) -> sql.Composed:
    """Quoted names, comma-separated."""
    return commas(map(sql.Identifier, columns))


def commas(parts: Iterable[sql.Composable], after: LiteralString = " ") -> sql.Composed:
    """The parts with a comma, and what follows it, between them."""
    return sql.SQL("," + after).join(parts)
