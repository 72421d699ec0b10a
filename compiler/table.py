"""Dataset -> Table: the one Postgres table (and its view) that a generation of a dataset is.

`Table` is what the migration planner compares, so it holds structured constraints and no SQL text. `Shape` is what a
table and a live catalog can both say about themselves; its RFC 8785 form is what fingerprints hash.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, lru_cache
from typing import assert_never

from compiler import names
from compiler.canonical import Json, JsonDocument, sha256, short_id
from compiler.dataset import (
    Array,
    BigInt,
    Boolean,
    Bound,
    Bytea,
    Check,
    Column,
    ColumnType,
    Dataset,
    Date,
    Double,
    Expression,
    Ignore,
    Index,
    Integer,
    Jsonb,
    Key,
    Length,
    Matches,
    MessageKey,
    NaturalKey,
    Numeric,
    OnConflict,
    OneOf,
    Platform,
    Rule,
    Text,
    Timestamptz,
    Timetz,
    Update,
    UpdateIfNewer,
    Uuid,
)
from compiler.literals import literal_json


class Function(StrEnum):
    """A default that Postgres computes; only STABLE ones, which add a column without a rewrite."""

    NOW = "now()"


@dataclass(frozen=True)
class TableColumn:
    """A physical column. `default` is a JSON literal of the column's type, a function, or none."""

    name: str
    type: ColumnType
    nullable: bool
    default: JsonDocument | Function | None = None
    comment: str | None = None

    @cached_property
    def row(self) -> list[Json]:
        """What a shape says of the column; most tables on the way of a change have the same columns."""
        return [self.name, type_name(self.type), self.nullable, _default_json(self)]


@dataclass(frozen=True)
class TableCheck:
    """A CHECK constraint; its name carries the id of its structured source (`ck_<column>_<id>`)."""

    name: str
    rule: Rule
    column: str

    @cached_property
    def identity(self) -> str:
        """The id of the structured rule."""
        return check_id(self.column, self.rule)


@dataclass(frozen=True)
class TableIndex:
    """A secondary index under its physical name; the predicate's id stands in the index's comment."""

    name: str
    index: Index

    @cached_property
    def predicate_id(self) -> str | None:
        """The id of a partial index's predicate; None where the index is whole."""
        return short_id(["expression", self.index.where.sql]) if self.index.where else None

    @cached_property
    def row(self) -> list[Json]:
        """What a shape says of the index."""
        columns = [[one.name, str(one.order), str(one.nulls)] for one in self.index.columns]
        return [self.name, str(self.index.method), columns, list(self.index.include), self.predicate_id]


@dataclass(frozen=True)
class View:
    """The public relation: a plain view on the base table, its columns in the order that readers see."""

    name: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """The base table of one generation with everything that belongs to it.

    `unmanaged` names what others manage on it ("index:mine"): no part of its shape, and left out of a live one's.
    """

    schema: str
    name: str
    columns: tuple[TableColumn, ...]
    key: tuple[str, ...]
    checks: tuple[TableCheck, ...]
    indexes: tuple[TableIndex, ...]
    view: View
    comment: str | None
    unmanaged: tuple[str, ...] = ()

    @property
    def key_name(self) -> str:
        """The name of the primary key's constraint."""
        return names.key_index(self.name)

    @cached_property
    def shape(self) -> Shape:
        """What the table says about itself, comparable with a live one."""
        return _shape(self)

    @property
    def fingerprint(self) -> str:
        """The shape's hash."""
        return self.shape.fingerprint


@dataclass(frozen=True)
class Shape:
    """The comparable form of a table: canonical JSON of CONTRACT fields, sorted. Absent tables have `None` instead."""

    document: JsonDocument

    @property
    def fingerprint(self) -> str:
        """The hash of the RFC 8785 form."""
        return self.document.sha256


ABSENT_FINGERPRINT = sha256(None)


def table_of(dataset: Dataset) -> Table:
    """The table that the dataset's manifest asks for."""
    name = names.base_table(dataset.name, dataset.version)
    columns = tuple(map(_declared, dataset.columns)) + identity_columns(dataset.key, dataset.on_conflict)
    return Table(
        schema=dataset.schema,
        name=name,
        columns=columns,
        key=key_columns(dataset.key),
        checks=tuple(
            sorted((_check(check) for check in dataset.checks), key=lambda check: check.name),
        ),
        indexes=tuple(
            sorted(
                (TableIndex(names.index(name, index.name), index) for index in dataset.indexes),
                key=lambda index: index.name,
            )
        ),
        view=View(dataset.name, tuple(column.name for column in dataset.columns)),
        comment=dataset.description or None,
        unmanaged=dataset.unmanaged,
    )


