"""Applying 0001: proven by the catalog, journalled, repeatable, resumable."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import threading
from dataclasses import replace

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from psycopg.sql import SQL

from compiler.canonical import sha256_bytes
from compiler.dataset import Text
from compiler.migrate import apply as apply_module
from compiler.migrate import catalog, journal, session
from compiler.migrate.apply import apply_chain, apply_in, relation_of, status
from compiler.migrate.errors import JournalError, RoleError, StepError
from compiler.migrate.model import Effort, Lock
from compiler.table import ABSENT_FINGERPRINT, table_of
from tests.migrate.conftest import chain_of, writer
from tests.migrate.strategies import tables
from tests.support.datasets import alert_events, integrity_signals, monitoring_events
from tests.support.postgres import every_major

SAMPLES = [alert_events(), integrity_signals(), monitoring_events()]
by_name = pytest.mark.parametrize("dataset", SAMPLES, ids=lambda dataset: dataset.name)


@every_major
@by_name
def test_the_catalog_equals_the_table(database, dataset):
    database.roles(dataset)
    result = database.apply(dataset)
    assert result.applied == ("0001_create.sql",)
    assert result.fingerprint == table_of(dataset).fingerprint
    with database.session() as connection:
        live = catalog.read(connection, relation_of(chain_of(dataset)))
    assert live is not None
    assert live.shape == table_of(dataset).shape


@every_major
def test_a_second_apply_changes_nothing(database):
    dataset = integrity_signals()
    database.roles(dataset)
    database.apply(dataset)
    state = "SELECT xmin::text, * FROM sluice.{}"
    tables_ = ("datasets", "generations", "dataset_heads", "migrations", "migration_steps")
    before = [database.fetch(state.format(name)) for name in tables_]
    assert database.apply(dataset).applied == ()
    assert [database.fetch(state.format(name)) for name in tables_] == before
    found = status(database.conninfo, chain_of(dataset))
    assert (found.applied, found.pending, found.drift, found.trouble) == (("0001_create.sql",), (), (), ())


@every_major
def test_each_step_leaves_and_locks_what_it_declares(database):
    """`lock` is the strongest lock on a relation that others could use before: measured from a second session."""
    dataset = integrity_signals()
    chain = chain_of(dataset)
    database.roles(dataset)
    with database.session() as connection, connection.transaction(force_rollback=True):
        connection.execute("SELECT set_config('sluice.writer_role', %s, false)", (writer(dataset),))
        for step in chain.files[0].migration.steps:
            connection.execute(SQL(step.sql))
            live = catalog.read(connection, relation_of(chain))
            assert live is not None
            assert live.shape.fingerprint == step.after, step.title
            assert (step.lock, step.effort) == (Lock.NONE, Effort.INSTANT)
        # What the transaction made is invisible to others, and so are its locks' effects.
        assert (
            database.fetch(
                f"SELECT l.relation::regclass, l.mode FROM pg_locks AS l JOIN pg_class AS c ON c.oid = l.relation"
                f" JOIN pg_namespace AS n ON n.oid = c.relnamespace"
                f" WHERE l.pid = {connection.info.backend_pid} AND n.nspname NOT IN ('sluice', 'pg_catalog', 'pg_toast')"
            )
            == []
        )


@every_major
def test_the_journal_tells_what_ran(database):
    dataset = alert_events()
    chain = chain_of(dataset)
    database.roles(dataset)
    database.apply(dataset)
    ((phase, file, before, after, by, major, finished),) = database.fetch(
        "SELECT phase, file_sha256, from_fingerprint, to_fingerprint, applied_by::text, server_version / 10000,"
        " finished_at IS NOT NULL FROM sluice.migrations"
    )
    member = chain.files[0]
    assert (phase, file, before, after) == ("expand", member.sha256, ABSENT_FINGERPRINT, chain.end)
    assert (by, finished) == (database.conninfo["user"], True)
    with database.session() as connection:
        assert major == journal.server_major(connection)
    steps = database.fetch("SELECT step, sql_sha256 FROM sluice.migration_steps ORDER BY step")
    assert steps == [(i, step.sql_sha256) for i, step in enumerate(member.migration.steps, start=1)]


@every_major
def test_the_dataset_is_registered_for_its_writer_role(applied):
    dataset = alert_events()
    database = applied(dataset)
    assert database.fetch(
        "SELECT dataset, owner, current_version, writer_role::text FROM sluice.datasets"
    ) == [("alert_events", "risk-platform", 1, writer(dataset))]
    assert database.fetch("SELECT relation_schema::text, relation::text FROM sluice.generations") == [
        ("datasets", "alert_events_v1")
    ]
    assert database.fetch("SELECT version, sequence FROM sluice.dataset_heads") == [(1, 0)]
    assert database.fetch(
        "SELECT relname::text, pg_get_userbyid(relowner)::text FROM pg_class"
        " WHERE relname LIKE 'alert_events%' AND relkind IN ('r', 'v') ORDER BY 1"
    ) == [("alert_events", "sluice_owner"), ("alert_events_v1", "sluice_owner")]


def test_a_changed_owner_is_renewed_in_the_registry(applied):
    database = applied(alert_events())
    database.apply(alert_events(), chain_of(alert_events()))
    apply_chain(database.conninfo, chain_of(alert_events()), writer(alert_events()), "another-team")
    assert database.fetch("SELECT owner FROM sluice.datasets") == [("another-team",)]


@every_major
def test_session_defaults_of_server_database_and_role_change_nothing(database):
    dataset = integrity_signals()
    database.roles(dataset)
    user, name = database.conninfo["user"], database.conninfo["dbname"]
    wild = {
        "TimeZone": "'Asia/Kolkata'",
        "DateStyle": "'SQL, DMY'",
        "IntervalStyle": "sql_standard",
        "search_path": "sluice, datasets, pg_catalog",
        "default_transaction_read_only": "on",
        "default_transaction_isolation": "serializable",
        "standard_conforming_strings": "off",
        "quote_all_identifiers": "on",
        "extra_float_digits": "-5",
        "statement_timeout": "'1ms'",
        "lock_timeout": "'1ms'",
        "client_min_messages": "debug1",
    }
    try:
        database.execute(
            *(f"ALTER ROLE {user} IN DATABASE {name} SET {key} = {value}" for key, value in wild.items())
        )
        assert database.apply(dataset).fingerprint == table_of(dataset).fingerprint
    finally:
        reset = ("SET default_transaction_read_only = off", f"ALTER ROLE {user} IN DATABASE {name} RESET ALL")
        database.execute(*reset, options="-c statement_timeout=0")
    assert database.apply(dataset).applied == ()
    assert status(database.conninfo, chain_of(dataset)).drift == ()


@every_major
def test_a_failing_step_leaves_nothing(database):
    dataset = alert_events()
    database.roles(dataset)
    database.execute("CREATE VIEW datasets.alert_events AS SELECT 1 AS one")
    with pytest.raises(StepError, match=r"step 4 .*already exists \(SQLSTATE 42P07\)"):
        database.apply(dataset)
    assert database.fetch("SELECT to_regclass('datasets.alert_events_v1')") == [(None,)]
    assert database.fetch("SELECT count(*) FROM sluice.migrations") == [(0,)]
    database.execute("DROP VIEW datasets.alert_events")
    assert database.apply(dataset).applied == ("0001_create.sql",)


def test_a_file_that_leaves_another_table_than_it_declares_is_rolled_back(database):
    dataset = alert_events()
    chain = chain_of(dataset)
    database.roles(dataset)
    (member,) = chain.files
    first, *rest = member.migration.steps
    wrong = replace(first, sql=first.sql.replace('"value" numeric(12,4)', '"value" numeric(12,5)'))
    migration = replace(member.migration, steps=(wrong, *rest))
    with pytest.raises(StepError, match=r"column value changed type from numeric\(12,4\) to numeric\(12,5\)"):
        database.apply(dataset, replace(chain, files=(replace(member, migration=migration),)))
    assert database.fetch("SELECT to_regclass('datasets.alert_events_v1')") == [(None,)]


def test_the_writer_role_must_exist(database):
    with pytest.raises(
        RoleError, match=r"There is no role test_alert_events_w, .*The Pulumi program makes it"
    ):
        database.apply(alert_events())


def test_another_environments_writer_role_is_refused(applied):
    database = applied(alert_events())
    database.make_role("other_alert_events_w")
    with pytest.raises(JournalError, match=r"registered for the writer role test_alert_events_w, not other_"):
        apply_chain(database.conninfo, chain_of(alert_events()), "other_alert_events_w")


def test_a_file_that_was_applied_with_other_contents_is_refused(applied):
    database = applied(alert_events())
    chain = chain_of(alert_events())
    other = replace(chain, files=(replace(chain.files[0], sha256=sha256_bytes(b"x")),))
    with pytest.raises(JournalError, match=r"0001_create\.sql was applied with other contents"):
        database.apply(alert_events(), other)
    assert "applied with other contents" in status(database.conninfo, other).trouble[0]


def test_a_database_ahead_of_git_is_named_so(applied):
    database = applied(alert_events())
    ahead = replace(chain_of(alert_events()), files=())
    with pytest.raises(
        JournalError, match="migration 0001, which is not in this chain: the database is ahead of git"
    ):
        database.apply(alert_events(), ahead)
    assert "ahead of git" in status(database.conninfo, ahead).trouble[0]


@every_major
def test_a_new_version_is_a_table_of_its_own_and_takes_the_view_with_its_grants(applied):
    first = alert_events()
    second = alert_events(
        version=2, columns=tuple(replace(c, type=Text()) if c.name == "value" else c for c in first.columns)
    )
    database = applied(first)
    database.make_role('odd "reader"')
    database.execute(
        "GRANT SELECT ON datasets.alert_events TO test_alert_events_r, PUBLIC",
        'GRANT SELECT, INSERT ON datasets.alert_events TO "odd ""reader""" WITH GRANT OPTION',
    )
    acl = "SELECT unnest(relacl)::text FROM pg_class WHERE oid = 'datasets.alert_events'::regclass ORDER BY 1"
    before = database.fetch(acl)
    assert database.apply(second).applied == ("0001_create.sql",)
    assert database.apply(second).applied == ()
    assert database.fetch(acl) == before
    assert "alert_events_v2" in database.fetch("SELECT pg_get_viewdef('datasets.alert_events')")[0][0]
    assert database.fetch("SELECT current_version FROM sluice.datasets") == [(2,)]
    assert database.fetch("SELECT version, relation::text FROM sluice.generations ORDER BY 1") == [
        (1, "alert_events_v1"),
        (2, "alert_events_v2"),
    ]
    assert database.fetch("SELECT version, sequence FROM sluice.dataset_heads ORDER BY 1") == [(1, 0), (2, 0)]


