"""One run of one contender: drain what was loaded, keep up with a paced producer, or idle."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bench.processes import cpu_seconds, memory_mib
from bench.sink.contenders import Contender, Running, environment, start
from bench.sink.world import ROOT, World
from bench.sqs.client import Server

ASK_SECONDS = 0.05
LONGEST_SECONDS = 300.0
WARM_UP = 4000  # records before the clock starts: connections made, plans prepared


@dataclass(frozen=True)
class Load:
    """What is in the queue: messages of so many records; `dataset` makes them envelopes."""

    title: str
    messages: int
    records: int
    dataset: str

    @property
    def rows(self) -> int:
        """Rows that they become."""
        return self.messages * self.records

    @property
    def buffer_format(self) -> str:
        """As the sink's plan names it."""
        return "envelope" if self.dataset else "record"

    def request(self, rows: int | None = None, start: int = 0) -> dict[str, Any]:
        """For the server's `load`: all of it, or as many messages as make so many rows, with other keys."""
        messages = self.messages if rows is None else max(10, rows // self.records)
        return {"messages": messages, "records": self.records, "dataset": self.dataset, "start": start}


@dataclass(frozen=True)
class Drain:
    """A drained queue: wall seconds from the release to the last delete; CPU seconds of contender, server and Postgres.

    `again` are the rows of messages that came more than once; the rate leaves them out.
    """

    rows: int
    wall: float
    cpu: float
    server_cpu: float
    postgres_cpu: float
    memory: float
    commits: int
    again: int

    @property
    def rate(self) -> float:
        """Rows a second."""
        return (self.rows - self.again) / self.wall

    @property
    def cpu_each(self) -> float:
        """Microseconds of the contender's CPU a row."""
        return self.cpu / self.rows * 1e6


def drain(contender: Contender, world: World, server: Server, load: Load) -> Drain:
    """Start it, let it warm up, release everything at once, and wait until it is committed and deleted."""
    with draining(contender, world, server, load) as (running, wait):
        return _timed(running, world, server, load, wait)


Wait = Callable[[], dict[str, Any]]


@contextmanager
def draining(
    contender: Contender, world: World, server: Server, load: Load
) -> Iterator[tuple[Running, Wait]]:
    """A contender that is warm, and a queue that holds the load: after `release`, call the function to wait for the end.

    Afterwards every row must be there. Raises SystemExit where one is not.
    """
    world.empty()
    server.control("forget")
    running = start(contender, world, server, load.buffer_format)
    try:
        first = load.request(WARM_UP, start=load.rows)
        _await_first_receive(running, server)
        _release(server, first)
        _await_deleted(running, server, first["messages"])
        server.control("load", **load.request())
        total = first["messages"] + load.messages
        yield running, lambda: _await_deleted(running, server, total)
        if (rows := world.rows()) != total * load.records:
            raise SystemExit(f"{contender.name} wrote {rows} rows of {total * load.records}")
    finally:
        running.stop()


def _timed(running: Running, world: World, server: Server, load: Load, wait: Wait) -> Drain:
    postgres = _backends(world)
    before = (cpu_seconds(running.pid), cpu_seconds(server.pid), _sum(postgres))
    released = server.control("release")["at"]
    counts = wait()
    # Backends that came since are counted from their start.
    postgres = _backends(world)
    after = (cpu_seconds(running.pid), cpu_seconds(server.pid), _sum(postgres))
    own, served, stored = (late - early for late, early in zip(after, before, strict=True))
    return Drain(
        load.rows,
        counts["last_delete"] - released,
        own,
        served,
        stored,
        memory_mib(running.pid),
        world.commits(),
        counts["redelivered"] * load.records,
    )


def copy(contender: Contender, world: World, server: Server, load: Load) -> Drain:
    """As many rows by COPY; what it prints of itself is what was measured."""
    world.empty()
    command = [*contender.command(world, load.buffer_format), str(load.rows)]
    answer = subprocess.run(
        command, env=environment(world, server), cwd=ROOT, capture_output=True, text=True, check=True
    )
    wall, cpu, memory = map(float, answer.stdout.split())
    return Drain(load.rows, wall, cpu, 0.0, 0.0, memory, world.commits(), 0)


@dataclass(frozen=True)
class Latency:
    """A paced load: milliseconds from send to commit, CPU a row, and whether it kept up."""

    median: float
    late: float
    cpu_each: float
    commits: int


def latency(contender: Contender, world: World, server: Server, rate: int, seconds: int) -> Latency:
    """Single records, so many a second, evenly."""
    world.empty()
    server.control("forget")
    running = start(contender, world, server, "record")
    try:
        _await_first_receive(running, server)
        warm = Load("", 0, 1, "").request(200, start=10_000_000)
        _release(server, warm)
        _await_deleted(running, server, warm["messages"])
        world.clear()
        before = cpu_seconds(running.pid)
        server.control("pace", rate=rate, seconds=seconds, records=1, dataset="")
        _await_deleted(running, server, warm["messages"] + rate * seconds)
        cpu = cpu_seconds(running.pid) - before
        median, late = world.latencies()
        return Latency(median, late, cpu / (rate * seconds) * 1e6, world.commits())
    finally:
        running.stop()


@dataclass(frozen=True)
class Idle:
    """Seconds from process start to the first receive, and CPU seconds of them, which a busy machine stretches less.

    Then with nothing to do: CPU as a share of one processor, and MiB resident.
    """

    start: float
    start_cpu: float
    cpu_share: float
    memory: float


def idle(contender: Contender, world: World, server: Server, seconds: float) -> Idle:
    """An empty queue."""
    world.empty()
    server.control("forget")
    started = time.time()
    running = start(contender, world, server, "record")
    try:
        first, cpu = _await_first_receive(running, server) - started, cpu_seconds(running.pid)
        time.sleep(1)
        before = cpu_seconds(running.pid)
        time.sleep(seconds)
        share = (cpu_seconds(running.pid) - before) / max(seconds, 1e-9)
        return Idle(first, cpu, share, memory_mib(running.pid, "VmRSS"))
    finally:
        running.stop()


def _release(server: Server, request: dict[str, Any]) -> None:
    server.control("load", **request)
    server.control("release")


def _await_first_receive(running: Running, server: Server) -> float:
    counts = _await(running, server, lambda found: bool(found["first_receive"]))
    return float(counts["first_receive"])


def _await_deleted(running: Running, server: Server, messages: int) -> dict[str, Any]:
    return _await(running, server, lambda found: found["deleted"] >= messages)


def _await(running: Running, server: Server, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    ends = time.monotonic() + LONGEST_SECONDS
    while not condition(counts := server.counts()):
        running.require_alive()
        if time.monotonic() > ends:
            raise SystemExit(
                f"{running.contender.name} does not get on: {counts}\n{running.log.read_text()[-2000:]}"
            )
        time.sleep(ASK_SECONDS)
    return counts


def _backends(world: World) -> list[int]:
    found = world.admin.execute("SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()").fetchall()
    return [row[0] for row in found]


def _sum(pids: list[int]) -> float:
    return sum(cpu_seconds(pid) for pid in pids)
