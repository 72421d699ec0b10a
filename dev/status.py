"""What runs of an embedded environment, and what stands in its queues and tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from botocore.exceptions import BotoCoreError, ClientError
from psycopg import sql

from dev import readiness
from dev.emulator.client import session
from dev.emulator.launch import Emulator
from dev.emulator.state import EmulatorState
from dev.outputs import OUTPUTS
from dev.pending import pending
from dev.postgres import Address, PostgresServer
from dev.sinks import RunningSink, Sinks
from dev.state import Paths, read_json

VISIBLE, IN_FLIGHT = "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"


@dataclass(frozen=True)
class Process:
    """A process of the environment: what it is, whether it runs, its pid and port while it does.

    `waits_for` is what a running sink says it waits for, by dependency; `url` is where it says so.
    """

    name: str
    running: bool
    pid: int | None
    port: int | None = None
    url: str | None = None
    waits_for: Mapping[str, str] = field(default_factory=dict)

    @property
    def state(self) -> str:
        """The state in words."""
        if not self.running:
            return "not running"
        return f"waiting for {', '.join(self.waits_for)}" if self.waits_for else "running"


@dataclass(frozen=True)
class DatasetStatus:
    """One dataset: the plan that it should run, its sink, its queues, and its table's rows (all None if unknown)."""

    dataset: str
    plan_sha256: str
    sink: Process
    visible: int | None
    in_flight: int | None
    dead_letters: int | None
    rows: int | None


@dataclass(frozen=True)
class Status:
    """The whole environment. `up`: an `up` has come far enough for everything here to be expected to run.

    `unfinished` is the step that the last `up` has not come past, which failed, was interrupted, or is at work still.
    `pending` are the sentences on what the project declares and the environment does not have yet.
    """

    up: bool
    servers: tuple[Process, ...]
    datasets: tuple[DatasetStatus, ...]
    unfinished: str | None = None
    pending: tuple[str, ...] = ()

    @property
    def processes(self) -> tuple[Process, ...]:
        """Servers and sinks."""
        return (*self.servers, *(dataset.sink for dataset in self.datasets))

    @property
    def broken_off(self) -> bool:
        """Whether the last `up` did not come to its end."""
        return self.unfinished is not None or (
            not self.up and any(process.running for process in self.processes)
        )

    @property
    def missing(self) -> tuple[str, ...]:
        """What should run and does not."""
        if not self.up and not self.broken_off:
            return ()
        return tuple(process.name for process in self.processes if not process.running)

    @property
    def is_whole(self) -> bool:
        """Whether everything that should run does."""
        return not self.missing and not self.broken_off


def status(paths: Paths, project: Path | None = None) -> Status:
    """Look at the processes, the queues and the tables, and with `project` at what waits there; changes nothing.

    Raises DevError for a damaged state file.
    """
    emulator, postgres = Emulator(paths), PostgresServer(paths).status()
    state = emulator.status()
    servers = (
        Process(
            "postgres", postgres.running, postgres.pid, postgres.address.port if postgres.address else None
        ),
        Process("emulator", state is not None, emulator.pid(), _port(state)),
    )
    outputs = read_json(paths.root / OUTPUTS)
    declared = outputs["datasets"] if outputs else {}
    sinks = {sink.dataset: sink for sink in Sinks(paths).known()}
    datasets = tuple(
        _dataset(name, exported, sinks.get(name), state, postgres.address)
        for name, exported in sorted(declared.items())
    )
    mark = read_json(paths.unfinished)
    waiting = pending(project, declared, postgres.address) if project and outputs and postgres.address else ()
    return Status(outputs is not None, servers, datasets, str(mark["step"]) if mark else None, tuple(waiting))


def _port(state: EmulatorState | None) -> int | None:
    return int(state.endpoint_url.rpartition(":")[2]) if state else None


def _dataset(
    name: str,
    exported: Mapping[str, Any],
    sink: RunningSink | None,
    emulator: EmulatorState | None,
    address: Address | None,
) -> DatasetStatus:
    running = sink is not None and sink.is_alive and sink.plan_sha256 == exported["plan_sha256"]
    buffer = _depth(emulator, exported["buffer_url"])
    dead = _depth(emulator, exported["dead_letter_url"])
    return DatasetStatus(
        dataset=name,
        plan_sha256=exported["plan_sha256"],
        sink=_sink(f"sink {name}", sink if running else None),
        visible=buffer[0] if buffer else None,
        in_flight=buffer[1] if buffer else None,
        dead_letters=sum(dead) if dead else None,
        rows=_rows(address, exported["relation"]),
    )


def _sink(name: str, sink: RunningSink | None) -> Process:
    if sink is None:
        return Process(name, running=False, pid=None)
    port = sink.http_port
    waits = readiness.waits_for(port) or {}
    return Process(name, True, sink.process.pid, port, readiness.url(port) if port else None, waits)


def _depth(emulator: EmulatorState | None, queue_url: str) -> tuple[int, int] | None:
    """Messages that are visible and in flight; None where the emulator does not answer or has no such queue."""
    if emulator is None:
        return None
    client = session(emulator).client("sqs")
    try:
        answer = client.get_queue_attributes(QueueUrl=queue_url, AttributeNames=[VISIBLE, IN_FLIGHT])
    except (BotoCoreError, ClientError):
        return None
    found = answer["Attributes"]
    return int(found[VISIBLE]), int(found[IN_FLIGHT])


def _rows(address: Address | None, relation: str) -> int | None:
    if address is None:
        return None
    schema, _, name = relation.partition(".")
    count = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema, name))
    try:
        with psycopg.connect(**address.conninfo(), connect_timeout=5) as connection:
            row = connection.execute(count).fetchone()
    except psycopg.Error:
        return None
    return int(row[0]) if row else None
