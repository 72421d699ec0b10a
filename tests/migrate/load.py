"""Sinks, readers and a forgetful user at work on alert_events while its migrations run, in a process of their own.

The writers are the sink's own code with the plan's own statement. They begin with the plan before the change and go on
with the one after it when they are told to, as a rollout does. Every statement's time is kept.
"""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple
from uuid import uuid4

import psycopg
from psycopg.sql import SQL, Identifier

from compiler import names
from compiler.dataset import Dataset
from sink_runtime.postgres.errors import Action, DatabaseFault
from sink_runtime.postgres.writer import Writer
from tests.sink.messages import Message
from tests.sink.rollout import Running, running
from tests.sink.store import PREFIX, Store, bring_up, settings_of

WRITERS = 4
BATCH = 20
TABLE = "datasets.alert_events_v1"
VIEW = "datasets.alert_events"
READS = (
    f"SELECT dedupe_key, severity, raised_at FROM {VIEW} WHERE org_id = (SELECT gen_random_uuid())",
    f"SELECT count(*), max(raised_at) FROM {VIEW}",
)
# What a user leaves open: a write to the table, or an old snapshot.
LEFT_OPEN = (f"DELETE FROM {TABLE} WHERE false", "SELECT count(*) FROM sluice.datasets")
FILL = f"""
INSERT INTO {TABLE} (org_id, dedupe_key, severity, raised_at, value, labels, sender{{more}})
SELECT gen_random_uuid(), 'k' || n, (ARRAY['info', 'warning', 'critical'])[n % 3 + 1], now() - n * interval '1 s',
       n % 10000 + 0.5, jsonb_build_object('a', n), 'x'{{values}}
FROM generate_series(1, {{rows}}) AS n"""


class Timed(NamedTuple):
    """One statement (a writer's whole transaction), in seconds of the monotonic clock."""

    who: str
    start: float
    end: float

    @property
    def took(self) -> float:
        return self.end - self.start

    def within(self, start: float, end: float) -> float:
        """How much of it was between the two."""
        return max(0.0, min(self.end, end) - max(self.start, start))


@dataclass(frozen=True)
class Pace:
    """How hard they work: seconds between two statements of each writer and each reader, who may be less than READS.

    `held` is how long the user's transactions stay open, in turn, with `free` seconds between; nobody where it is empty.
    """

    write: float = 0.02
    reads: tuple[float, ...] = (0.02, 0.2)
    held: tuple[float, ...] = (1.0, 2.0, 4.0)
    free: float = 0.3


@dataclass
class Seen:
    """What they met. `failed` are errors that nobody may meet; `paused` those that a rename's hazard is about."""

    statements: list[Timed] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    paused: list[str] = field(default_factory=list)
    reconnected: list[str] = field(default_factory=list)

    def of(self, who: str, start: float, end: float) -> list[Timed]:
        """The statements of that kind which were at work at some moment between the two."""
        return [one for one in self.statements if one.who == who and one.start < end and one.end > start]


def prepare(conninfo: dict[str, Any], dataset: Dataset, rows: int) -> None:
    """The dataset's table with so many rows, its sink's login, and a reader that may read the view."""
    bring_up(conninfo, dataset)
    more = [one.name for one in dataset.columns if one.name == "region" and not one.nullable]
    fill = FILL.format(
        rows=rows, more="".join(f", {name}" for name in more), values="".join(", 'eu'" for _ in more)
    )
    reader = Identifier(names.reader_role(PREFIX, dataset.name))
    with psycopg.connect(**conninfo, autocommit=True) as admin:
        for statement in (
            SQL(fill),
            SQL("CREATE ROLE {} NOLOGIN").format(reader),
            SQL("GRANT USAGE ON SCHEMA datasets TO {}").format(reader),
            SQL(f"GRANT SELECT ON {VIEW} TO {{}}").format(reader),
            SQL("VACUUM ANALYZE"),
        ):
            admin.execute(statement)


