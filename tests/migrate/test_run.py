"""Running a file of several transactions: what its steps lock, and what a kill, a held lock or a live build leave."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import threading
from dataclasses import replace
from itertools import pairwise

import psycopg
import pytest
from psycopg.sql import SQL

from compiler.dataset import BigInt, Bound, Check, Expression, Length, Matches, NaturalKey, Numeric
from compiler.migrate import run as run_module
from compiler.migrate import session, watch
from compiler.migrate.apply import apply_chain, relation_of, status
from compiler.migrate.errors import DriftError, LockError, MigrateError, StepError, StoppedError
from compiler.migrate.model import Chain, Lock, Mode
from compiler.migrate.patience import Patience
from compiler.migrate.run import parts
from compiler.migrate.stop import asked_by_sigint
from tests.migrate.cases import BASE, RECENT, btree, column, value, with_columns
from tests.migrate.changing import fill, grown
from tests.migrate.conftest import chain_of, writer
from tests.support.datasets import alert_events
from tests.support.postgres import every_major

IMPATIENT = Patience(attempts=2, pause=0.01)
# A change with a step of each kind.
NEW = {
    **with_columns(
        column("region", description="Where"),
        column("count", BigInt(), nullable=False, default=value(0)),
        column("named", renamed_from="nameless"),
        column("total", Numeric()),
        column("sure", nullable=False, default=value("y")),
    ),
    "key": NaturalKey(("dedupe_key", "org_id")),
    "checks": (
        BASE.checks[1],
        Check("dedupe_key", Length(1, 300)),
        Check("region", Length(None, 20)),
        Check("value", Bound(">=", "0")),
        Check("sender", Matches("^[a-z]+$")),
    ),
    "indexes": (replace(RECENT, where=Expression("severity = 'info'")), btree("by_region", "region")),
    "description": "Other.",
}
OLD = {
    "checks": (*BASE.checks, Check("value", Bound(">=", "0"))),
    "indexes": (RECENT, btree("by_sender", "sender")),
    **with_columns(
        column("value2", default=value("x")),
        column("nameless"),
        column("total", BigInt()),
        column("sure", default=value("y")),
        column("leaving"),
    ),
}
NEW["columns"] = tuple(
    {
        "value": replace(c, type=Numeric(20, 4)),
        "sender": replace(c, nullable=True),
    }.get(c.name, c)
    for c in (*NEW["columns"][:-2], column("value2", default=value("y")), *NEW["columns"][-2:])
)


def chains(old=None, new=None) -> tuple[Chain, Chain]:
    before = chain_of(alert_events(**(OLD if old is None else old)))
    return before, grown(before, alert_events(**(NEW if new is None else new)))


@pytest.fixture
def prepared(database):
    """A filled table at the end of the first file, and the chain with the second."""
    before, after = chains()
    database.roles(alert_events())
    database.apply(alert_events(), before)
    fill(database)
    return database, after


# --- declared equals measured ---------------------------------------------------------------------------------------

RELATIONS = """
SELECT c.oid, c.relfilenode FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = 'datasets' ORDER BY c.oid"""
HELD = """
SELECT DISTINCT mode FROM pg_locks
WHERE pid = %s AND granted AND locktype = 'relation' AND relation = ANY (%s)"""
MODES = {
    Lock.ACCESS_EXCLUSIVE: "AccessExclusiveLock",
    Lock.SHARE_UPDATE_EXCLUSIVE: "ShareUpdateExclusiveLock",
    Lock.SHARE: "ShareLock",
}
HARMLESS = {"AccessShareLock", "RowExclusiveLock"}


def strongest(modes):
    order = [*HARMLESS, "ShareUpdateExclusiveLock", "ShareLock", "AccessExclusiveLock"]
    return max(modes - HARMLESS, key=order.index)


@every_major
def test_each_step_locks_and_rewrites_what_it_declares(prepared):
    """A step is run in a transaction that stays open, or held up by an older one, and its locks are read meanwhile.

    A writer and a reader try their statements then: both go on, but for a step that declares ACCESS EXCLUSIVE.
    """
    database, chain = prepared
    steps = [step for file in chain.files[1:] for step in file.migration.steps]
    assert {re.sub(r' \(?".*', "", step.title) for step in steps} == {
        "add column",
        "add check",
        "build the new key",
        "comment on",
        "create index",
        "drop check",
        "drop column",
        "drop index",
        "let",
        "make",
        "mark index",
        "rename column",
        "replace index",
        "rewrite",
        "set the default of",
        "show",
        "validate check",
        "widen",
    }
    with database.session() as connection:
        for step in steps:
            there = database.fetch(RELATIONS)
            seen = [oid for oid, _ in there]
            before = dict(there)
            scans = "SELECT seq_scan FROM pg_stat_xact_user_tables WHERE relname = 'alert_events_v1'"
            if step.mode is Mode.NONE:
                modes, kept_out = while_held_up(database, connection, step.sql, seen)
            else:
                with connection.transaction():
                    ((earlier,),) = connection.execute(SQL(scans)).fetchall()
                    connection.execute(SQL(step.sql))
                    modes = {mode for (mode,) in database_locks(database, connection.info.backend_pid, seen)}
                    kept_out = who_waits(database)
                    ((scanned,),) = connection.execute(SQL(scans)).fetchall()
                    assert (scanned > earlier) == step.scan, step.title
            assert strongest(modes) == MODES[step.lock], (step.title, modes)
            assert bool(kept_out) == (step.lock is Lock.ACCESS_EXCLUSIVE), (step.title, kept_out)
            after = dict(database.fetch(RELATIONS))
            written = {oid for oid in before.keys() & after.keys() if before[oid] != after[oid]}
            assert bool(written) == step.rewrite, step.title


def database_locks(database, pid, oids):
    with psycopg.connect(**database.conninfo, autocommit=True) as other:
        return other.execute(HELD, (pid, oids)).fetchall()


def while_held_up(database, connection, sql, oids):
    """The locks of a statement without a transaction, read while an older writer keeps it from ending."""
    pid = connection.info.backend_pid
    thread = threading.Thread(target=connection.execute, args=(SQL(sql),))
    with psycopg.connect(**database.conninfo) as older:
        older.execute("UPDATE datasets.alert_events_v1 SET sender = 'y'")
        thread.start()
        wait_until(database, f"SELECT count(*) > 0 FROM pg_locks WHERE pid = {pid} AND NOT granted")
        modes = {mode for (mode,) in database_locks(database, pid, oids)}
        kept_out = who_waits(database)
        older.execute("ROLLBACK")
    thread.join(60)
    return modes, kept_out


def who_waits(database):
    """Whoever's statement does not come to its end while a step is in hand.

    A statement that a step keeps out never ends, however long its lock_timeout is; any other one asks for no lock in vain.
    """
    found = []
    with psycopg.connect(**database.conninfo, options="-c lock_timeout=20ms") as other:
        for who, statement in (("writer", WRITE), ("reader", READ)):
            try:
                other.execute(statement)
            except psycopg.errors.LockNotAvailable:
                found.append(who)
            other.rollback()
    return found


def wait_until(database, query):
    with psycopg.connect(**database.conninfo, autocommit=True) as connection:
        for _ in range(3000):
            if connection.execute(SQL(query)).fetchall()[0][0]:
                return
            connection.execute("SELECT pg_sleep(0.01)")
    pytest.fail(f"never true: {query}")


# --- transactions ---------------------------------------------------------------------------------------------------


def test_steps_share_a_transaction_only_with_their_neighbours():
    _, chain = chains()
    for file in chain.files[1:]:
        found = parts(file.migration.steps)
        assert [number for part in found for number, _ in part] == list(
            range(1, len(file.migration.steps) + 1)
        )
        for part in found:
            modes = {step.mode for _, step in part}
            assert modes == {Mode.SHARED} or len(part) == 1
        kinds = [part[0][1].mode for part in found]
        assert (Mode.SHARED, Mode.SHARED) not in pairwise(kinds)
    assert max(len(part) for part in parts(chain.files[1].migration.steps)) > 2


def test_no_transaction_holds_the_table_and_asks_for_the_view():
    """Readers lock the view first: the other order would be a deadlock."""
    _, chain = chains()
    for part in [part for file in chain.files[1:] for part in parts(file.migration.steps)]:
        text = " ".join(step.sql for _, step in part)
        if "ALTER TABLE" in text and "VIEW" in text:
            first = re.search("(DROP|ALTER|REPLACE) VIEW", text)
            assert first is not None
            assert first.start() < text.index("ALTER TABLE")


# --- kills ----------------------------------------------------------------------------------------------------------


def apply_and_die(conninfo, chain, moment, file=2):
    """Die when a step of the file is told of, or, `after N`, when it has run and its journal row has not."""
    real = run_module.Runner._execute
    seen = []

    def execute(runner, member, number, step, sql):
        real(runner, member, number, step, sql)
        if moment == f"after {number}" and member.migration.number == file:
            os.kill(os.getpid(), signal.SIGKILL)

    run_module.Runner._execute = execute  # type: ignore[method-assign]

    def progress(text):
        seen.append(f"v1: {file:04d}_" in text)
        if any(seen) and text.startswith(f"  {moment}:"):
            os.kill(os.getpid(), signal.SIGKILL)

    apply_chain(conninfo, chain, writer(alert_events()), progress=progress)


STEPS = [
    (file.migration.number, number)
    for file in chains()[1].files[1:]
    for number in range(1, len(file.migration.steps) + 1)
]


@pytest.mark.parametrize(("file", "number"), STEPS, ids=[f"{file}.{number}" for file, number in STEPS])
@pytest.mark.parametrize("moment", ["step", "after"])
def test_a_kill_before_or_after_any_step_resumes(prepared, moment, file, number):
    database, chain = prepared
    process = multiprocessing.get_context("fork").Process(
        target=apply_and_die, args=(database.conninfo, chain, f"{moment} {number}", file)
    )
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    wait_until(
        database,
        "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'sluice migrate'",
    )
    found = status(database.conninfo, chain)
    assert (found.pending, found.drift, found.trouble) == (
        tuple(one.name for one in chain.files[file - 1 :]),
        (),
        (),
    )
    assert database.apply(alert_events(), chain).fingerprint == chain.end
    found = status(database.conninfo, chain)
    assert (found.pending, found.drift) == ((), ())
    assert database.fetch("SELECT count(*) FROM sluice.migration_steps WHERE finished_at IS NULL") == [(0,)]


def index_chain():
    return chains(old={}, new={"indexes": (RECENT, btree("by_sender", "sender"))})


def interrupted_build(database, chain):
    """The applier is killed while its build waits for an older writer: an invalid index is left."""
    context = multiprocessing.get_context("fork")
    process = context.Process(target=apply_and_die, args=(database.conninfo, chain, "never"))
    with psycopg.connect(**database.conninfo) as older:
        older.execute("UPDATE datasets.alert_events_v1 SET sender = 'y'")
        process.start()
        wait_until(
            database,
            "SELECT count(*) > 0 FROM pg_index WHERE NOT indisvalid AND indrelid = 'datasets.alert_events_v1'::regclass",
        )
        process.kill()
        process.join(60)
        wait_until(
            database, "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'sluice migrate'"
        )
        older.execute("ROLLBACK")


@every_major
def test_a_kill_in_a_build_leaves_an_invalid_index_that_the_next_run_clears_away(database):
    before, chain = index_chain()
    database.roles(alert_events())
    database.apply(alert_events(), before)
    fill(database)
    interrupted_build(database, chain)
    assert status(database.conninfo, chain).drift == ()
    told = []
    apply_chain(database.conninfo, chain, writer(alert_events()), progress=told.append)
    assert "alert_events v1: 0002_add_index_by_sender.sql (resumed)" in told
    assert '  after a kill: DROP INDEX CONCURRENTLY "datasets"."alert_events_v1_by_sender_idx";' in told
    assert status(database.conninfo, chain).pending == ()


def test_another_change_after_a_kill_is_drift(database):
    before, chain = index_chain()
    database.roles(alert_events())
    database.apply(alert_events(), before)
    interrupted_build(database, chain)
    database.execute("ALTER TABLE datasets.alert_events_v1 ADD COLUMN extra text")
    with pytest.raises(DriftError, match="column extra added"):
        database.apply(alert_events(), chain)
    database.execute("ALTER TABLE datasets.alert_events_v1 DROP COLUMN extra")
    assert database.apply(alert_events(), chain).fingerprint == chain.end


def test_an_invalid_index_that_the_journal_did_not_begin_is_drift(prepared):
    database, chain = prepared
    database.execute(
        "CREATE INDEX alert_events_v1_by_region_idx ON datasets.alert_events_v1 (sender)",
        "UPDATE pg_index SET indisvalid = false"
        " WHERE indexrelid = 'datasets.alert_events_v1_by_region_idx'::regclass",
    )
    with pytest.raises(DriftError, match="index alert_events_v1_by_region_idx is invalid"):
        database.apply(alert_events(), chain)


def test_a_build_that_is_still_at_work_is_waited_for_and_kept(database):
    """Another session builds what the journal began: the next run waits, finds it done and drops nothing."""
    before, chain = index_chain()
    database.roles(alert_events())
    database.apply(alert_events(), before)
    fill(database)
    interrupted_build(database, chain)
    step = chain.files[-1].migration.steps[0]
    database.execute(step.recovery)
    told, waiting = [], threading.Event()

    def progress(text):
        told.append(text)
        if "waiting for it" in text:
            waiting.set()

    with database.session() as builder, psycopg.connect(**database.conninfo) as older:
        older.execute("UPDATE datasets.alert_events_v1 SET sender = 'y'")
        build = threading.Thread(target=builder.execute, args=(SQL(step.sql),))
        build.start()
        wait_until(
            database,
            "SELECT count(*) > 0 FROM pg_index WHERE NOT indisvalid AND indrelid = 'datasets.alert_events_v1'::regclass",
        )
        resume = threading.Thread(
            target=apply_chain,
            args=(database.conninfo, chain, writer(alert_events())),
            kwargs={"progress": progress},
        )
        resume.start()
        assert waiting.wait(60)
        older.execute("ROLLBACK")
        build.join(60)
        resume.join(60)
    assert not any("after a kill" in text for text in told)
    assert status(database.conninfo, chain).pending == ()


@every_major
def test_two_appliers_of_a_build_do_not_wait_for_each_other(database):
    """The second one waits for the first one's lock with no snapshot, for which the first one's build would wait."""
    before, chain = index_chain()
    database.roles(alert_events())
    database.apply(alert_events(), before)
    fill(database)
    waiting, results, failed = threading.Event(), [], []

    def progress(text):
        if "another session is at work" in text:
            waiting.set()

    def work():
        try:
            role = writer(alert_events())
            results.append(apply_chain(database.conninfo, chain, role, progress=progress).applied)
        except MigrateError as error:
            failed.append(error)

    with psycopg.connect(**database.conninfo) as older:
        older.execute("UPDATE datasets.alert_events_v1 SET sender = 'y'")
        appliers = [threading.Thread(target=work) for _ in range(2)]
        for applier in appliers:
            applier.start()
        assert waiting.wait(60)
        wait_until(
            database,
            "SELECT count(*) > 0 FROM pg_index WHERE NOT indisvalid AND indrelid = 'datasets.alert_events_v1'::regclass",
        )
        older.execute("ROLLBACK")
        for applier in appliers:
            applier.join(60)
    assert failed == []
    assert sorted(results) == [(), (chain.files[-1].name,)]


# --- locks ----------------------------------------------------------------------------------------------------------


def with_lock_timeout(chain: Chain, seconds: int) -> Chain:
    *files, last = chain.files
    steps = tuple(
        replace(step, lock_timeout=min(seconds, step.lock_timeout)) for step in last.migration.steps
    )
    return replace(chain, files=(*files, replace(last, migration=replace(last.migration, steps=steps))))


@every_major
def test_a_held_lock_is_tried_for_and_its_holder_named(prepared):
    database, chain = prepared
    chain = with_lock_timeout(chain, 1)
    told = []
    with psycopg.connect(**database.conninfo, application_name="nightly report") as holder:
        holder.execute("SELECT count(*), 'a secret' FROM datasets.alert_events_v1 WHERE value > 1")
        pid = holder.info.backend_pid
        with pytest.raises(LockError) as caught:
            apply_chain(
                database.conninfo, chain, writer(alert_events()), progress=told.append, patience=IMPATIENT
            )
        named = rf"pid {pid} \(nightly report, transaction open for \d+ s, idle in transaction: SELECT count"
        assert re.search(rf"could not be had in 2 tries; in the way: {named}", str(caught.value))
        assert re.search(named, next(text for text in told if "try 1 of 2" in text))
    assert status(database.conninfo, chain).drift == ()
    assert database.apply(alert_events(), chain).fingerprint == chain.end


def test_a_lock_that_is_given_up_meanwhile_is_had(prepared):
    database, chain = prepared
    chain = with_lock_timeout(chain, 1)
    with psycopg.connect(**database.conninfo) as holder:
        holder.execute("SELECT count(*) FROM datasets.alert_events_v1")

        def progress(text):
            if "no lock yet" in text:
                holder.execute("ROLLBACK")

        patience = Patience(attempts=5, pause=0.01)
        apply_chain(database.conninfo, chain, writer(alert_events()), progress=progress, patience=patience)
    assert status(database.conninfo, chain).pending == ()


@every_major
def test_a_build_tells_how_far_it_is_and_for_whom_it_waits(prepared, monkeypatch):
    database, chain = prepared
    monkeypatch.setattr(watch, "ASK_SECONDS", 0.01)
    with psycopg.connect(**database.conninfo, application_name="forgotten") as older:
        told = []

        def progress(text):
            if "create index" in text and not any("create index" in before for before in told):
                older.execute("UPDATE datasets.alert_events_v1 SET severity = 'info'")
            told.append(text)
            if "waits for pid" in text:
                older.execute("ROLLBACK")

        apply_chain(database.conninfo, chain, writer(alert_events()), progress=progress)
    assert any("waits for pid" in text and "forgotten" in text for text in told), told
    assert any(re.match(r"  (waiting for|building index|index validation)", text) for text in told), told
    left = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'sluice migrate'"
    wait_until(database, left.replace("count(*)", "count(*) = 0"))


def test_an_apply_that_is_asked_to_stop_finishes_the_step_in_hand(prepared):
    database, chain = prepared
    told, asked = [], []

    def progress(text):
        told.append(text)
        if "create index" in text:
            asked.append(True)

    role = writer(alert_events())
    with pytest.raises(StoppedError, match=r"Stopped before step \d+ of alert_events 0002.*go on there"):
        apply_chain(database.conninfo, chain, role, progress=progress, stop=lambda: bool(asked))
    assert sum("create index" in text for text in told) == 1
    assert status(database.conninfo, chain).drift == ()
    assert database.apply(alert_events(), chain).fingerprint == chain.end


def test_sigint_is_heard_once_and_breaks_off_the_second_time():
    told = []
    with asked_by_sigint(told.append) as stop:
        assert not stop()
        signal.raise_signal(signal.SIGINT)
        assert stop()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert told == ["  stopping after this step; press Ctrl-C again to break it off"]
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_a_later_transaction_that_fails_keeps_the_earlier_ones(prepared):
    database, chain = prepared
    database.execute("DROP INDEX datasets.alert_events_v1_by_sender_idx")
    with pytest.raises(DriftError):
        database.apply(alert_events(), chain)
    database.execute("CREATE INDEX alert_events_v1_by_sender_idx ON datasets.alert_events_v1 (sender)")
    database.execute("CREATE TABLE datasets.alert_events_v1_by_region_idx ()")  # takes the index's name
    with pytest.raises(StepError, match=r"step \d+ \(create index .*already exists.*Finished steps are kept"):
        database.apply(alert_events(), chain)
    database.execute("DROP TABLE datasets.alert_events_v1_by_region_idx")
    assert database.apply(alert_events(), chain).fingerprint == chain.end
    with database.session() as connection:
        assert session.APPLICATION_NAME
        assert relation_of(chain).table == "alert_events_v1"
        assert connection.execute("SELECT count(*) FROM datasets.alert_events").fetchone() is not None


# --- others at work -------------------------------------------------------------------------------------------------

READ = "SELECT count(*), max(value) FROM datasets.alert_events"
WRITE = "INSERT INTO datasets.alert_events_v1 (org_id, dedupe_key, severity, raised_at, sender) VALUES (gen_random_uuid(), 'k', 'info', now(), 'x')"


@every_major
def test_no_statement_of_readers_and_writers_fails(prepared):
    """They work on while every kind of step runs: a wait is fine, a deadlock or an error is not."""
    database, chain = prepared
    statements = (WRITE, READ, WRITE)
    failed, done, over = [], [0] * len(statements), threading.Event()

    def work(place):
        try:
            with psycopg.connect(**database.conninfo, autocommit=True) as connection:
                while not over.is_set():
                    connection.execute(statements[place])
                    done[place] += 1
        except psycopg.Error as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(place,)) for place in range(len(statements))]
    for thread in threads:
        thread.start()
    try:
        assert database.apply(alert_events(), chain).fingerprint == chain.end
    finally:
        over.set()
        for thread in threads:
            thread.join(60)
    assert failed == []
    assert all(done)
