"""A deployed dataset whose sink reaches Postgres and AWS through proxies that can hurt it, and what must hold then."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg

from compiler.dataset import Dataset
from compiler.emit.sink import sink_plan
from dev.emulator.client import EmulatorSession, session
from dev.emulator.state import EmulatorState
from dev.state import Paths
from sink_runtime import settings as names
from tests.sink import deployment as deployments
from tests.sink.deployment import Deployment, Sink
from tests.sink.messages import Message, monitored
from tests.sink.store import Store, bring_up, settings_of
from tests.support.emulator import Role
from tests.support.proxies.aws import AwsProxy
from tests.support.proxies.postgres import PostgresProxy
from tests.support.waiting import LONGEST_SECONDS, until

DATASET = "monitoring_events"  # its key is the message's identity, so what is written twice shows


@dataclass(frozen=True)
class AwsServer:
    """A server that speaks AWS' protocols. `paths` holds its state where it gives out credentials as ECS does."""

    name: str
    state: EmulatorState
    make_role: Callable[..., Role]
    paths: Paths

    @property
    def enforces_iam(self) -> bool:
        return bool(self.state.credentials_key)

    def session(self) -> EmulatorSession:
        return session(self.state)

    def login(self) -> dict[str, str]:
        """What a sink's environment holds in place of ECS' address where the server has none."""
        if self.enforces_iam:
            return {}
        admin = self.state.admin
        return {"AWS_ACCESS_KEY_ID": admin.access_key_id, "AWS_SECRET_ACCESS_KEY": admin.secret_access_key}


@dataclass
class Rig:
    """One dataset's database, queues, sinks, and the proxies in between."""

    server: AwsServer
    conninfo: dict[str, Any]
    store: Store
    deployment: Deployment
    postgres: PostgresProxy
    aws: AwsProxy

    # --- sinks ------------------------------------------------------------------------------------------------------

    def start(self, **environment: str) -> Sink:
        return self.deployment.start(**environment)

    def start_ready(self, **environment: str) -> Sink:
        """Start a sink, and wait until it receives."""
        before = len(self.aws.of("ReceiveMessage"))
        sink = self.start(**environment)
        self.until(lambda: len(self.aws.of("ReceiveMessage")) > before)
        return sink

    def kill(self, sink: Sink) -> None:
        """SIGKILL: it has no time for anything. The time that others would wait for its publisher's lease passes."""
        sink.process.kill()
        sink.process.wait()
        self.store.execute("UPDATE sluice.dataset_heads SET lease_until = now() WHERE publisher IS NOT NULL")

    def until(self, condition: Callable[[], bool], seconds: float = LONGEST_SECONDS) -> None:
        until(condition, self.tell, seconds)

    def await_waiting(self, sink: Sink, dependency: str, lines: int = 1) -> None:
        """Wait until the sink has said so often that it waits for something."""
        self.until(lambda: self.waits(sink)[dependency] >= lines)

    @staticmethod
    def waits(sink: Sink) -> Counter[str]:
        """How often a sink said that it waits, by what for."""
        return Counter(line["waits_for"] for line in sink.events("waiting"))

    def tell(self) -> str:
        calls = Counter(call.action for call in self.aws.calls)
        queues = {name: self.deployment.counts(url) for name, url in self.queues().items()}
        return f"{self.deployment.tell()}\ncalls {dict(calls)}\nqueues {queues}"

    # --- messages ---------------------------------------------------------------------------------------------------

    def queues(self) -> dict[str, str]:
        return {"buffer": self.deployment.buffer, "dead_letter": self.deployment.dead_letter}

    def send(self, *services: str, together: int = 1, **envelope: Any) -> None:
        """Send a record for each name, so many to a message."""
        for start in range(0, len(services), together):
            records = tuple(monitored(name) for name in services[start : start + together])
            self.deployment.send(Message(records, DATASET, envelope=envelope))

    def send_body(self, *bodies: str) -> None:
        for body in bodies:
            self.deployment.sqs.send_message(QueueUrl=self.deployment.buffer, MessageBody=body)

    def letters(self, expected: int = 1) -> list[dict[str, Any]]:
        """Take so many messages out of the dead-letter queue."""
        return self.deployment.read_all(self.deployment.dead_letter, expected)

    def reasons(self, expected: int = 1) -> dict[str, int]:
        """How many dead letters there are, by reason; takes them out."""
        letters = self.letters(expected)
        return Counter(one["MessageAttributes"]["reason"]["StringValue"] for one in letters)

    # --- what must hold -----------------------------------------------------------------------------------------------

    def stored(self) -> list[str]:
        """The `service` of every row, sorted."""
        return sorted(service for (service,) in self.store.rows("service"))

    def await_stored(self, services: Iterable[str]) -> None:
        expected = sorted(services)
        self.until(lambda: self.stored() == expected)

    def await_exactly(self, services: Iterable[str]) -> None:
        """Wait until the buffer is empty; then each record is there once, told once, and none is a dead letter."""
        self.deployment.await_drained()
        assert self.stored() == sorted(services), self.tell()
        self.check_commits()
        assert self.deployment.counts(self.deployment.dead_letter) == (0, 0), self.tell()

    def check_commits(self) -> None:
        """The commit rows tell of every row once, and their sequence has no gap."""
        commits = self.store.commits("sequence, inserted")
        assert [sequence for sequence, _ in commits] == list(range(1, len(commits) + 1)), self.tell()
        assert sum(inserted for _, inserted in commits) == len(self.stored()), self.tell()

    def await_announced(self) -> None:
        """Wait until the topic was told of each commit, at least once, and the outbox is empty."""
        self.until(lambda: self.store.commits("event_published_at IS NULL").count((True,)) == 0)
        sequences = {sequence for (sequence,) in self.store.commits("sequence")}
        found = self.deployment.read_until(
            self.deployment.inbox, lambda found: {_sequence(one) for one in found} >= sequences
        )
        assert {_sequence(one) for one in found} == sequences

    # --- faults in the database -------------------------------------------------------------------------------------

    def add_trigger(self, body: str) -> None:
        """Run PL/pgSQL before each row is inserted; `new` is the row."""
        self.store.execute(
            f"CREATE OR REPLACE FUNCTION datasets.fault() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER"
            f" SET search_path = '' AS $$ BEGIN {body}; RETURN new; END $$"
        )
        self.store.execute(
            f"CREATE OR REPLACE TRIGGER fault BEFORE INSERT ON datasets.{self.store.plan.relation}"
            " FOR EACH ROW EXECUTE FUNCTION datasets.fault()"
        )

    def drop_trigger(self) -> None:
        self.store.execute("DROP FUNCTION datasets.fault() CASCADE")

    @contextmanager
    def locked_table(self) -> Iterator[None]:
        """Nobody writes to the table meanwhile."""
        with psycopg.connect(**self.conninfo) as other:
            other.execute(f"LOCK TABLE datasets.{self.store.plan.relation}".encode())
            yield

    def end_sessions(self) -> None:
        """Postgres ends the sessions of every sink (57P01)."""
        self.store.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name LIKE 'sluice sink%'"
        )

    def has_ended(self, sink: Sink) -> bool:
        """Whether the process is gone, whatever it waits for in Postgres; its sessions are ended until it is."""
        self.end_sessions()
        return sink.process.poll() is not None

    def is_blocked(self) -> bool:
        """Whether a sink waits for a lock."""
        query = (
            "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            " AND application_name LIKE 'sluice sink%'"
        )
        return bool(self.store.fetch(query))


