"""Sinks of the plan before a change and of the one after it, against every catalog in between."""

from __future__ import annotations

import pytest

from tests.campaigns.plans import one_of_each_shape
from tests.migrate.cases import CASES
from tests.migrate.changing import clear
from tests.migrate.conftest import Database
from tests.sink.rollout import faults
from tests.support.datasets import alert_events
from tests.support.postgres import MAJORS, NEWEST


@pytest.mark.parametrize("group", sorted({name.split(":")[0] for name in CASES}))
def test_no_record_is_refused_for_a_change_of_the_table(make_store, fresh_database, group):
    names = [name for name in CASES if name.startswith(f"{group}: ")]
    assert wrong(make_store, fresh_database, names) == []


@pytest.mark.parametrize(
    "postgres_server",
    [major for major in MAJORS if major != NEWEST],
    indirect=True,
    ids=lambda major: f"postgres{major}",
)
def test_nor_on_another_postgres(make_store, fresh_database):
    """One plan of each shape; `tests.campaigns.rollout` takes them all."""
    assert wrong(make_store, fresh_database, one_of_each_shape()) == []


def wrong(make_store, fresh_database, names):
    database = Database(fresh_database)
    store = make_store(alert_events())
    found = []
    for name in names:
        clear(database)
        found += [(name, *one) for one in faults(database, store, name, CASES[name])]
    return found
