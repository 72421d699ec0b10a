"""A chain's table in a database: where it is, and how large."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psycopg import Connection
from psycopg.sql import Identifier

from compiler.migrate.model import Chain
from compiler.table import Table


@dataclass(frozen=True)
class Relation:
    """Where to look: a base table with the names of its key constraint and its view.

    `unmanaged` are the objects of others on it, as "index:mine": they are not read.
    """

    schema: str
    table: str
    key_name: str
    view: str
    unmanaged: frozenset[str] = frozenset()

    def leaves(self, kind: str, name: str) -> bool:
        """Whether the object is left to others."""
        return f"{kind}:{name}" in self.unmanaged

    def __str__(self) -> str:
        return f"{self.schema}.{self.table}"


def relation_of(chain: Chain) -> Relation:
    """Where the chain's table lives."""
    return relation_at(chain.table)


def relation_at(table: Table) -> Relation:
    """Where a table lives."""
    return Relation(table.schema, table.name, table.key_name, table.view.name, frozenset(table.unmanaged))


def size_of(connection: Connection[Any], relation: Relation) -> int:
    """The live table's bytes without its indexes; 0 where there is none."""
    name = Identifier(relation.schema, relation.table).as_string(connection)
    row = connection.execute(
        "SELECT pg_catalog.pg_table_size(pg_catalog.to_regclass(%s))", (name,)
    ).fetchone()
    return int(row[0] or 0) if row else 0