def _sequence(message: dict[str, Any]) -> int:
    return json.loads(message["Body"])["data"]["sequence"]


@contextmanager
def rigged(
    server: AwsServer, conninfo: dict[str, Any], dataset: Dataset, folder: Path, **plan: Any
) -> Iterator[Rig]:
    """Bring a dataset up and put the proxies before its sinks; `plan` replaces fields of the sink's plan."""
    bring_up(conninfo, dataset)
    with (
        psycopg.connect(**conninfo, autocommit=True, options="-c TimeZone=UTC") as admin,
        PostgresProxy(conninfo["host"], conninfo["port"]) as postgres,
        AwsProxy(server.state) as aws,
    ):
        store = Store(admin, dataset, replace(sink_plan(dataset, ()), **plan), settings_of(conninfo))
        deployed = deployments.deploy(
            store, server.state, server.paths, server.session(), server.make_role, folder
        )
        _reroute(deployed, server, postgres, aws)
        try:
            yield Rig(server, conninfo, store, deployed, postgres, aws)
        finally:
            for sink in deployed.sinks:
                sink.process.kill()
                sink.process.wait()


def _reroute(deployed: Deployment, server: AwsServer, postgres: PostgresProxy, aws: AwsProxy) -> None:
    """The sink's way to Postgres, SQS, SNS and the secret leads through the proxies; its credentials come direct."""
    login = server.login()
    kept = {
        name: value
        for name, value in deployed.environment.items()
        if not (login and name.startswith("AWS_CONTAINER_"))
    }
    deployed.environment = (
        kept
        | login
        | {
            names.DATABASE_PORT: str(postgres.port),
            names.ENDPOINT_URL: aws.endpoint_url,
        }
    )
