"""Killing the applier, or the server, at a chosen moment of a chosen step: what the next run must make of it."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg
from psycopg.sql import SQL

from compiler.dataset import Dataset
from compiler.migrate import run
from compiler.migrate.apply import apply_chain, status
from compiler.migrate.errors import MigrateError
from compiler.migrate.model import Chain, Mode, Step
from compiler.migrate.session import APPLICATION_NAME
from dev.postgres_cluster import HOST, MAINTENANCE_DATABASE, SUPERUSER, Address, Cluster, new_password
from dev.postgres_program import make_home, server_account
from dev.processes import ProcessRecord
from tests.migrate.changing import clear, fill
from tests.migrate.conftest import Database, writer
from tests.support.waiting import until

TABLE = "datasets.alert_events_v1"
HELD = "sluice_test.hold"
KEY = 4711
# What was written is the operating system's by then, and it goes on: no flush to the disk adds to the proof.
SETTINGS = {"fsync": "off"}
LOST = 3  # the exit code of a run that told of its lost connection
# DDL of a session that is marked stays in hand, its catalog rows written, until the lock is let go.
HOLD = (
    f"""CREATE FUNCTION public.hold() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('{HELD}', true) = 'on' THEN
        PERFORM pg_advisory_xact_lock({KEY});
    END IF;
END $$""",
    "CREATE EVENT TRIGGER hold ON ddl_command_end EXECUTE FUNCTION public.hold()",
)
APPLIER = f"FROM pg_stat_activity WHERE application_name = '{APPLICATION_NAME}'"
WAITS = f"SELECT count(*) > 0 {APPLIER} AND wait_event_type = 'Lock'"
WAITS_FOR_SNAPSHOTS = (
    "SELECT count(*) > 0 FROM pg_stat_progress_create_index WHERE phase = 'waiting for old snapshots'"
)
# What only an unfinished migration leaves.
LEFT_OVER = f"""
SELECT c.relname::text FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
WHERE i.indrelid = '{TABLE}'::regclass
  AND (NOT (i.indisvalid AND i.indisready AND i.indislive) OR c.relname ~ '_(coming|going)$')
UNION ALL
SELECT conname::text FROM pg_constraint
WHERE conrelid = '{TABLE}'::regclass AND (NOT convalidated OR conname LIKE 'ck\\_sluice%')
UNION ALL
SELECT format('migration %s', number) FROM sluice.migrations WHERE finished_at IS NULL
UNION ALL
SELECT format('step %s', step) FROM sluice.migration_steps WHERE finished_at IS NULL"""


@dataclass(frozen=True)
class Moment:
    """A place in a chain to die at.

    `when` is `before` the step; `in` it, its changes made and not committed; `late`, in a build's last wait; `after`,
    when it has run and its journal row is not committed.
    """

    file: int
    number: int
    step: Step
    when: str

    @property
    def title(self) -> str:
        return f"{self.when} {self.file}.{self.number} {self.step.title}"


def moments(chain: Chain) -> Iterator[Moment]:
    """Every moment of the chain's later files."""
    for file in chain.files[1:]:
        for number, step in enumerate(file.migration.steps, start=1):
            builds = step.mode is Mode.NONE and step.scan
            for when in ("before", "in", *(["late"] if builds else []), "after"):
                yield Moment(file.migration.number, number, step, when)


def start_over(database: Database, dataset: Dataset) -> None:
    """The dataset's table as its first migration makes it, with rows."""
    clear(database)
    database.roles(dataset)
    database.apply(dataset)
    fill(database, dataset)


def hold_ddl(database: Database) -> None:
    """Make DDL stay in hand where it is marked; once for a database."""
    database.execute(*HOLD)


# --- the applier ------------------------------------------------------------------------------------------------------


def kill_applier(database: Database, chain: Chain, dataset: Dataset, moment: Moment) -> None:
    """Run the chain, SIGKILL the run at the moment, and wait until the server knows."""
    with applying(database, chain, dataset, moment) as process:
        if process.is_alive():
            process.kill()
        process.join(60)
        assert process.exitcode == -signal.SIGKILL, (moment.title, process.exitcode)
        until(lambda: database.fetch(f"SELECT count(*) {APPLIER}") == [(0,)])


