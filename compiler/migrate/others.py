"""What others manage on a table (`table.unmanaged`), taken out of what the catalog says of it."""

from __future__ import annotations

from psycopg.rows import DictRow

from compiler.migrate.relations import Relation

# Each of these is its own index too, of the same name: UNIQUE, EXCLUDE.
_WITH_INDEX = ("u", "x")


def of_table(relation: Relation, odd: list[str]) -> list[str]:
    """Without the triggers, rules and policies of others; row-level security is switched on for a policy."""
    has_policy = any(name.startswith("policy:") for name in relation.unmanaged)
    return [
        text
        for text in odd
        if not relation.leaves(*text.split(" ", 1))
        and not (has_policy and text == "row-level security is on")
    ]


def columns(relation: Relation, rows: list[DictRow], odd: list[str]) -> list[DictRow]:
    """Without the columns of others; one that the sink would have to fill is told in `odd`."""
    theirs = [row for row in rows if relation.leaves("column", row["name"])]
    odd += [
        f"column {row['name']} is not managed here and takes no null without a default: no sink could write a row"
        for row in theirs
        if not row["nullable"] and row["expression"] is None and not row["odd"]
    ]
    return [row for row in rows if row not in theirs]


def constraints(relation: Relation, rows: list[DictRow]) -> list[DictRow]:
    """Without the constraints of others. The key is never one."""
    return [row for row in rows if row["kind"] == "p" or not relation.leaves("constraint", row["name"])]


def indexes(relation: Relation, rows: list[DictRow], found: list[DictRow]) -> list[DictRow]:
    """Without the indexes of others, those of their constraints included."""
    theirs = {
        row["name"]
        for row in found
        if row["kind"] in _WITH_INDEX and relation.leaves("constraint", row["name"])
    }
    return [row for row in rows if row["name"] not in theirs and not relation.leaves("index", row["name"])]
