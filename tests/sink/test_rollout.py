"""Sinks of the plan before a change and of the one after it, against every catalog in between."""

from __future__ import annotations

import pytest

from compiler.migrate import session
from compiler.migrate.apply import apply_chain
from compiler.migrate.model import Phase
from tests.migrate.cases import CASES
from tests.migrate.changing import clear, grown
from tests.migrate.conftest import Database, chain_of, writer
from tests.sink.rollout import catalogs, running
from tests.support.datasets import alert_events

TABLE = "datasets.alert_events_v1"
# Before the new sinks, those of the old plan wait for what these changes exchange at one moment.
MAY_WAIT = ("type: ", "rewrite: ", "renamed: ", "key: ")


@pytest.mark.parametrize("group", sorted({name.split(":")[0] for name in CASES}))
def test_no_record_is_refused_for_a_change_of_the_table(make_store, fresh_database, group):
    database = Database(fresh_database)
    store = make_store(alert_events())
    clear(database)
    wrong = []
    for name, case in CASES.items():
        if name.startswith(f"{group}: "):
            wrong += [(name, *one) for one in faults(database, store, name, case)]
            clear(database)
    assert wrong == []


def faults(database, store, name, case):
    """Where a record was refused, or a sink waited that should have worked."""
    before, after = alert_events(**case.old), alert_events(**case.new)
    apply_chain(database.conninfo, chain_of(before), writer(before))
    database.execute(f"GRANT SELECT, INSERT ON {TABLE} TO {writer(before)}")
    old, new = running(store, before), running(store, after)
    with session.connect(database.conninfo) as connection:
        session.become_owner(connection)
        for catalog in catalogs(connection, grown(chain_of(before), after)):
            became = old.write()  # it runs on, whatever it would be told at its start
            if became.startswith("refused"):
                yield catalog.title, "old", became
            if catalog.phase is not Phase.CONTRACT and not name.startswith(MAY_WAIT):
                if became != "written" or old.mismatches():
                    yield catalog.title, "old", became, old.mismatches()
            elif (
                became != "written" and not name.startswith(MAY_WAIT) and catalog.phase is not Phase.CONTRACT
            ):
                yield catalog.title, "old waits", became
            database.execute(f"DELETE FROM {TABLE}")
            waits = new.mismatches()
            became = "waits" if waits else new.write()
            if became.startswith("refused"):
                yield catalog.title, "new", became
            if catalog.ends and became != "written" and not name.startswith("key: "):
                yield catalog.title, "new", became, waits
            database.execute(f"DELETE FROM {TABLE}")
    old.close()
    new.close()
