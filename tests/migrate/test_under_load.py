"""Sinks of both plans, readers and a user who leaves transactions open, while plans run: no statement fails.

`tests.campaigns.under_load` runs every kind of plan so, on a large table, and measures.
"""

from __future__ import annotations

import pytest

from tests.campaigns.plans import PLANS, datasets, kind
from tests.campaigns.under_load import by_kind, by_plan, under_load
from tests.migrate.cases import CASES
from tests.migrate.changing import grown
from tests.migrate.conftest import chain_of
from tests.migrate.load import Pace
from tests.support.datasets import alert_events
from tests.support.postgres import MAJORS, NEWEST

HURRIED = Pace(write=0.005, reads=(0.005, 0.02), held=(0.1, 0.2), free=0.02)


# The first three on each Postgres: a CHECK that is validated, an exchanged key, a replaced index.
TRIED = (
    "column: with CHECKs of its own",
    "key: with a column that took null",
    "index: other predicate",
    "dropped: one that takes no null",
    "type: more digits under an expression and an index",
    "renamed: a column",
)


@pytest.mark.parametrize(
    ("postgres_server", "name"),
    [
        pytest.param(major, name, id=f"postgres{major}-{name}")
        for major in MAJORS
        for name in TRIED[: None if major == NEWEST else 3]
    ],
    indirect=["postgres_server"],
)
def test_no_statement_fails_under_load(fresh_database, name):
    found = under_load(fresh_database, name, 2000, HURRIED, 0)
    assert found.wrong == []
    assert {one.who for one in found.seen.of("writer", *found.busy)} == {"writer"}
    assert {one.who for one in found.seen.of("reader", *found.busy)} == {"reader"}
    assert by_plan([found]).count(name) == 1
    assert all(kind(step) in by_kind([found]) for part in found.parts for step in part.steps)


def test_the_campaigns_plans_hold_a_step_of_every_kind():
    def kinds(names):
        chains = [grown(chain_of(before), after) for before, after in map(datasets, names)]
        return {kind(step) for chain in chains for file in chain.files[1:] for step in file.migration.steps}

    assert kinds(PLANS) == kinds(CASES)
    assert alert_events() in {datasets(name)[1] for name in PLANS}
