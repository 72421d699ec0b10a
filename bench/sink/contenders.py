"""Who takes part: how each is started, and what it can read."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.sink.world import ROOT, World
from bench.sqs.client import REGION, Server
from sink_runtime import settings as names


@dataclass(frozen=True)
class Contender:
    """`command` for a message format; `needs` are modules of requirements/bench.txt that it cannot do without."""

    name: str
    title: str
    command: Callable[[World, str], list[str]]
    opens_envelopes: bool
    needs: tuple[str, ...] = ()
    share: float = 1.0  # of the load that it is given; the slow would take minutes
    drains: bool = True  # whether it reads the queue; COPY only writes

    @property
    def missing(self) -> list[str]:
        """What is not installed."""
        return [name for name in self.needs if importlib.util.find_spec(name) is None]


@dataclass
class Running:
    """A contender's process."""

    contender: Contender
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    def require_alive(self) -> None:
        """Raises SystemExit with the end of its log where it has ended."""
        if self.process.poll() is not None:
            text = "\n".join(self.log.read_text(errors="replace").splitlines()[-30:])
            raise SystemExit(f"{self.contender.name} ended with {self.process.returncode}:\n{text}")

    def stop(self) -> None:
        """SIGTERM, then SIGKILL."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def _ours(*, publishes: bool) -> Callable[[World, str], list[str]]:
    def command(world: World, buffer_format: str) -> list[str]:
        plan = world.plan(buffer_format, publishes=publishes)
        return [sys.executable, "-m", "sink_runtime", "--plan", str(plan)]

    return command


def _peer(module: str) -> Callable[[World, str], list[str]]:
    return lambda _, __: [sys.executable, "-m", f"bench.peers.{module}"]


OURS = Contender("ours", "this sink", _ours(publishes=False), opens_envelopes=True)
CONTENDERS = (
    OURS,
    Contender(
        "mq-bridge", "mq-bridge (Rust)", _peer("mq_bridge_route"), opens_envelopes=False, needs=("mq_bridge",)
    ),
    Contender(
        "redpanda-connect",
        "Redpanda Connect (Go), in mq-bridge-connect",
        _peer("connect_route"),
        opens_envelopes=False,
        needs=("mq_bridge", "mq_bridge_connect"),
    ),
    Contender(
        "boto3-loop", "boto3 and psycopg, ten by ten", _peer("boto3_loop"), opens_envelopes=False, share=0.1
    ),
    Contender("copy", "COPY on one connection", _peer("copy_rows"), opens_envelopes=True, drains=False),
)


def environment(world: World, server: Server) -> dict[str, str]:
    """The same for all: AWS' own variables, and the sink's for who reads them."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(world.folder),
        "TZ": "UTC",
        "PYTHONPYCACHEPREFIX": str(world.folder / "bytecode"),
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_EC2_METADATA_DISABLED": "true",
        names.REGION: REGION,
        names.ENDPOINT_URL: server.endpoint,
        names.ENVIRONMENT: "bench",
        names.HTTP_PORT: "0",  # others of this machine may measure as well
        names.BUFFER_URL: server.queue_url("buffer"),
        names.DEAD_LETTER_URL: server.queue_url("dead-letters"),
        names.TOPIC_ARN: f"arn:aws:sns:{REGION}:123456789012:committed",
        names.DATABASE_HOST: world.address.host,
        names.DATABASE_PORT: str(world.address.port),
        names.DATABASE_NAME: world.address.database,
        names.DATABASE_SSLMODE: "disable",
        names.DATABASE_SECRET_ARN: f"arn:aws:secretsmanager:{REGION}:123456789012:secret:sink",
        "BENCH_USER": world.user,
        "BENCH_PASSWORD": world.password,
        **{name: value for name, value in os.environ.items() if name.startswith("BENCH_")},
    }


def start(contender: Contender, world: World, server: Server, buffer_format: str) -> Running:
    """Start it; it may not be ready yet."""
    server.control("secret", secret={"username": world.user, "password": world.password})
    log = world.folder / f"{contender.name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            contender.command(world, buffer_format),
            env=environment(world, server),
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    return Running(contender, process, log)
