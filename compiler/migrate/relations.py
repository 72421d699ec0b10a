"""A chain's table in a database: where it is, and how large."""

from __future__ import annotations

from typing import Any

from psycopg import Connection
from psycopg.sql import Identifier

from compiler.migrate.catalog import Relation
from compiler.migrate.model import Chain
from compiler.table import Table


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
