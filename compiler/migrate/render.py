"""Table -> SQL text: the one place where structured constraints become DDL.

Everything is schema-qualified and quoted, so no search_path matters. Functions and operators are built-in ones, which
Postgres finds in pg_catalog before anywhere else under the empty search_path that migrations run with.
"""

from __future__ import annotations

from decimal import Decimal
from typing import assert_never

from compiler.canonical import JsonDocument
from compiler.dataset import (
    BigInt,
    Bound,
    ColumnType,
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
    Text,
)
from compiler.literals import constant_text
from compiler.migrate.quoting import columns, identifier, literal
from compiler.table import Function, Table, TableCheck, TableColumn, TableIndex, comments, type_name

_RANGES = {BigInt: 2**63, Integer: 2**31}


def create_table(table: Table) -> str:
    """CREATE TABLE with columns, CHECKs and the key; a new table is born with its constraints valid."""
    lines = [
        *(_column(column) for column in table.columns),
        *(_check(table, check) for check in table.checks),
        f"CONSTRAINT {identifier(table.key_name)} PRIMARY KEY ({columns(table.key)})",
    ]
    body = ",\n".join(f"    {line}" for line in lines)
    return f"CREATE TABLE {identifier(table.schema, table.name)} (\n{body}\n);"


def create_index(table: Table, index: TableIndex) -> str:
    """CREATE INDEX; a partial one gets its predicate's id as comment, since deparsed predicates are no fixpoint."""
    statements = [index_statement(table, index)]
    if index.predicate_id:
        statements.append(index_comment(table, index))
    return "\n".join(statements)


def index_statement(table: Table, index: TableIndex, *, concurrently: bool = False) -> str:
    """CREATE INDEX alone, on one line.

    GIN takes the default operator class (jsonb_ops for jsonb): it serves every jsonb operator, key existence
    included, where the smaller jsonb_path_ops would serve containment alone; array_ops for arrays.
    """
    create = "CREATE INDEX CONCURRENTLY" if concurrently else "CREATE INDEX"
    parts = [
        f"{create} {identifier(index.name)} ON {relation(table)}",
        f"USING {index.index.method} ({_index_columns(index.index)})",
    ]
    if index.index.include:
        parts.append(f"INCLUDE ({columns(index.index.include)})")
    if index.index.where:
        parts.append(f"WHERE ({index.index.where.sql})")
    return " ".join(parts) + ";"


def index_comment(table: Table, index: TableIndex) -> str:
    """The id of a partial index's predicate as its comment."""
    return f"COMMENT ON INDEX {identifier(table.schema, index.name)} IS {literal(index.predicate_id or '')};"


def relation(table: Table) -> str:
    """The base table's qualified name."""
    return identifier(table.schema, table.name)


def add_column(table: Table, column: TableColumn) -> str:
    """ALTER TABLE … ADD COLUMN with its default and NOT NULL, without its CHECKs."""
    return f"ALTER TABLE {relation(table)} ADD COLUMN {_column(column)};"


def add_check(table: Table, check: TableCheck) -> str:
    """ALTER TABLE … ADD CONSTRAINT … NOT VALID: new rows are held to it, old ones not yet compared."""
    return f"ALTER TABLE {relation(table)} ADD {_check(table, check)} NOT VALID;"


def violations(table: Table, check: TableCheck) -> str:
    """A query of the keys of rows that break a CHECK; null does not."""
    text = _condition(table, check)
    return f"SELECT {columns(table.key)} FROM {relation(table)} WHERE ({text}) IS FALSE"  # noqa: S608 - of quoted names and literals


def change_default(table: Table, column: TableColumn) -> str:
    """ALTER COLUMN … SET DEFAULT, or DROP DEFAULT where the column has none."""
    expression = default(column)
    action = f"SET DEFAULT {expression}" if expression else "DROP DEFAULT"
    return f"ALTER TABLE {relation(table)} ALTER COLUMN {identifier(column.name)} {action};"


def changed_comments(old: Table, new: Table) -> str:
    """COMMENT on the table, its columns and their places in the view, wherever `new` says something else."""
    before, after = _texts(old), _texts(new)
    base, view = relation(new), identifier(new.schema, new.view.name)
    statements = []
    for place in sorted(before.keys() | after.keys()):
        if before.get(place) == after.get(place):
            continue
        text = literal(after[place]) if place in after else "NULL"
        if not place:
            statements += [f"COMMENT ON TABLE {base} IS {text};", f"COMMENT ON VIEW {view} IS {text};"]
            continue
        statements.append(f"COMMENT ON COLUMN {base}.{identifier(place)} IS {text};")
        if place in new.view.columns:
            statements.append(f"COMMENT ON COLUMN {view}.{identifier(place)} IS {text};")
    return "\n".join(statements)


def _texts(table: Table) -> dict[str, str]:
    return {row[0]: row[1] for row in comments(table)}