def test_a_later_version_may_be_a_databases_first(database):
    dataset = alert_events(version=3)
    database.roles(dataset)
    assert database.apply(dataset).applied == ("0001_create.sql",)
    assert database.fetch("SELECT current_version FROM sluice.datasets") == [(3,)]


def test_a_view_that_others_built_upon_is_not_taken_from_them(applied):
    database = applied(alert_events())
    database.execute("CREATE VIEW datasets.mine AS SELECT org_id FROM datasets.alert_events")
    with pytest.raises(StepError, match=r"step 4 \(move view .* other objects depend on it"):
        database.apply(alert_events(version=2))
    assert status(database.conninfo, chain_of(alert_events())).drift == ()


# --- two at once, and kills -----------------------------------------------------------------------------------------


@every_major
def test_two_appliers_at_once_apply_once(database):
    """The second waits for the first's lock, and finds its work done."""
    dataset = alert_events()
    chain = chain_of(dataset)
    database.roles(dataset)
    waiting, results = threading.Event(), []

    def second():
        def tell(text):
            if "waiting for it" in text:
                waiting.set()

        results.append(apply_chain(database.conninfo, chain, writer(dataset), progress=tell))

    with session.connect(database.conninfo) as connection:
        other = threading.Thread(target=second)

        def hold(text):
            if text.startswith("  step 3") and not other.is_alive():
                other.start()
                assert waiting.wait(60)

        results.append(apply_in(connection, chain, writer(dataset), progress=hold))
    other.join(60)
    assert [result.applied for result in results] == [("0001_create.sql",), ()]


