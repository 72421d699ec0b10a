"""`sluice migrate verify`: the table against the journal, and the texts of a new major version."""

import json

from compiler.migrate.apply import status
from compiler.migrate.verify import verify_in
from tests.migrate.conftest import chain_of
from tests.support.datasets import alert_events
from tests.support.postgres import every_major

OTHER_MAJOR = (
    "UPDATE sluice.migrations SET snapshot = replace(replace(snapshot::text, 'char_length', 'length'),"
    """ '"major":', '"major":1')::json"""
)


def verified(database, dataset):
    with database.session() as connection:
        return verify_in(connection, chain_of(dataset))


def kept(database):
    ((snapshot,),) = database.fetch("SELECT snapshot::text FROM sluice.migrations")
    return json.loads(snapshot)


@every_major
def test_a_table_as_it_was_left(applied):
    dataset = alert_events()
    database = applied(dataset)
    before = kept(database)
    found = verified(database, dataset)
    assert (found.last, found.wrong, found.rebased) == ("0001_create.sql", (), None)
    assert kept(database) == before


@every_major
def test_a_new_major_versions_texts_are_kept(applied):
    dataset = alert_events()
    database = applied(dataset)
    before = kept(database)
    database.execute(OTHER_MAJOR)
    major = database.session_major()
    found = verified(database, dataset)
    assert (found.wrong, found.rebased) == ((), (100 + major, major))
    assert any("char_length" in text for text in found.rewritten)
    assert all(text.startswith("constraint ck_") for text in found.rewritten)
    assert kept(database) == before
    assert verified(database, dataset).rebased is None
    database.execute(
        "ALTER TABLE datasets.alert_events_v1 ALTER COLUMN ingested_at SET DEFAULT clock_timestamp()"
    )
    assert status(database.conninfo, chain_of(dataset)).drift


def test_a_table_that_was_changed_keeps_its_old_texts(applied):
    dataset = alert_events()
    database = applied(dataset)
    database.execute(OTHER_MAJOR, "ALTER TABLE datasets.alert_events_v1 ADD COLUMN extra text")
    before = kept(database)
    assert verified(database, dataset).wrong == ("column extra added (text)",)
    assert kept(database) == before


def test_nothing_applied_and_a_journal_that_is_ahead(database, applied):
    dataset = alert_events()
    assert verified(database, dataset).last is None
    applied(dataset)
    database.execute("UPDATE sluice.migrations SET file_sha256 = 'sha256:0'")
    assert "was applied with other contents" in verified(database, dataset).wrong[0]
