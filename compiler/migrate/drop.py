"""The end of a dataset whose tombstone says `drop`: its view, its tables, and what the control schema knows of it."""

from __future__ import annotations

from typing import Any

from psycopg import Connection, sql

from compiler.migrate import session
from compiler.migrate.session import ConnInfo

# In the order of their references; the commits and the journal go with the rows that they tell of.
_REGISTERS = (
    "migration_steps",
    "migrations",
    "sink_instances",
    "output_commits",
    "dataset_heads",
    "generations",
    "datasets",
)


def drop_dataset(conninfo: ConnInfo, dataset: str) -> bool:
    """Drop the dataset's view and the tables of all its versions, and forget it, in one transaction.

    Something of others that depends on a table keeps everything there. Returns whether there was such a dataset.
    Raises ConnectError, which names what depends.
    """
    with session.connect(conninfo) as connection:
        session.become_owner(connection)
        with connection.transaction():
            found = connection.execute(
                "SELECT relation_schema, relation FROM sluice.generations WHERE dataset = %s ORDER BY version",
                (dataset,),
            ).fetchall()
            _drop(connection, dataset, found)
        return bool(found)


def _drop(connection: Connection[Any], dataset: str, tables: list[tuple[str, str]]) -> None:
    for schema in sorted({schema for schema, _ in tables}):
        connection.execute(sql.SQL("DROP VIEW IF EXISTS {}").format(sql.Identifier(schema, dataset)))
    for schema, name in tables:
        connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(schema, name)))
    for register in _REGISTERS:
        statement = sql.SQL("DELETE FROM {} WHERE dataset = %s").format(sql.Identifier("sluice", register))
        connection.execute(statement, (dataset,))