def append_to_view(table: Table) -> str:
    """CREATE OR REPLACE VIEW: the columns that it has stay as they are, so readers' privileges and views on it do too."""
    view, listed = identifier(table.schema, table.view.name), columns(table.view.columns)
    return f"CREATE OR REPLACE VIEW {view} ({listed}) AS\nSELECT {listed}\nFROM {relation(table)};"


def comment_statements(table: Table) -> str:
    """COMMENT on the table and its columns; empty where nothing is described."""
    relation = identifier(table.schema, table.name)
    return "\n".join(
        f"COMMENT ON COLUMN {relation}.{identifier(place)} IS {literal(text)};"
        if place
        else f"COMMENT ON TABLE {relation} IS {literal(text)};"
        for place, text in comments(table)
    )


def create_view(table: Table) -> str:
    """The public relation with its comments: explicit columns, owner's rights on the base, no options."""
    view = identifier(table.schema, table.view.name)
    listed, base = columns(table.view.columns), identifier(table.schema, table.name)
    statements = [f"CREATE VIEW {view} ({listed}) AS\nSELECT {listed}\nFROM {base};"]
    for place, text in comments(table):
        if not place:
            statements.append(f"COMMENT ON VIEW {view} IS {literal(text)};")
        elif place in table.view.columns:
            statements.append(f"COMMENT ON COLUMN {view}.{identifier(place)} IS {literal(text)};")
    return "\n".join(statements)


def condition(type_: ColumnType, column: str, rule: Rule) -> str:
    """A structured rule as an SQL condition on a column of that type; null always passes."""
    name = identifier(column)
    match rule:
        case OneOf(values):
            return _one_of(type_, name, values)
        case Length(minimum, maximum):
            return _length(name, minimum, maximum)
        case Bound(operator, value):
            return f"{name} {_operator(operator)} {_number(type_, value)}"
        case Matches(pattern):
            return f"{name} ~ {literal(pattern)}"
        case Expression(sql):
            return sql
        case _:
            assert_never(rule)


def default(column: TableColumn) -> str | None:
    """The column's default as an SQL expression, or None. A JSON null is no default."""
    match column.default:
        case None:
            return None
        case Function.NOW:
            return "now()"
        case JsonDocument() as document:
            return None if document.value is None else typed(column.type, document.text)
        case _:
            assert_never(column.default)


def typed(type_: ColumnType, text: str) -> str:
    """A JSON literal as a constant of the column's type."""
    return f"{literal(constant_text(type_, text))}::{type_name(type_)}"


def _column(column: TableColumn) -> str:
    parts = [identifier(column.name), type_name(column.type)]
    if not column.nullable:
        parts.append("NOT NULL")
    expression = default(column)
    if expression:
        parts.append(f"DEFAULT {expression}")
    return " ".join(parts)


def _check(table: Table, check: TableCheck) -> str:
    return f"CONSTRAINT {identifier(check.name)} CHECK ({_condition(table, check)})"


def _condition(table: Table, check: TableCheck) -> str:
    # A user's expression names no column of its own, so its type is never asked for.
    type_ = next((column.type for column in table.columns if column.name == check.column), Text())
    return condition(type_, check.column, check.rule)


def _one_of(type_: ColumnType, name: str, values: tuple[str, ...]) -> str:
    listed = [_member(type_, value) for value in values if value != "null"]
    return f"{name} IN ({', '.join(listed)})" if listed else f"{name} IS NULL"


def _member(type_: ColumnType, text: str) -> str:
    whole = isinstance(
        type_, (BigInt, Integer)
    )  # 1.5 among integers must not be rounded, nor refuse the table
    return _number(type_, text) if whole else typed(type_, text)


def _length(name: str, minimum: int | None, maximum: int | None) -> str:
    bounds = [(">=", minimum), ("<=", maximum)]
    return " AND ".join(f"char_length({name}) {sign} {limit}" for sign, limit in bounds if limit is not None)


def _operator(operator: str) -> str:
    if operator not in {">=", ">", "<=", "<"}:
        raise ValueError(f"{operator!r} is no bound")
    return operator


def _number(type_: ColumnType, value: str) -> str:
    """The bound as an exact constant: of the column's type where that holds it, else numeric, which holds all."""
    number = Decimal(value)
    limit = _RANGES.get(type(type_))
    if limit is not None:
        whole = number == number.to_integral_value() and -limit <= number < limit
        return f"{literal(str(int(number)))}::{type_name(type_)}" if whole else f"{literal(value)}::numeric"
    # numeric(p,s) would round the bound itself.
    return f"{literal(value)}::{'double precision' if type_name(type_) == 'double precision' else 'numeric'}"


def _index_columns(index: Index) -> str:
    return ", ".join(_index_column(index.method, column) for column in index.columns)


def _index_column(method: Method, column: IndexColumn) -> str:
    name = identifier(column.name)
    match method:
        case Method.GIN:
            return name
        case Method.BTREE:
            usual = Nulls.LAST if column.order is Order.ASC else Nulls.FIRST
            order = " DESC" if column.order is Order.DESC else ""
            nulls = "" if column.nulls is usual else f" NULLS {column.nulls.upper()}"
            return f"{name}{order}{nulls}"
        case _:
            assert_never(method)