def test_many_appliers_at_once_apply_once(database):
    dataset = alert_events()
    database.roles(dataset)
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(database.apply(dataset).applied)) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(results) == [()] * 5 + [("0001_create.sql",)]


def _apply_and_die(conninfo, chain, role, moment):
    def progress(text):
        if text.startswith(moment):
            os.kill(os.getpid(), signal.SIGKILL)

    if moment == "commit":
        apply_module._renew_owner = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    apply_chain(conninfo, chain, role, progress=progress)


@every_major
@pytest.mark.parametrize("moment", ["alert_events v1", "  step 1", "  step 3", "  step 5", "commit"])
def test_a_kill_at_any_point_resumes(database, moment):
    dataset = alert_events()
    chain = chain_of(dataset)
    database.roles(dataset)
    process = multiprocessing.get_context("fork").Process(
        target=_apply_and_die, args=(database.conninfo, chain, writer(dataset), moment)
    )
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    expected = () if moment == "commit" else ("0001_create.sql",)
    assert database.apply(dataset).applied == expected
    found = status(database.conninfo, chain)
    assert (found.pending, found.drift) == ((), ())


@every_major
def test_a_server_session_that_ends_in_a_step_resumes(database):
    dataset = alert_events()
    chain = chain_of(dataset)
    database.roles(dataset)
    ended = pytest.raises(
        StepError, match=r"step 3 .* failed: (the connection was lost|terminating connection)"
    )
    with ended, session.connect(database.conninfo) as connection:
        pid = connection.info.backend_pid

        def end(text):
            if text.startswith("  step 3"):
                database.fetch(f"SELECT pg_terminate_backend({pid}, 10000)")

        apply_in(connection, chain, writer(dataset), progress=end)
    assert database.apply(dataset).applied == ("0001_create.sql",)


