"""SIGKILL of the applier inside of a step, and of the server's postmaster: the next run ends at the same table.

`tests.campaigns.kills` does it at each moment of every kind of plan. Kills between steps are in `test_run`.
"""

from __future__ import annotations

import pytest

from dev.postgres import installed_versions
from tests.campaigns.plans import datasets
from tests.migrate.changing import grown
from tests.migrate.conftest import chain_of, prepared_database
from tests.migrate.kills import (
    LEFT_OVER,
    Moment,
    breakable_server,
    hold_ddl,
    kill_applier,
    kill_server,
    moments,
    start_over,
    wrong_after,
)
from tests.support.postgres import NEWEST


def moment_of(chain, when, title) -> Moment:
    return next(one for one in moments(chain) if one.when == when and one.step.title.startswith(title))


@pytest.mark.parametrize(
    ("name", "when", "title"),
    [
        ("type: more digits", "in", "widen"),
        ("stricter: a bound comes", "in", "validate check"),
        ("key: another order", "late", "build the new key"),
        ("key: another order", "in", "make"),
        ("index: dropped", "in", "drop index"),
    ],
)
def test_a_kill_in_a_step_resumes(database, name, when, title):
    before, after = datasets(name)
    chain = grown(chain_of(before), after)
    moment = moment_of(chain, when, title)
    hold_ddl(database)
    start_over(database, before)
    kill_applier(database, chain, before, moment)
    assert wrong_after(database, chain, before, moment) == []


def test_a_kill_of_the_postmaster_resumes():
    """In a build, in a VALIDATE and in a transaction of many statements; the server goes through its crash recovery."""
    with breakable_server(installed_versions()[NEWEST]) as server:
        database = prepared_database(server.conninfo())
        hold_ddl(database)
        for name, title, left in (
            ("index: partial", "create index", True),
            ("stricter: a bound comes", "validate check", True),
            ("type: more digits under an expression and an index", "widen", False),
        ):
            before, after = datasets(name)
            chain = grown(chain_of(before), after)
            start_over(database, before)
            recoveries = server.recoveries()
            kill_server(server, database, chain, before, moment := moment_of(chain, "in", title))
            assert server.recoveries() == recoveries + 1
            assert bool(database.fetch(LEFT_OVER)) == left
            assert wrong_after(database, chain, before, moment) == []
