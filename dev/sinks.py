"""The sinks of the embedded environment: one process a dataset, started, replaced and stopped.

The service resource takes this over on AWS. A sink's environment is what its container would get: the names of
`sink_runtime.settings`, and credentials from an endpoint like ECS' own. No administrator's secret is in it.
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
from dev.emulator.client import process_environment
from dev.emulator.credentials import Grant
from dev.emulator.state import EmulatorState
from dev.postgres import Address
from dev.postgres_cluster import free_port
from dev.processes import ProcessRecord
from dev.readiness import HOST
from dev.state import Paths, damaged, read_json, write_json
from sink_runtime import settings

PACKAGES = Path(__file__).resolve().parents[1]
START_SECONDS = 60.0
DRAIN_SECONDS = 25
STOP_SECONDS = DRAIN_SECONDS + 5.0
ASK_SECONDS = 0.1


@dataclass(frozen=True)
class SinkSpec:
    """A sink that should run: its dataset, its plan, and its whole environment."""

    dataset: str
    plan_uri: str
    plan_sha256: str
    environment: Mapping[str, str]

    @property
    def digest(self) -> str:
        """What changes when the process must be replaced."""
        text = json.dumps([self.plan_uri, sorted(self.environment.items())])
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


def spec_of(
    paths: Paths,
    emulator: EmulatorState,
    address: Address,
    exports: Mapping[str, Any],
    dataset: str,
    operator: str,
) -> SinkSpec:
    """The sink of one dataset of the program's exports; `operator` holds the unique ids of those who may send dead letters again."""
    exported = exports["datasets"][dataset]
    return SinkSpec(
        dataset=dataset,
        plan_uri=exported["plan_uri"],
        plan_sha256=exported["plan_sha256"],
        environment={
            "HOME": str(empty_home(paths)),
            "PATH": os.defpath,
            "PYTHONPATH": str(PACKAGES),
            "PYTHONUTF8": "1",
            "TZ": "UTC",
            **process_environment(
                paths, emulator, Grant(exported["sink_role_arn"], dataset.replace("_", "-"))
            ),
            **_settings(address, exports["environment"], exported, operator),
        },
    )


def _settings(
    address: Address, environment: Mapping[str, Any], exported: Mapping[str, Any], operator: str
) -> dict[str, str]:
    topic = exported.get("topic_arn")
    return {
        settings.ENVIRONMENT: str(environment["name"]),
        settings.BUFFER_URL: exported["buffer_url"],
        settings.DEAD_LETTER_URL: exported["dead_letter_url"],
        settings.DATABASE_HOST: address.host,
        settings.DATABASE_PORT: str(address.port),
        settings.DATABASE_NAME: address.database,
        settings.DATABASE_SSLMODE: "disable",
        settings.DATABASE_SECRET_ARN: exported["login_secret_arn"],
        settings.DATABASE_POOLER: str(environment["database_pooler"]),
        settings.TRUSTED_SENDERS: f"{exported['sink_role_id']},{operator}",
        settings.DRAIN_SECONDS: str(DRAIN_SECONDS),
        settings.HTTP_HOST: HOST,
        **({settings.TOPIC_ARN: topic} if topic else {}),
    }


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

    def to_start(self, specs: Iterable[SinkSpec]) -> tuple[SinkSpec, ...]:
        """Those that do not run as they should."""
        good = {(sink.dataset, sink.digest) for sink in self.known() if sink.is_alive}
        return tuple(spec for spec in specs if (spec.dataset, spec.digest) not in good)

    def bring_up(self, specs: Iterable[SinkSpec], address: Address) -> tuple[RunningSink, ...]:
        """Start these sinks, all at once, and wait until each has registered its plan in the database.

        Raises DevError with the end of the log where one ends first, or has not registered within START_SECONDS.
        """
        self._write(sink for sink in self.known() if sink.is_alive)
        waiting: list[RunningSink] = []
        try:
            with psycopg.connect(**address.conninfo(), autocommit=True) as connection:
                since = connection.execute("SELECT clock_timestamp()").fetchone()
                for spec in specs:
                    waiting.append(self._start(spec))  # noqa: PERF401 - those before one that fails must be known
                started = tuple(waiting)
                for sink in started:
                    registered = partial(_registered, connection, sink, since[0] if since else None)
                    processes.wait_ready(sink.process, registered, seconds=START_SECONDS)
                    waiting.remove(sink)
        except BaseException:  # one that has not shown itself must not count as good the next time
            self.stop(waiting)
            raise
        return started

    def stop(self, sinks: Iterable[RunningSink]) -> None:
        """Stop sinks, all at once: SIGTERM, then each drains what it holds for up to DRAIN_SECONDS."""
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
            [sys.executable, "-m", "sink_runtime", "--plan", spec.plan_uri],
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
