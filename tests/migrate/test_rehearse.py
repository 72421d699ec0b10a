"""`sluice migrate apply --dry-run`: what would run and what stands in its way, with nothing changed."""

from dataclasses import replace

import pytest

from compiler.dataset import Bound, Check
from compiler.migrate import session
from compiler.migrate import violations as violations_module
from compiler.migrate.errors import StepError
from compiler.migrate.rehearse import rehearse
from compiler.migrate.run import REWRITE_BYTES
from compiler.migrate.violations import violations
from tests.migrate.changing import ROWS, fill, grown
from tests.migrate.conftest import chain_of, writer
from tests.support.datasets import alert_events
from tests.support.postgres import every_major

DUMP = "SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM sluice.migrations AS t"


def tightened():
    dataset = alert_events()
    return replace(dataset, checks=(*dataset.checks, Check("value", Bound("<=", "100"))))


def rehearsed(database, chain, dataset, *, prepared=True):
    with session.connect(database.conninfo) as connection:
        if prepared:
            session.become_owner(connection)
        return rehearse(connection, chain, writer(dataset), prepared=prepared)


@every_major
def test_rows_in_the_way_are_counted_and_nothing_is_changed(applied):
    dataset = alert_events()
    database = applied(dataset)
    fill(database)
    before = database.fetch(DUMP)
    chain = grown(chain_of(dataset), tightened())
    found = rehearsed(database, chain, dataset)
    assert [one.file.migration.phase for one in found.steps] == ["contract"] * 2
    assert {one.rows.count if one.rows else 0 for one in found.steps} <= {0, ROWS - 100}
    assert f"cannot be done, for rows with {ROWS - 100} keys: (" in found.obstacles[0]
    assert database.fetch(DUMP) == before
    with pytest.raises(
        StepError, match=rf"for rows with {ROWS - 100} keys: (\([0-9a-f-]+, k\d+\), ){{5}}…\."
    ):
        database.apply(tightened(), chain)


def test_a_few_rows_are_all_shown_and_many_are_not_counted_to_the_end(applied, monkeypatch):
    dataset = alert_events()
    database = applied(dataset)
    fill(database)
    chain = grown(chain_of(dataset), tightened())
    step = next(one for one in chain.files[-1].migration.steps if one.violations)
    with session.connect(database.conninfo) as connection:
        session.become_owner(connection)
        monkeypatch.setattr(violations_module, "COUNTED", 50)
        assert str(violations(connection, step)).startswith("rows with more than 50 keys: (")
        connection.execute("DELETE FROM datasets.alert_events_v1 WHERE value > 102")
        assert min(violations(connection, step).keys).endswith((", k101)", ", k102)"))
        assert str(violations(connection, step)).startswith("rows with 2 keys: (")
        connection.execute("DELETE FROM datasets.alert_events_v1 WHERE value > 100")
        assert violations(connection, step) is None


def test_what_is_there_already_is_not_run_again(applied):
    dataset = alert_events()
    found = rehearsed(applied(dataset), chain_of(dataset), dataset)
    assert (found.steps, found.obstacles) == ((), ())


def test_every_obstacle_is_told_at_once(applied):
    dataset = alert_events()
    database = applied(dataset)
    fewer = replace(dataset, columns=tuple(one for one in dataset.columns if one.name != "labels"))
    chain = grown(chain_of(dataset), fewer)
    last = replace(chain.files[-1], migration=replace(chain.files[-1].migration, approvals=()))
    chain = replace(chain, files=(*chain.files[:-1], last))
    database.execute(
        "ALTER TABLE datasets.alert_events_v1 ADD COLUMN extra text",
        "INSERT INTO sluice.sink_instances (dataset, role, instance, plan_sha256, version, contract)"
        " VALUES ('alert_events', 'test_alert_events_w', 'one', 'sha256:old', 1, 0)",
    )
    with session.connect(database.conninfo) as connection:
        session.become_owner(connection)
        found = rehearse(connection, chain, "nobody", prepared=True)
    told = "\n".join(found.obstacles)
    for text in (
        "There is no role nobody",
        "nobody has approved it",
        "column extra added (text)",
        "registered for the writer role test_alert_events_w, not nobody",
        "removes what running sinks need: one",
    ):
        assert text in told, told
    assert len(found.obstacles) == 5


def test_an_empty_database_is_foreseen(fresh_database, database):
    dataset = alert_events()
    database.roles(dataset)
    database.execute("DROP SCHEMA sluice CASCADE")
    found = rehearsed(database, chain_of(dataset), dataset, prepared=False)
    assert found.obstacles == ()
    assert [one.number for one in found.steps] == [1, 2, 3, 4, 5]


def test_a_table_too_large_to_be_written_anew_is_told(applied, monkeypatch):
    dataset = alert_events()
    database = applied(dataset)
    columns = tuple(
        replace(one, type=replace(one.type, precision=14, scale=5)) if one.name == "value" else one
        for one in dataset.columns
    )
    chain = grown(chain_of(dataset), replace(dataset, columns=columns))
    assert rehearsed(database, chain, dataset).obstacles == ()
    monkeypatch.setattr("compiler.migrate.rehearse.size_of", lambda *_: REWRITE_BYTES + 1)
    assert "would write 128 MiB anew" in rehearsed(database, chain, dataset).obstacles[0]
