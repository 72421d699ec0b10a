"""The guard: what was changed by hand is named, and nothing is touched."""

import pytest
from psycopg.sql import SQL

from compiler.migrate.apply import apply_in, status, status_in
from compiler.migrate.errors import DriftError
from tests.migrate.conftest import chain_of
from tests.migrate.drifts import DRIFTS, TABLE, VIEW
from tests.support.datasets import alert_events, integrity_signals
from tests.support.postgres import every_major

# A superuser changes rows of the catalog, and becomes the owner again.
BY_HAND = ("RESET ROLE", "SET LOCAL allow_system_table_mods = on", "{}", "SET ROLE sluice_owner")


def by_hand(connection, statement):
    with connection.transaction():
        for one in BY_HAND:
            connection.execute(SQL(one).format(SQL(statement)))


@every_major
def test_drift_is_named_nothing_is_changed_and_a_repair_is_enough(applied):
    dataset = integrity_signals()
    database = applied(dataset)
    chain = chain_of(dataset)
    major = database.session_major()
    known = [drift for drift in DRIFTS if drift.since <= major]
    assert len(known) > 60
    with database.session() as connection:
        for drift in known:
            by_hand(connection, drift.change)
            journal = connection.execute("TABLE sluice.migrations").fetchall()
            with pytest.raises(DriftError) as caught:
                apply_in(connection, chain, "test_integrity_signals_w")
            found = caught.value.objects
            assert any(drift.says in one for one in found), (drift.change, found)
            assert status_in(connection, chain).drift == found
            assert connection.execute("TABLE sluice.migrations").fetchall() == journal
            assert str(caught.value).startswith("datasets.integrity_signals_v1 was changed outside")
            by_hand(connection, drift.repair)
            assert status_in(connection, chain).drift == (), drift.change
            assert apply_in(connection, chain, "test_integrity_signals_w").applied == ()


def test_a_table_that_was_dropped_is_named(applied):
    database = applied(integrity_signals())
    database.execute(f"DROP TABLE {TABLE} CASCADE")
    with pytest.raises(DriftError, match="the table is missing"):
        database.apply(integrity_signals())


SETTINGS = {
    "TimeZone": "Asia/Kolkata",
    "DateStyle": "SQL, DMY",
    "IntervalStyle": "sql_standard",
    "search_path": "datasets, public",
    "default_transaction_read_only": "on",
    "default_transaction_isolation": "serializable",
    "extra_float_digits": "-5",
    "quote_all_identifiers": "on",
    "bytea_output": "escape",
    "statement_timeout": "1ms",
    "lock_timeout": "1ms",
}


@every_major
@pytest.mark.parametrize(
    "target", ["ROLE postgres", "DATABASE {database}", "ROLE postgres IN DATABASE {database}"]
)
def test_settings_of_role_and_database_change_nothing(database, target):
    """What is planned is applied, and is no drift, whatever the session would have begun with."""
    dataset = integrity_signals()
    name = database.conninfo["dbname"]
    where = target.format(database=name)
    database.roles(dataset)
    database.execute(*(f"ALTER {where} SET {one} = {_value(text)}" for one, text in SETTINGS.items()))
    try:
        assert database.apply(dataset).fingerprint == chain_of(dataset).end
        assert status(database.conninfo, chain_of(dataset)).drift == ()
    finally:
        database.execute(
            f"ALTER {where} RESET ALL", options="-c default_transaction_read_only=off -c statement_timeout=0"
        )
    assert status(database.conninfo, chain_of(dataset)).drift == ()
    assert database.apply(dataset).applied == ()


def _value(text):
    return text if text.startswith("datasets") else f"'{text}'"


@every_major
def test_what_operators_may_do_is_no_drift(applied):
    dataset = integrity_signals()
    database = applied(dataset)
    database.execute(
        f"GRANT SELECT ON {VIEW} TO test_integrity_signals_r",
        f"GRANT INSERT, SELECT ON {TABLE} TO test_integrity_signals_w",
        f"ALTER TABLE {TABLE} SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.01)",
        f"ALTER TABLE {TABLE} ALTER COLUMN note SET STATISTICS 500",
        f"ALTER TABLE {TABLE} ALTER COLUMN tags SET STORAGE EXTERNAL",
        f"CREATE STATISTICS datasets.s ON id, day FROM {TABLE}",
        f"CREATE VIEW datasets.mine AS SELECT id FROM {VIEW}",
        f"VACUUM ANALYZE {TABLE}",
    )
    assert database.apply(dataset).applied == ()


@every_major
def test_a_table_that_no_migration_made_is_drift(database):
    dataset = alert_events()
    database.roles(dataset)
    database.execute("CREATE TABLE datasets.alert_events_v1 (id integer)")
    with pytest.raises(DriftError, match="the table is there"):
        database.apply(dataset)
    assert status(database.conninfo, chain_of(dataset)).drift == ("the table is there",)


def test_another_majors_texts_are_no_evidence(applied):
    """After an upgrade the server may write the same CHECK differently; shapes still compare."""
    dataset = alert_events()
    database = applied(dataset)
    database.execute(
        "UPDATE sluice.migrations SET snapshot = replace(replace(snapshot::text, 'char_length', 'length'),"
        """ '"major":', '"major":1')::json"""
    )
    assert database.apply(dataset).applied == ()
    database.execute("ALTER TABLE datasets.alert_events_v1 ADD COLUMN extra text")
    with pytest.raises(DriftError, match="column extra added"):
        database.apply(dataset)