# --- any table ------------------------------------------------------------------------------------------------------


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(table=tables())
def test_any_table_is_accepted_and_reads_back(database, table):
    """Names, defaults, comments, enum values and expressions full of what SQL could trip over."""
    dataset = alert_events(name="t", version=1)
    chain = chain_of(dataset, table)
    database.roles(dataset)
    with database.session() as connection:
        quoted = table.schema.replace('"', '""')
        with connection.transaction(force_rollback=True):
            connection.execute("RESET ROLE")
            connection.execute(SQL(f'CREATE SCHEMA IF NOT EXISTS "{quoted}" AUTHORIZATION sluice_owner'))
            session.become_owner(connection)
            assert apply_in(connection, chain, writer(dataset)).fingerprint == table.fingerprint
            assert apply_in(connection, chain, writer(dataset)).applied == ()
            live = catalog.read(connection, relation_of(chain))
            assert live is not None
            assert live.shape == table.shape


def test_the_driver_reads_no_placeholder_in_a_step(database):
    """A percent sign in SQL text is a percent sign."""
    columns = tuple(replace(c, description="100% %s %(x)s") for c in alert_events().columns)
    dataset = alert_events(columns=columns)
    database.roles(dataset)
    database.apply(dataset)
    ((text,),) = database.fetch("SELECT col_description('datasets.alert_events_v1'::regclass, 1)")
    assert text == "100% %s %(x)s"


def test_nothing_that_waits_is_started_twice(applied):
    """The lock is gone after an apply: another session takes it at once."""
    database = applied(alert_events())
    assert database.fetch("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == [(0,)]
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", chain_of(alert_events()).end)
    with psycopg.connect(**database.conninfo) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