def key_columns(key: Key) -> tuple[str, ...]:
    """The columns of the unique key, in order."""
    match key:
        case NaturalKey(columns):
            return columns
        case MessageKey():
            return (names.MESSAGE_ID_COLUMN, names.POSITION_COLUMN)
        case _:
            assert_never(key)


def identity_columns(key: Key, on_conflict: OnConflict) -> tuple[TableColumn, ...]:
    """The `sluice_` columns: a record's identity where it is the key, and the order of deliveries where rows update."""
    identity = (
        TableColumn(names.MESSAGE_ID_COLUMN, Uuid(), nullable=False),
        TableColumn(names.POSITION_COLUMN, Integer(), nullable=False),
    )
    match on_conflict:
        case Ignore():
            return identity if isinstance(key, MessageKey) else ()
        case Update() | UpdateIfNewer():
            return (TableColumn(names.SENT_AT_COLUMN, Timestamptz(), nullable=False), *identity)
        case _:
            assert_never(on_conflict)


@lru_cache(maxsize=1024)
def check_id(column: str, rule: Rule) -> str:
    """The id of a structured CHECK: hash of its kind, column and operands."""
    return short_id([*rule_json(rule)[:1], column, *rule_json(rule)[1:]])


def _declared(column: Column) -> TableColumn:
    default: JsonDocument | Function | None = column.default
    if column.source is Platform.INGESTED_AT:
        default = Function.NOW
    return TableColumn(column.name, column.type, column.nullable, default, column.description)


def _check(check: Check) -> TableCheck:
    return TableCheck(names.check(check.column, check_id(check.column, check.rule)), check.rule, check.column)


_TYPE_NAMES: Mapping[type[ColumnType], str] = {
    BigInt: "bigint",
    Integer: "integer",
    Numeric: "numeric",
    Double: "double precision",
    Boolean: "boolean",
    Text: "text",
    Uuid: "uuid",
    Timestamptz: "timestamp with time zone",
    Date: "date",
    Timetz: "time with time zone",
    Bytea: "bytea",
    Jsonb: "jsonb",
}


def type_name(type_: ColumnType) -> str:
    """The type as Postgres' format_type() writes it."""
    match type_:
        case Numeric(int() as precision, scale):
            return f"numeric({precision},{scale})"
        case Array(element):
            return f"{type_name(element)}[]"
        case (
            BigInt()
            | Integer()
            | Numeric()
            | Double()
            | Boolean()
            | Text()
            | Uuid()
            | Timestamptz()
            | Date()
            | Timetz()
            | Bytea()
            | Jsonb()
        ):
            return _TYPE_NAMES[type(type_)]
        case _:
            assert_never(type_)


def rule_json(rule: Rule) -> list[Json]:
    """A structured rule as JSON: its kind, then its operands."""
    match rule:
        case OneOf(values):
            return ["one_of", list(values)]
        case Length(minimum, maximum):
            return ["length", minimum, maximum]
        case Bound(operator, value):
            return ["bound", operator, value]
        case Matches(pattern):
            return ["matches", pattern]
        case Expression(sql):
            return ["expression", sql]
        case _:
            assert_never(rule)


def default_json(column: TableColumn) -> Json:
    """`[type, JSON literal]`, `[function]`, or None. A JSON null is no default."""
    return column.row[-1]


def _default_json(column: TableColumn) -> Json:
    match column.default:
        case None:
            return None
        case Function() as function:
            return [str(function)]
        case JsonDocument() as literal:
            name, value = type_name(column.type), literal.value
            return None if value is None else [name, literal_json(name, value)]
        case _:
            assert_never(column.default)


def _shape(table: Table) -> Shape:
    return Shape(
        JsonDocument.of(
            {
                "columns": sorted(column.row for column in table.columns),
                "key": list(table.key),
                "indexes": [index.row for index in table.indexes],
                "checks": sorted([check.name, check.identity] for check in table.checks),
                "view": sorted(table.view.columns),
                "comments": comments(table),
            },
            finite=True,
        )
    )


def comments(table: Table) -> list[list[str]]:
    """Sorted [object, text]: "" is the table itself, otherwise a column. The view repeats them and is not counted.

    An empty text is none: Postgres keeps no empty comment.
    """
    pairs = [("", table.comment), *((column.name, column.comment) for column in table.columns)]
    return sorted([place, text] for place, text in pairs if text)