@contextmanager
def applying(database: Database, chain: Chain, dataset: Dataset, moment: Moment) -> Iterator[Any]:
    """A run that has come to the moment. Where that is inside of a step, it is held there while the block runs."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    arguments = (database.conninfo, chain, writer(dataset), moment, theirs)
    process = context.Process(target=_apply, args=arguments)
    process.start()
    theirs.close()  # so that an end before the moment is noticed
    if moment.when in {"before", "after"}:
        process.join(60)
        yield process
        return
    ours.recv()
    with closing(psycopg.connect(**database.conninfo)) as holder:  # the server may be gone at the end
        _hold(holder, moment)
        ours.send("go on")
        until(lambda: database.fetch(WAITS_FOR_SNAPSHOTS if moment.when == "late" else WAITS) == [(True,)])
        yield process


def _hold(holder: psycopg.Connection[Any], moment: Moment) -> None:
    if moment.when == "late":
        holder.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        holder.execute("SELECT count(*) FROM sluice.datasets")
    elif moment.step.mode is Mode.NONE:
        holder.execute(SQL(f"DELETE FROM {TABLE} WHERE false"))
    else:
        holder.execute("SELECT pg_advisory_xact_lock(%s)", (KEY,))


def _apply(conninfo: dict[str, Any], chain: Chain, role: str, moment: Moment, parent: Any) -> None:
    """In the process that dies."""
    real = run.Runner._execute

    def execute(runner, member, number, step, sql):
        if (member.migration.number, number) != (moment.file, moment.number):
            real(runner, member, number, step, sql)
            return
        if moment.when in {"in", "late"}:
            parent.send("here")
            parent.recv()
            if step.mode is not Mode.NONE:
                runner.connection.execute("SELECT set_config(%s, 'on', false)", (HELD,))
        if moment.when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        real(runner, member, number, step, sql)
        if moment.when == "after":
            os.kill(os.getpid(), signal.SIGKILL)

    run.Runner._execute = execute  # type: ignore[method-assign]
    try:
        apply_chain(conninfo, chain, role)
    except MigrateError:
        sys.exit(LOST)


def wrong_after(database: Database, chain: Chain, dataset: Dataset, moment: Moment) -> list[str]:
    """Where the state that a kill left is not one to go on from, or the next run does not end where it should."""
    rows = database.fetch(f"SELECT count(*) FROM {TABLE}")
    found = status(database.conninfo, chain)
    wrong = [*found.drift, *found.trouble]
    if found.pending != tuple(one.name for one in chain.files[moment.file - 1 :]):
        wrong.append(f"pending {found.pending}")
    if database.apply(dataset, chain).fingerprint != chain.end:
        wrong.append("another fingerprint")
    found = status(database.conninfo, chain)
    wrong += [*found.drift, *found.trouble, *found.pending]
    wrong += [name for (name,) in database.fetch(LEFT_OVER)]
    if database.fetch(f"SELECT count(*) FROM {TABLE}") != rows:
        wrong.append("rows")
    return wrong


# --- the server -------------------------------------------------------------------------------------------------------


@dataclass
class Breakable:
    """A server of its own whose postmaster may be killed."""

    cluster: Cluster
    password: str
    record: ProcessRecord
    port: int

    def conninfo(self) -> dict[str, Any]:
        return Address(HOST, self.port, SUPERUSER, self.password, MAINTENANCE_DATABASE).conninfo()

    def recoveries(self) -> int:
        """How often it went through a crash recovery."""
        log = self.cluster.log.read_text(encoding="utf-8", errors="replace")
        return log.count("automatic recovery in progress")

    def kill(self) -> None:
        """SIGKILL to the postmaster alone; its children end by themselves, without a checkpoint."""
        postmaster = psutil.Process(self.record.pid)
        children = postmaster.children(recursive=True)
        os.kill(postmaster.pid, signal.SIGKILL)
        _, alive = psutil.wait_procs([postmaster, *children], timeout=60)
        assert alive == []

    def restart(self) -> None:
        """On the same port; the server goes through its crash recovery."""
        self.record, port = self.cluster.start(self.port, SETTINGS)
        assert port == self.port


@contextmanager
def breakable_server(binaries: Path) -> Iterator[Breakable]:
    """As `running_server`, but for the kill."""
    account = server_account()
    folder = Path(tempfile.mkdtemp(prefix="sluice-postgres-test-"))
    home = folder
    try:
        home = make_home(folder / "home", binaries, account)
        cluster, password = Cluster(home, binaries, account, folder / "postgres.log"), new_password()
        cluster.initialise(password)
        server = Breakable(cluster, password, *cluster.start(None, SETTINGS))
        try:
            yield server
        finally:
            cluster.stop(server.record)
    finally:
        shutil.rmtree(home, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


def kill_server(
    server: Breakable, database: Database, chain: Chain, dataset: Dataset, moment: Moment
) -> None:
    """Kill the postmaster at the moment, which is inside of a step, and start it again."""
    with applying(database, chain, dataset, moment) as process:
        server.kill()
        process.join(60)
        assert process.exitcode == LOST, (moment.title, process.exitcode)
    server.restart()
