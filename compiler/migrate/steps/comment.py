"""Describe the table and its columns."""

from __future__ import annotations

from dataclasses import replace

from compiler.migrate import render
from compiler.migrate.model import Effort, Lock, Step
from compiler.migrate.quoting import identifier
from compiler.table import Table


def after(table: Table, target: Table) -> Table:
    """`table` with the comments of `target`; their columns are the same."""
    return replace(table, columns=target.columns, comment=target.comment)


def step(table: Table, target: Table) -> Step:
    """Comments on a new table, so no lock is felt."""
    return Step(
        title=f"comment on {identifier(target.name)}",
        sql=render.comment_statements(target),
        lock=Lock.NONE,
        effort=Effort.INSTANT,
        after=after(table, target).fingerprint,
    )
