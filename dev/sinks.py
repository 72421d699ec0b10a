"""The sinks of the embedded environment: one process a service, started, replaced and stopped.

The service's handler calls this. A sink's environment is its container's, with credentials from an endpoint like ECS'
own. No administrator's secret is in it.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import psycopg

from dev import processes
from dev.emulator.client import process_environment, session
from dev.emulator.credentials import Grant
from dev.emulator.state import EmulatorState
from dev.postgres_cluster import free_port
from dev.processes import ProcessRecord
from dev.readiness import HOST
from dev.state import Paths, damaged, read_json, write_json
from dev.tasks import Task
from sink_runtime import settings

PACKAGES = Path(__file__).resolve().parents[1]
START_SECONDS = 60.0
STOP_SECONDS = settings.DEFAULT_DRAIN_SECONDS + 5.0
ASK_SECONDS = 0.1


@dataclass(frozen=True)
class SinkSpec:
    """A sink that should run: its dataset, its plan, and its whole environment."""

    dataset: str
    plan_sha256: str
    environment: Mapping[str, str]

    @property
    def digest(self) -> str:
        """What changes when the process must be replaced."""
        text = json.dumps(sorted(self.environment.items()))
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class RunningSink:
    """A sink as it was started. `http_port` is where it serves its metrics and health."""

    dataset: str
    plan_sha256: str
    digest: str
    process: ProcessRecord
    http_port: int | None = None

    @property
    def is_alive(self) -> bool:
        """Whether its process still runs."""
        return processes.is_alive(self.process)

    def to_json(self) -> dict[str, Any]:
        """The sink as a JSON object; `from_json` reads it."""
        return {
            "dataset": self.dataset,
            "plan_sha256": self.plan_sha256,
            "digest": self.digest,
            "process": self.process.to_json(),
            "http_port": self.http_port,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> RunningSink:
        """The sink that `to_json` wrote."""
        process = ProcessRecord.from_json(document["process"])
        port = document.get("http_port")
        return cls(document["dataset"], document["plan_sha256"], document["digest"], process, port)


def spec_of(paths: Paths, emulator: EmulatorState, dataset: str, task: Task, plan_sha256: str) -> SinkSpec:
    """The sink of one dataset's service: its task's environment, and what only this machine knows."""
    operator = session(emulator).client("sts").get_caller_identity()["UserId"]
    trusted = task.environment.get(settings.TRUSTED_SENDERS)
    return SinkSpec(
        dataset=dataset,
        plan_sha256=plan_sha256,
        environment={
            **task.environment,
            # Here the administrator is the operator, who looks through dead letters and sends them again.
            settings.TRUSTED_SENDERS: ",".join(filter(None, (trusted, operator))),
            settings.HTTP_HOST: HOST,
            "HOME": str(empty_home(paths)),
            "PATH": os.defpath,
            "PYTHONPATH": str(PACKAGES),
            "PYTHONUTF8": "1",
            "TZ": "UTC",
            **process_environment(paths, emulator, Grant(task.role_arn, dataset.replace("_", "-"))),
        },
    )


def empty_home(paths: Paths) -> Path:
    """An empty home folder, so that no profile of the user's is found there."""
    home = paths.root / "home"
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    return home


class Sinks:
    """The environment's sinks, known by the file `sinks.json`. Hold `dev.state.locked`."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._file = paths.root / "sinks.json"

    def known(self) -> tuple[RunningSink, ...]:
        """Every sink that was started and not stopped since, oldest first, whether it still runs or not. Raises DevError."""
        document = read_json(self._file)
        if document is None:
            return ()
        try:
            return tuple(RunningSink.from_json(one) for one in document["sinks"])
        except (KeyError, TypeError, ValueError):
            raise damaged(self._file) from None

    def runs(self, spec: SinkSpec) -> bool:
        """Whether the sink runs as it should."""
        return any(sink.is_alive and sink.digest == spec.digest for sink in self.known())

    def bring_up(self, spec: SinkSpec, conninfo: Mapping[str, Any]) -> None:
        """Start a sink and wait until it has registered its plan in the database; then stop what it takes the place of.

        Raises DevError with the end of its log where it ends first, or has not registered within START_SECONDS.
        """
        old = tuple(sink for sink in self.known() if sink.dataset == spec.dataset)
        with psycopg.connect(**conninfo, autocommit=True) as connection:
            since = connection.execute("SELECT clock_timestamp()").fetchone()
            sink = self._start(spec)
            try:
                registered = partial(_registered, connection, sink, since[0] if since else None)
                processes.wait_ready(sink.process, registered, seconds=START_SECONDS)
            except BaseException:  # one that has not shown itself must not count as good the next time
                self.stop([sink])
                raise
        self.stop(old)

    def stop(self, sinks: Iterable[RunningSink]) -> None:
        """Stop sinks, all at once: SIGTERM, then each drains what it holds."""
        chosen = tuple(sinks)
        if not chosen:
            return
        with ThreadPoolExecutor(len(chosen)) as pool:
            list(pool.map(lambda sink: processes.stop(sink.process, seconds=STOP_SECONDS), chosen))
        self._write(sink for sink in self.known() if sink not in chosen)

    def _start(self, spec: SinkSpec) -> RunningSink:
        port = free_port()  # not of the spec: another port is no reason to replace a sink
        record = processes.start(
            f"sink {spec.dataset}",
            [sys.executable, "-m", "sink_runtime"],
            log=self._paths.log(f"sink-{spec.dataset}"),
            env={**spec.environment, settings.HTTP_PORT: str(port)},
            cwd=empty_home(self._paths),
        )
        sink = RunningSink(spec.dataset, spec.plan_sha256, spec.digest, record, port)
        self._write([*self.known(), sink])
        return sink

    def _write(self, sinks: Iterable[RunningSink]) -> None:
        write_json(self._file, {"sinks": [sink.to_json() for sink in sinks]})


def _registered(connection: psycopg.Connection, sink: RunningSink, since: datetime | None) -> bool | None:
    """True once the database shows the plan as taken up after `since`, None before."""
    time.sleep(ASK_SECONDS)
    found = connection.execute(
        "SELECT true FROM sluice.sink_instances WHERE dataset = %s AND plan_sha256 = %s AND started_at >= %s",
        [sink.dataset, sink.plan_sha256, since],
    ).fetchone()
    return True if found else None
