"""The plans that campaigns run: together they hold a step of every kind."""

from __future__ import annotations

import re
from typing import Any

from compiler.dataset import Dataset
from compiler.migrate.model import Step
from tests.migrate.cases import CASES
from tests.migrate.changing import grown
from tests.migrate.conftest import chain_of
from tests.support.datasets import alert_events

PLANS = (
    "column: nullable",
    "column: default and nullable",
    "column: NOT NULL with False",
    "column: filled by the platform with now()",
    "column: with a description",
    "column: with CHECKs of its own",
    "column: with an index on it",
    "type: more digits",
    "type: more digits under an expression and an index",
    "rewrite: whole numbers as decimals",
    "dropped: a nullable one",
    "dropped: one that takes no null",
    "dropped: with its CHECK, its index and its description",
    "renamed: a column",
    "renamed: and widened, in an expression and a partial index",
    "key: another order",
    "key: with a column that took null",
    "stricter: a bound comes",
    "stricter: an expression changes",
    "null: no more",
    "null: allowed, and no default any more",
    "default: set",
    "default: dropped where none is null",
    "comment: table changed",
    "check: an enum grows",
    "check: a text may be longer",
    "check: dropped",
    "index: btree",
    "index: partial",
    "index: gin",
    "index: dropped",
    "index: other columns",
    "index: other predicate",
)


def datasets(name: str) -> tuple[Dataset, Dataset]:
    """Before and after the plan of that name."""
    case = CASES[name]
    return alert_events(**case.old), alert_events(**case.new)


def one_of_each_shape() -> list[str]:
    """Of all plans of a table's group, the first of each that has the same kinds of steps in the same order."""
    found: dict[tuple[str, ...], str] = {}
    for name in CASES:
        before, after = datasets(name)
        files = grown(chain_of(before), after).files[1:]
        kinds = dict.fromkeys(kind(step) for file in files for step in file.migration.steps)
        found.setdefault((name.partition(":")[0], *kinds), name)
    return list(found.values())


def kind(step: Step) -> str:
    """What the step does, without what it does it to."""
    return re.sub(r' \(?".*', "", step.title)


def hazards(name: str) -> tuple[str, ...]:
    return CASES[name].hazards


def table(head: tuple[Any, ...], rows: list[tuple[Any, ...]]) -> str:
    """A table of Markdown."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
