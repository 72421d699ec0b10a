"""Create the base table: columns, CHECKs, key."""

from __future__ import annotations

from dataclasses import replace

from compiler.migrate import render
from compiler.migrate.model import Effort, Lock, Step
from compiler.migrate.quoting import identifier
from compiler.table import Table, View


def after(table: Table) -> Table:
    """The table as this step leaves it: no indexes, no comments, no view yet."""
    columns = tuple(replace(column, comment=None) if column.comment else column for column in table.columns)
    return replace(table, columns=columns, indexes=(), view=View(table.view.name, ()), comment=None)


def step(table: Table) -> Step:
    """Nobody can use the table before its transaction commits, so no lock is felt."""
    return Step(
        title=f"create table {identifier(table.name)}",
        sql=render.create_table(table),
        lock=Lock.NONE,
        effort=Effort.INSTANT,
        after=after(table).fingerprint,
    )
