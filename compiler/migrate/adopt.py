"""What was done to a table by hand, as the Table that git would have to follow it with; and what to write for it.

Only what a manifest can say, and what another database can be brought to, is taken over; a step that loses data there keeps its
hazard. The view shows no new column: the plan that follows the changed manifest does that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from psycopg.sql import Identifier

from compiler import names
from compiler.canonical import Json
from compiler.dataset import (
    Bound,
    Expression,
    Index,
    IndexColumn,
    Length,
    Matches,
    Method,
    Nulls,
    OneOf,
    Order,
    Rule,
)
from compiler.migrate.adopt_columns import columns, perhaps_renamed
from compiler.migrate.adopt_expressions import of_check, of_index
from compiler.migrate.catalog import Live
from compiler.migrate.difference import differences
from compiler.migrate.drift import edited
from compiler.migrate.journal import Snapshot
from compiler.migrate.unplanned import unplanned
from compiler.table import Table, TableCheck, TableIndex, check_id, rule_json

_LABEL = re.compile(r"[a-z][a-z0-9_]*")
_CHECK_NAME = re.compile(r"ck_([a-z][a-z0-9_]*)_[0-9a-f]{12}")


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
    document, texts = live.shape.document.value, live.deparsed.value
    result, lines = columns(table, document)
    for taken in (_checks, _indexes):
        result, more = taken(result, document, texts)
        lines += more
    result, more = _comments(result, document)
    lines += more
    left = (
        *_left(result, live, kept, major),
        *perhaps_renamed(table, document),
        *unplanned(table, result, {}),
    )
    return Adopted(result, tuple(lines), left)


def _left(result: Table, live: Live, kept: Snapshot, major: int) -> Iterator[str]:
    for text in differences(result.shape.document.value, live.shape.document.value):
        yield f"{text}{_hint(result, text, live)}"
    yield from live.odd
    if kept.major == major:
        texts = edited(kept.deparsed.value, live.deparsed.value)
        yield from (text for text in texts if not text.startswith("default of column"))


def _hint(table: Table, text: str, live: Live) -> str:
    """What is taken over under the name, and with the comment, that a manifest's would have."""
    named = re.match(r"(index|check) (.+?) (?:added|is partial, .*)$", text)
    if named is None:
        return ""
    statements = _renaming(table, named[1], named[2], live)
    return f"; it could be taken over after {' '.join(statements)}" if statements else ""


def _renaming(table: Table, kind: str, name: str, live: Live) -> list[str]:
    label = re.sub(r"[^a-z0-9_]", "_", name.lower())
    base, texts = Identifier(table.schema, table.name).as_string(), live.deparsed.value
    if kind == "check":
        rule = of_check(texts["constraints"][name], table)
        if rule is None:
            return []
        derived = _CHECK_NAME.fullmatch(name)
        label = derived[1] if derived else label
        wanted = names.check(label, check_id(label, rule))
        return [f"ALTER TABLE {base} RENAME CONSTRAINT {_quoted(name)} TO {_quoted(wanted)};"]
    row = next(row for row in live.shape.document.value["indexes"] if row[0] == name)
    predicate = of_index(texts["indexes"][name], table)
    if not _is_sayable(row) or (row[4] is not None and predicate is None):
        return []
    statements = []
    if predicate and row[4] != _predicate_id(predicate):
        index = Identifier(table.schema, name).as_string()
        statements.append(f"COMMENT ON INDEX {index} IS '{_predicate_id(predicate)}';")
    if _index_label(table, name) is None:
        wanted, index = names.index(table.name, label), Identifier(table.schema, name).as_string()
        statements.append(f"ALTER INDEX {index} RENAME TO {_quoted(wanted)};")
    return statements


def _quoted(name: str) -> str:
    return Identifier(name).as_string()


# --- checks, indexes, comments --------------------------------------------------------------------------------------


def _checks(table: Table, live: Json, texts: Json) -> tuple[Table, list[str]]:
    there = {row[0] for row in live["checks"] if len(row) == 2}
    gone = [check for check in table.checks if check.name not in {row[0] for row in live["checks"]}]
    kept = [check for check in table.checks if check not in gone]
    lines = [f"{_place(check)}: remove it" for check in gone]
    for name in sorted(there - {check.name for check in kept}):
        check = _new_check(table, name, texts["constraints"][name])
        if check:
            kept.append(check)
            lines.append(f"{_place(check)}: {_json(rule_json(check.rule)[1])}")
    return replace(table, checks=tuple(sorted(kept, key=lambda one: one.name))), lines


def _new_check(table: Table, name: str, definition: str) -> TableCheck | None:
    """A CHECK whose expression a manifest can say, under the name that follows from it."""
    rule, named = of_check(definition, table), _CHECK_NAME.fullmatch(name)
    if rule is None or named is None or names.check(named[1], check_id(named[1], rule)) != name:
        return None
    return TableCheck(name, rule, named[1])


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


def _indexes(table: Table, live: Json, texts: Json) -> tuple[Table, list[str]]:
    rows = {row[0]: row for row in live["indexes"]}
    lines = [
        f"$.table.indexes: remove {_json(one.index.name)}" for one in table.indexes if one.name not in rows
    ]
    kept = [one for one in table.indexes if one.name in rows]
    for name in sorted(rows.keys() - {one.name for one in table.indexes}):
        index = _index(table, rows[name], texts["indexes"][name])
        if index:
            kept.append(TableIndex(name, index))
            lines.append(f"$.table.indexes: add {_json(_index_json(index))}")
    return replace(table, indexes=tuple(sorted(kept, key=lambda one: one.name))), lines


def _is_sayable(row: list[Json]) -> bool:
    return len(row) == 5 and row[1] in set(Method) and all(column[0] for column in row[2])


def _index_label(table: Table, name: str) -> str | None:
    """What a manifest calls the index of this name; None where it is not the name of a manifest's."""
    label = name.removeprefix(f"{table.name}_").removesuffix("_idx")
    return label if _LABEL.fullmatch(label) and names.index(table.name, label) == name else None


def _index(table: Table, row: list[Json], definition: str) -> Index | None:
    """An index that has the name of one that a manifest declares, and its predicate's id for a comment where it is partial."""
    label = _index_label(table, row[0])
    if label is None or not _is_sayable(row):
        return None
    where = of_index(definition, table)
    if (where and _predicate_id(where)) != row[4]:
        return None
    columns = tuple(IndexColumn(name, Order(order), Nulls(nulls)) for name, order, nulls in row[2])
    return Index(label, Method(row[1]), columns, tuple(row[3]), where)


def _predicate_id(where: Expression) -> str | None:
    return TableIndex("", Index("", Method.BTREE, (), (), where)).predicate_id


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
    if index.where:
        document["where"] = index.where.sql
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
