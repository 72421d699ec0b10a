"""`sluice status --expect-plan`: the database says which plan the running sinks have, whatever a deployment tool says."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner, Result

from compiler.cli import status
from compiler.cli.database import LIBPQ_VARIABLES
from compiler.cli.main import main
from compiler.migrate.requirements import LIVE_SECONDS
from tests.migrate.conftest import Database

ROOT = Path(__file__).parents[2]
OLD = "sha256:" + "0" * 64
STACK = """
config:
  sluice:environment: dev
  sluice:prefix: test
  sluice:region: eu-central-1
  sluice:allowed_account_ids: ["123456789012"]
  sluice:datasets: ["*"]
  sluice:database: {host: db, name: events, admin: env:ADMIN}
  sluice:network: {vpc: vpc-00000000, subnets: [subnet-00000000], database_cidrs: [10.0.0.0/16]}
  sluice:image: sink@sha256:DIGEST
""".replace("DIGEST", "ab" * 32)


class World:
    """A project, its stack `dev`, and a database in which sinks say that they live."""

    def __init__(self, folder: Path, connection: psycopg.Connection[Any]) -> None:
        self.stack = folder / "Pulumi.dev.yaml"
        self._connection = connection

    def sink(self, instance: str, plan: str, seen: float = 0) -> None:
        """A sink that was seen so many seconds ago."""
        self._connection.execute(
            "INSERT INTO sluice.sink_instances (dataset, instance, plan_sha256, version, last_seen)"
            " VALUES ('alert_events', %s, %s, 1, now() - make_interval(secs => %s))"
            " ON CONFLICT (dataset, instance) DO UPDATE SET last_seen = excluded.last_seen",
            (instance, plan, seen),
        )

    def status(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, ["status", "--stack", "dev", *arguments], catch_exceptions=False)

    def expected(self) -> str:
        """The plan of this commit in this environment."""
        [found] = json.loads(self.status("--format", "json").stdout)
        return str(found["plan_sha256"])


@pytest.fixture
def world(tmp_path, monkeypatch, fresh_database) -> Iterator[World]:
    shutil.copytree(ROOT / "datasets" / "alert_events", tmp_path / "datasets" / "alert_events")
    monkeypatch.chdir(tmp_path)
    for name in (*LIBPQ_VARIABLES, "PGPASSWORD"):
        monkeypatch.delenv(name, raising=False)
    keys = (("host", "PGHOST"), ("port", "PGPORT"), ("user", "PGUSER"), ("dbname", "PGDATABASE"))
    for key, name in (*keys, ("password", "PGPASSWORD")):
        monkeypatch.setenv(name, str(fresh_database[key]))
    Database(fresh_database).make_role("test_alert_events_w")
    (tmp_path / "Pulumi.dev.yaml").write_text(STACK)
    applied = CliRunner().invoke(main, ["migrate", "apply", "--stack", "dev"], catch_exceptions=False)
    assert applied.exit_code == 0, applied.output
    with psycopg.connect(**fresh_database, autocommit=True) as connection:
        yield World(tmp_path, connection)


def test_new_sinks_alone_prove_a_rollout(world):
    plan = world.expected()
    world.sink("a:1:x", plan)
    world.sink("b:1:y", OLD, seen=LIVE_SECONDS + 1)
    found = world.status("--expect-plan")
    assert (found.exit_code, found.stdout.splitlines()[0]) == (0, f"alert_events: all sinks that run have plan {plan[7:19]}")  # fmt: skip
    assert "b:1:y" not in found.stdout


def test_a_rollout_that_was_taken_back_fails_although_sinks_run(world):
    world.sink("a:1:x", OLD)
    found = world.status("--expect-plan")
    assert found.exit_code == 1
    assert "the rollout did not begin, or was taken back" in found.stdout
    assert "a:1:x   plan 000000000000" in found.stdout
    assert "not this commit's" in found.stdout
    assert world.status().exit_code == 0, "without --expect-plan it only shows"


def test_old_and_new_beside_each_other_are_no_proof(world):
    world.sink("a:1:x", OLD)
    world.sink("b:1:y", world.expected())
    found = world.status("--expect-plan", "--format", "json")
    assert found.exit_code == 1
    [one] = json.loads(found.stdout)
    assert (one["state"], one["is_done"], len(one["sinks"])) == ("rolling", False, 2)


def test_no_sink_at_all_is_no_proof_but_where_sinks_may_sleep(world):
    found = world.status("--expect-plan")
    assert (found.exit_code, "no sink runs; plan" in found.stdout) == (1, True)
    asleep = "  sluice:overrides: {alert_events: {sink: {min_tasks: 0, latency_target_seconds: 1200}, alarms: {oldest_age_seconds: 1200}}}\n"
    world.stack.write_text(STACK + asleep)
    found = world.status("--expect-plan")
    assert (found.exit_code, "asleep" in found.stdout) == (0, True)


def test_it_waits_until_the_old_sink_is_gone_and_no_longer(world, monkeypatch):
    monkeypatch.setattr(status, "ASK_SECONDS", 0.05)
    plan = world.expected()
    world.sink("a:1:x", OLD)
    world.sink("b:1:y", plan)
    timer = threading.Timer(0.3, lambda: world.sink("a:1:x", OLD, seen=LIVE_SECONDS + 1))
    timer.start()
    found = world.status("--expect-plan", "--wait", "60")
    timer.join()
    assert (found.exit_code, "a:1:x" in found.stdout) == (0, False)
    world.sink("c:1:z", OLD)
    assert world.status("--expect-plan", "--wait", "0.2").exit_code == 1


def test_the_plan_is_the_environments_own(world):
    before = world.expected()
    world.stack.write_text(STACK + "  sluice:overrides: {alert_events: {sink: {batch_records: 17}}}\n")
    assert world.expected() != before


def test_waiting_for_nothing_is_a_mistake(world):
    found = world.status("--wait", "5")
    assert (found.exit_code, "--wait is for --expect-plan" in found.output) == (2, True)
