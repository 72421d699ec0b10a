"""What a Table may ask for and SQL text cannot say exactly, each named; no driver is imported.

`sluice check` reports these as errors, so that a manifest which passes is one that `sluice plan` can render.
"""

from __future__ import annotations

from collections.abc import Iterable

from compiler.names import POSTGRES_LIMIT
from compiler.table import Table


def refusals(table: Table) -> tuple[str, ...]:
    """One sentence for each name or expression that cannot be rendered, sorted; empty where all can."""
    return tuple(sorted({*_names(table), *_expressions(table)}))


def _names(table: Table) -> Iterable[str]:
    named = [
        ("schema", table.schema),
        ("table", table.name),
        ("view", table.view.name),
        *(("column", column.name) for column in table.columns),
        *(("check", check.name) for check in table.checks),
        *(("index", index.name) for index in table.indexes),
    ]
    for kind, name in named:
        if not name or not name.isprintable():
            yield f"The {kind} name {name!r} is empty or holds a character that does not print."
        elif len(name.encode()) > POSTGRES_LIMIT:
            yield f"The {kind} name {name!r} has {len(name.encode())} bytes; Postgres keeps {POSTGRES_LIMIT}."


def _expressions(table: Table) -> Iterable[str]:
    predicates = [("index", index.name, index.index.where) for index in table.indexes]
    checks = [("check", check.name, check.rule) for check in table.checks]
    for kind, name, rule in (*predicates, *checks):
        text = getattr(rule, "sql", None)
        if text is not None and not text.isprintable():
            yield (
                f"The expression of {kind} {name!r} holds a character that does not print, "
                "which no reviewer could see; write it as chr(<code>)."
            )
