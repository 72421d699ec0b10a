"""Create the public relation: a plain view on the base table."""

from __future__ import annotations

from dataclasses import replace

from compiler.migrate import render
from compiler.migrate.model import Effort, Lock, Step
from compiler.migrate.quoting import identifier
from compiler.table import Table


def after(table: Table, target: Table) -> Table:
    """`table` with the view of `target`."""
    return replace(table, view=target.view)


def step(table: Table, target: Table) -> Step:
    """A new view locks nothing that others use."""
    return Step(
        title=f"create view {identifier(target.view.name)}",
        sql=render.create_view(target),
        lock=Lock.NONE,
        effort=Effort.INSTANT,
        after=after(table, target).fingerprint,
    )
