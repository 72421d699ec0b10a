"""pg_catalog -> Shape: what a live table says of itself, in the words of the manifest's Table.

Read in a session with pinned settings (`session.py`), under which deparsed text depends on the server alone. What a
Shape cannot hold (a trigger, a foreign key, an expression index…) is named beside it in `odd`, so that it is never
overlooked; what is on its way (an invalid index, a CHECK that is not validated) is marked as `state.py` marks it. Left out, as fingerprints do: privileges, owners, column order, not-null constraint rows, storage.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from psycopg import Connection
from psycopg.rows import DictRow, dict_row

from compiler import names
from compiler.canonical import Json, JsonDocument
from compiler.migrate import catalog_queries as queries
from compiler.migrate import others
from compiler.migrate.defaults import read_default
from compiler.migrate.relations import Relation
from compiler.migrate.state import INVALID, NOT_VALID, UNIQUE, UNNAMED
from compiler.table import Shape

_ID_IN_NAME = re.compile(r"_([0-9a-f]{12})$")
_ID = re.compile(r"[0-9a-f]{12}")


@dataclass(frozen=True)
class Live:
    """A table as it is: its shape, and the deparsed texts that stand behind the ids in it, for the journal.

    `odd` names what a Shape cannot hold; a table with any is no table of ours.
    """

    shape: Shape
    deparsed: JsonDocument
    odd: tuple[str, ...]


def read(connection: Connection[Any], relation: Relation) -> Live | None:
    """The live table; None where there is none."""
    with connection.cursor(row_factory=dict_row) as cursor:
        reader = _Reader(cursor, relation)
        found = reader.one(queries.TABLE, relation.schema, relation.table)
        if found is None:
            return None
        return reader.live(found)


class _Reader:
    """One reading: collects on its way what cannot be held."""

    def __init__(self, cursor: Any, relation: Relation) -> None:
        self._cursor = cursor
        self._relation = relation
        self._odd: list[str] = []

    def one(self, query: str, *parameters: object) -> DictRow | None:
        rows = self._all(query, *parameters)
        return rows[0] if rows else None

    def live(self, table: DictRow) -> Live:
        oid = table["oid"]
        self._odd += others.of_table(self._relation, table["odd"])
        columns = others.columns(self._relation, self._all(queries.COLUMNS, oid), self._odd)
        found = self._all(queries.CONSTRAINTS, oid)
        constraints = others.constraints(self._relation, found)
        indexes = others.indexes(self._relation, self._all(queries.INDEXES, oid), found)
        view = self.one(queries.VIEW, oid, self._relation.schema, self._relation.view)
        document = {
            "columns": sorted(self._column(row) for row in columns),
            "key": self._key(constraints),
            "indexes": sorted(self._index(row) for row in indexes),
            "checks": sorted(self._checks(constraints)),
            "view": self._view(view),
            "comments": _comments(table, columns),
        }
        deparsed = _deparsed(columns, constraints, indexes, view)
        return Live(Shape(JsonDocument.of(document)), deparsed, tuple(sorted(self._odd)))

    def _all(self, query: str, *parameters: object) -> list[DictRow]:
        return list(self._cursor.execute(query, parameters).fetchall())

    def _column(self, row: DictRow) -> list[Json]:
        if row["odd"]:
            self._odd.append(f"column {row['name']} is {row['odd']}")
        return [row["name"], row["type"], row["nullable"], self._default(row)]

    def _default(self, row: DictRow) -> Json:
        if row["expression"] is None or row["odd"]:
            return None
        return read_default(self._cursor, row["type"], row["expression"])

    def _key(self, constraints: list[DictRow]) -> list[str]:
        for row in constraints:
            if row["kind"] == "p":
                if row["name"] != self._relation.key_name:
                    self._odd.append(f"primary key {row['name']} should be named {self._relation.key_name}")
                return list(row["columns"])
        return []

    def _checks(self, constraints: list[DictRow]) -> Iterator[list[Json]]:
        for row in constraints:
            if row["odd"]:
                self._odd.append(f"constraint {row['name']} is {row['odd']}")
            if row["kind"] == "c":
                found = _ID_IN_NAME.search(row["name"])
                yield [row["name"], found[1] if found else "", *([] if row["validated"] else [NOT_VALID])]

    def _index(self, row: DictRow) -> list[Json]:
        coming = row["odd"] == UNIQUE and row["name"] == names.coming_index(self._relation.key_name)
        if row["odd"] and not coming:
            self._odd.append(f"index {row['name']} is {row['odd']}")
        if not row["valid"]:
            return [row["name"], INVALID]
        if coming:
            return [row["name"], UNIQUE, list(row["columns"])]
        predicate = row["comment"] if row["predicate"] else None
        if row["predicate"] and not _ID.fullmatch(predicate or ""):
            predicate = UNNAMED
        return [row["name"], row["method"], _index_columns(row), list(row["include"]), predicate]

    def _view(self, row: DictRow | None) -> list[str]:
        if row is None:
            return []
        if row["odd"]:
            self._odd.append(f"view {self._relation.view} is {row['odd']}")
        return sorted(row["columns"])


def _comments(table: DictRow, columns: list[DictRow]) -> list[Json]:
    pairs = [("", table["comment"]), *((row["name"], row["comment"]) for row in columns)]
    return sorted([place, text] for place, text in pairs if text)


def _index_columns(row: DictRow) -> list[Json]:
    # pg_index.indoption: bit 0 is DESC, bit 1 is NULLS FIRST.
    return [
        [name, "desc" if option & 1 else "asc", "first" if option & 2 else "last"]
        for name, option in zip(row["columns"], row["options"], strict=True)
    ]


def _deparsed(
    columns: list[DictRow], constraints: list[DictRow], indexes: list[DictRow], view: DictRow | None
) -> JsonDocument:
    return JsonDocument.of(
        {
            "defaults": {row["name"]: row["expression"] for row in columns if row["expression"] is not None},
            "constraints": {row["name"]: row["definition"] for row in constraints},
            "indexes": {row["name"]: row["definition"] for row in indexes},
            "view": view["definition"] if view else None,
        }
    )
