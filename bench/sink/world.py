"""What every contender meets: a Postgres server, the table of `datasets/alert_events` made by its migration, a plan file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from compiler.dataset import Dataset
from compiler.emit.sink import sink_plan
from compiler.pipeline import compile_datasets
from dev.postgres import Address, installed_versions, running_server
from tests.sink.store import PASSWORD, bring_up, login

ROOT = Path(__file__).resolve().parents[2]
TABLE = sql.Identifier("datasets", "alert_events_v1")
# As a server that is kept: commits reach the disk. Commit times are what latency is measured by.
SETTINGS = {
    "fsync": "on",
    "full_page_writes": "on",
    "shared_buffers": "512MB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "30min",  # a checkpoint in one contender's run and not in another's would be luck
    "track_commit_timestamp": "on",
}


_LATENCIES: LiteralString = """
SELECT percentile_cont(array[0.5, 0.99]) WITHIN GROUP (ORDER BY ms)
FROM (SELECT 1000 * extract(epoch FROM pg_xact_commit_timestamp(xmin) - raised_at)::float8 AS ms FROM {}) AS each
"""


@dataclass(frozen=True)
class World:
    """The database, as its superuser and as the sink's login see it. `linger_ms` is the plan's; None: the manifest's."""

    address: Address
    admin: psycopg.Connection[Any]
    dataset: Dataset
    folder: Path
    linger_ms: int | None

    @property
    def user(self) -> str:
        """The sink's login; every contender writes as it."""
        return login(self.dataset)

    @property
    def password(self) -> str:
        """That login's password."""
        return PASSWORD

    def plan(self, buffer_format: str, *, publishes: bool) -> Path:
        """The compiled plan as a file, for messages that are envelopes or single records."""
        path = self.folder / f"plan-{buffer_format}.json"
        compiled = sink_plan(self.dataset, ())
        plan = replace(
            compiled,
            buffer_format=buffer_format,
            publish_events=publishes,
            linger_ms=compiled.linger_ms if self.linger_ms is None else self.linger_ms,
        )
        path.write_bytes(plan.to_bytes())
        return path

    def empty(self) -> None:
        """An empty table without dead rows, and nothing left to write for the runs before."""
        self.clear()
        self.admin.execute("CHECKPOINT")

    def clear(self) -> None:
        """An empty table."""
        self.admin.execute(sql.SQL("TRUNCATE {}, sluice.output_commits").format(TABLE))

    def rows(self) -> int:
        """How many rows the table has."""
        return int(self._one("SELECT count(*) FROM {}")[0])

    def commits(self) -> int:
        """How many transactions wrote rows."""
        return int(self._one("SELECT count(DISTINCT xmin::text) FROM {}")[0])

    def latencies(self) -> tuple[float, float]:
        """Milliseconds from send (`raised_at`) to commit: the median and the 99th percentile."""
        median, late = self._one(_LATENCIES)[0]
        return float(median), float(late)

    def _one(self, query: LiteralString) -> tuple[Any, ...]:
        found: tuple[Any, ...] | None = self.admin.execute(sql.SQL(query).format(TABLE)).fetchone()
        assert found is not None
        return found


@contextmanager
def running_world(folder: Path, linger_ms: int | None = None) -> Iterator[World]:
    """A server of its own, removed at the end."""
    found = compile_datasets(ROOT, [ROOT / "datasets" / "alert_events"]).require()
    dataset = found[0].dataset
    with running_server(installed_versions()[max(installed_versions())], SETTINGS) as address:
        bring_up(address.conninfo(), dataset)
        with psycopg.connect(**address.conninfo(), autocommit=True) as admin:
            admin.execute("SET client_min_messages = warning")
            # mq-bridge has no DO NOTHING, and DO UPDATE needs the right to it.
            admin.execute(sql.SQL("GRANT UPDATE ON {} TO {}").format(TABLE, sql.Identifier(login(dataset))))
            yield World(address, admin, dataset, folder, linger_ms)
