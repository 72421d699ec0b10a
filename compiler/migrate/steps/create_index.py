"""Build one secondary index of a table that the same transaction has made."""

from __future__ import annotations

from dataclasses import replace

from compiler.migrate import render
from compiler.migrate.model import Effort, Lock, Step
from compiler.migrate.quoting import identifier
from compiler.table import Table, TableIndex


def after(table: Table, index: TableIndex) -> Table:
    """`table` with the index."""
    indexes = sorted((*table.indexes, index), key=lambda one: one.name)
    return replace(table, indexes=tuple(indexes))


def step(table: Table, index: TableIndex) -> Step:
    """Plain CREATE INDEX: the table is new and empty, so there is nothing to lock or scan."""
    return Step(
        title=f"create index {identifier(index.name)}",
        sql=render.create_index(table, index),
        lock=Lock.NONE,
        effort=Effort.INSTANT,
        after=after(table, index).fingerprint,
    )