class Load:
    """The running load. `rolled_out` lets the writers go on with the new plan and returns when all of them do."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self.seen = Seen()

    def rolled_out(self) -> None:
        self._workers.rollout.set()
        for _ in range(WRITERS):
            assert self._workers.switched.acquire(timeout=120)


@contextmanager
def load(conninfo: dict[str, Any], before: Dataset, after: Dataset, pace: Pace) -> Iterator[Load]:
    """They work while the block runs; `seen` is filled when it ends."""
    context = multiprocessing.get_context("fork")
    workers = Workers(conninfo, before, after, pace, context)
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=workers.work, args=(send,))
    process.start()
    send.close()  # so that an end without an answer is noticed
    found = Load(workers)
    try:
        for _ in range(WRITERS):
            assert workers.begun.acquire(timeout=120)
        yield found
    finally:
        workers.over.set()
        found.seen = receive.recv()
        process.join(60)


class Workers:
    """What the process does."""

    def __init__(
        self, conninfo: dict[str, Any], before: Dataset, after: Dataset, pace: Pace, context: Any
    ) -> None:
        self.conninfo, self.before, self.after, self.pace = conninfo, before, after, pace
        self.over, self.rollout = context.Event(), context.Event()
        self.begun, self.switched = context.Semaphore(0), context.Semaphore(0)
        self.seen = Seen()

    def work(self, answer: Any) -> None:
        """Until it is over; then the answer is sent."""
        jobs = [*[self._write] * WRITERS, *self._readers()]
        if self.pace.held:
            jobs.append(self._user)
        threads = [threading.Thread(target=self._guarded, args=(job,)) for job in jobs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        answer.send(self.seen)

    def _guarded(self, job: Callable[[], None]) -> None:
        try:
            job()
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody may meet it
            self.seen.failed.append(f"{type(error).__name__}: {error}")

    def _readers(self) -> Iterable[Callable[[], None]]:
        for query, pause in zip(READS, self.pace.reads, strict=False):
            yield partial(self._read, query, pause)

    def _read(self, query: str, pause: float) -> None:
        role = names.reader_role(PREFIX, self.before.name)
        with psycopg.connect(**self.conninfo, autocommit=True, options=f"-c role={role}") as connection:
            while not self.over.is_set():
                start = time.monotonic()
                connection.execute(SQL(query))
                self.seen.statements.append(Timed("reader", start, time.monotonic()))
                self.over.wait(pause)

    def _user(self) -> None:
        """Comes and goes; each transaction is left idle for a while."""
        number = 0
        with psycopg.connect(**self.conninfo, application_name="forgetful") as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            while not self.over.is_set():
                connection.execute(SQL(LEFT_OPEN[number % len(LEFT_OPEN)]))
                self.over.wait(self.pace.held[number % len(self.pace.held)])
                connection.rollback()
                self.over.wait(self.pace.free)
                number += 1

    # --- writers ------------------------------------------------------------------------------------------------------

    def _sink(self, dataset: Dataset) -> Running:
        store = Store(None, dataset, None, settings_of(self.conninfo))  # type: ignore[arg-type]
        return running(store, dataset)

    def _write(self) -> None:
        waits = self._until(self.rollout, self._sink(self.before), self.begun, None)
        self._until(self.over, self._sink(self.after), self.switched, waits)

    def _until(self, end: Any, sink: Running, told: Any, since: float | None) -> float | None:
        """Batch after batch until the event; the first commit is told.

        `since` is when the batch in hand was first tried, and so is what is returned where it is still in hand.
        """
        first = True
        while not end.is_set() and not self.over.is_set():
            since = since or time.monotonic()
            if self._batch(sink):
                self.seen.statements.append(Timed("writer", since, time.monotonic()))
                since = None
                if first:
                    told.release()
                first = False
            end.wait(self.pace.write)
        sink.close()
        return since

    def _batch(self, sink: Running) -> bool:
        """Whether a batch of new records was committed."""
        message = Message(tuple(fresh(sink.records[0])), sink.store.plan.dataset, sender="monitor")
        batch = sink.store.batch(message)
        writer = Writer(sink.store.plan, sink.store.plan.sha256)
        for _ in range(2):
            try:
                sink.connection = sink.connection or sink.store.connect()
                written = writer.write(sink.connection, batch)
            except DatabaseFault as fault:
                with suppress(psycopg.Error):
                    sink.close()
                if fault.action is Action.RECONNECT:
                    self.seen.reconnected.append(str(fault.diagnosis))
                    continue
                where = self.seen.paused if fault.action is Action.PAUSE else self.seen.failed
                where.append(str(fault.diagnosis))
                return False
            if written.refused or sum(one.inserted for one in written.commits) != BATCH:
                self.seen.failed.append(f"{written}")
            return True
        self.seen.failed.append("reconnects in vain")
        return False


def fresh(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """New rows of the record's kind."""
    for _ in range(BATCH):
        yield {**record, "org_id": str(uuid4()), "dedupe_key": f"w{uuid4()}"}
