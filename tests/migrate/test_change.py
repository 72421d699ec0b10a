"""Changes of a table that is there: planned as expected, applied online, and nothing left to plan."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings

from compiler.dataset import Numeric
from compiler.migrate import catalog, files, renames
from compiler.migrate.apply import relation_of, status
from compiler.migrate.errors import StepError
from compiler.migrate.model import Phase
from compiler.migrate.planner import Nothing, plan
from compiler.migrate.table_json import dumps, loads
from compiler.table import table_of
from tests.migrate.cases import CASES, MORE_CASES, REGION, SENDER, edited, with_columns, with_indexes
from tests.migrate.changing import ROWS, clear, fill, grown, registration, titles
from tests.migrate.conftest import chain_of
from tests.migrate.pairs import pairs
from tests.migrate.roundtrip import there_and_back
from tests.support.datasets import alert_events
from tests.support.postgres import NEWEST, every_major

ALL = {**CASES, **MORE_CASES}
by_case = pytest.mark.parametrize("case", ALL.values(), ids=list(ALL))


@by_case
def test_the_steps_are_the_expected_ones(case):
    old, new = alert_events(**case.old), alert_events(**case.new)
    chain = grown(chain_of(old), new)
    found = titles(chain, 1)
    expected = [*case.steps, *case.contract]
    assert len(found) == len(expected), found
    for title, start in zip(found, expected, strict=True):
        assert title.startswith(start)
    new_files = [file.migration for file in chain.files[1:]]
    counts = {Phase.EXPAND: len(case.steps), Phase.CONTRACT: len(case.contract)}
    assert {file.phase: len(file.steps) for file in new_files} == {
        phase: count for phase, count in counts.items() if count
    }
    hazards = [str(step.hazard) for file in new_files for step in file.steps if step.hazard != "none"]
    assert tuple(hazards) == case.hazards
    assert (new_files[0].before, new_files[-1].after) == (
        table_of(old).fingerprint,
        table_of(new).fingerprint,
    )
    for file in new_files:
        assert files.read(files.write(file)) == file
    assert loads(dumps(chain.table)) == chain.table
    assert plan(chain, table_of(new), registration(new), renames.wanted(new, chain)) == Nothing()
    assert grown(chain_of(old), new) == chain


@every_major
def test_each_change_leads_to_its_table_empty_and_filled(database):
    """One database for all cases; older servers see every fourth of them."""
    newest = database.session_major() == NEWEST
    for number, case in list(enumerate(ALL.values()))[:: 1 if newest else 4]:
        filled = number // 4 % 2 if not newest else number % 2
        old, new = alert_events(**case.old), alert_events(**case.new)
        before = chain_of(old)
        after = grown(before, new)
        database.roles(old)
        database.apply(old, before)
        if filled:
            fill(database, old)
        names = tuple(file.name for file in after.files[1:])
        if filled and case.mend:
            with pytest.raises(StepError, match=r"cannot be done, for rows with \d+ keys?: \("):
                database.apply(new, after)
            database.execute(case.mend)
        assert database.apply(new, after).applied[-1:] == names[-1:], case.name
        with database.session() as connection:
            live = catalog.read(connection, relation_of(after))
        assert live is not None
        assert (live.shape, live.odd) == (table_of(new).shape, ()), case.name
        found = status(database.conninfo, after)
        assert (found.pending, found.drift, found.trouble) == ((), (), ()), case.name
        assert database.apply(new, after).applied == ()
        if "DELETE" not in case.mend:
            assert database.fetch("SELECT count(*) FROM datasets.alert_events") == [(ROWS * filled,)]
        clear(database)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(pair=pairs())
def test_any_table_and_any_change_of_it_and_back(database, pair):
    """Names, defaults, comments and expressions full of what SQL could trip over; and back to the earlier shape."""
    there_and_back(database, pair)


@every_major
def test_a_chain_may_come_back_to_an_earlier_shape(database):
    """A, B, A, B: fingerprints repeat, the position is the journal's."""
    one, other = alert_events(), alert_events(**with_indexes(SENDER), description="Other.")
    chain = chain_of(one)
    database.roles(one)
    for number, dataset in enumerate((other, one, other, one), start=2):
        chain = grown(chain, dataset)
        assert database.apply(dataset, chain).applied[-1].startswith(f"{number:04d}_")
        assert database.apply(dataset, chain).applied == ()
    assert chain.files[0].migration.after == chain.files[2].migration.after == chain.end


def test_readers_and_views_on_the_view_stay(applied):
    database = applied(alert_events())
    database.execute(
        "GRANT SELECT ON datasets.alert_events TO test_alert_events_r",
        "CREATE VIEW datasets.mine AS SELECT org_id FROM datasets.alert_events",
    )
    acl = "SELECT oid, relacl::text FROM pg_class WHERE oid = 'datasets.alert_events'::regclass"
    before = database.fetch(acl)
    database.apply(alert_events(), grown(chain_of(alert_events()), alert_events(**with_columns(REGION))))
    assert database.fetch(acl) == before
    assert database.fetch("SELECT count(region) FROM datasets.alert_events") == [(0,)]


@every_major
def test_a_view_that_is_made_anew_keeps_its_privileges(applied):
    database = applied(alert_events())
    database.make_role('odd "reader"')
    database.execute(
        "GRANT SELECT ON datasets.alert_events TO test_alert_events_r, PUBLIC",
        'GRANT SELECT, INSERT ON datasets.alert_events TO "odd ""reader""" WITH GRANT OPTION',
    )
    acl = "SELECT unnest(relacl)::text FROM pg_class WHERE oid = 'datasets.alert_events'::regclass ORDER BY 1"
    comments = (
        "SELECT objsubid, description FROM pg_description WHERE objoid = 'datasets.alert_events'::regclass"
    )
    before = database.fetch(acl), database.fetch(comments)
    chain = grown(chain_of(alert_events()), alert_events(**edited("value", type=Numeric(20, 4))))
    database.apply(alert_events(), chain)
    assert (database.fetch(acl), database.fetch(comments)) == before


def test_a_view_that_others_built_upon_stops_a_wider_type(applied):
    database = applied(alert_events())
    database.execute("CREATE VIEW datasets.mine AS SELECT org_id FROM datasets.alert_events")
    chain = grown(chain_of(alert_events()), alert_events(**edited("value", type=Numeric(20, 4))))
    with pytest.raises(StepError, match=r"step 1 \(widen .* other objects depend on it.*Nothing was changed"):
        database.apply(alert_events(), chain)
    assert status(database.conninfo, chain).drift == ()
