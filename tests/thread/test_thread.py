"""The whole thread on real parts, by the commands of the README: from `sluice init` to committed rows and their event."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from botocore.exceptions import ClientError

from dev.demo.world import World
from dev.emulator import client as aws
from dev.emulator.launch import Emulator
from dev.environment import Environment
from dev.state import Paths
from tests.support.waiting import until

ROOT = Path(__file__).resolve().parents[2]
NAME = "door_events"


class Project:
    """A project of the test's own, used as a person uses it: by commands in its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "datasets").mkdir()
        for name in ("__main__.py", "Pulumi.yaml", "Pulumi.embedded.yaml"):
            shutil.copy(ROOT / name, folder)

    def sluice(self, *arguments: str, code: int = 0, stdin: str | None = None) -> str:
        """Run the command; its stdout and stderr."""
        environ = {name: value for name, value in os.environ.items() if name != "SLUICE_HOME"}
        done = subprocess.run(
            [sys.executable, "-m", "compiler.cli.main", *arguments],
            cwd=self.folder,
            env={**environ, "PYTHONPATH": str(ROOT)},
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def add_column(self) -> None:
        """The edit that the README asks for: here a property, a producer and a reader."""
        file = self.folder / "datasets" / NAME / "dataset.json"
        manifest = json.loads(file.read_text())
        manifest["record"]["properties"]["door"] = {"type": "string", "maxLength": 40}
        manifest["producers"] = ["turnstile"]
        file.write_text(json.dumps(manifest, indent=4))

    def records(self, count: int, **fields: Any) -> str:
        """JSON Lines of that many records, each with an id of its own."""
        common = {"occurred_at": "2026-03-01T08:00:00Z", "kind": "created", "door": "north", **fields}
        ids = (f"00000000-0000-4000-8000-{number:012d}" for number in range(count))
        return "".join(json.dumps({"id": one, **common}) + "\n" for one in ids)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    made = Project(tmp_path_factory.mktemp("thread"))
    made.sluice("init", NAME, "--owner", "building-security")
    made.add_column()
    try:
        yield made
    finally:
        Environment(made.folder, Paths(made.folder / ".sluice")).down()


@pytest.fixture(scope="module")
def world(project: Project, request: pytest.FixtureRequest) -> Iterator[World]:
    """The project's environment, up."""
    assert "1 dataset, 0 problems" in project.sluice("check")
    assert "door" in project.sluice("show", NAME)
    assert f"wrote datasets/{NAME}/migrations/v1/0001_create.sql" in project.sluice("plan")
    assert "Up in" in project.sluice("dev", "up")
    found = World(project.folder)
    yield found
    found.close()


def test_published_records_become_rows_once_and_are_announced(project: Project, world: World) -> None:
    subscriber = world.subscribe()
    lines = project.records(300)
    for _ in range(2):
        said = project.sluice("publish", NAME, "-", "--as", "turnstile", stdin=lines)
        assert "300 records in 1 message" in said
        until(lambda: world.drained(NAME))
    commits = world.commits(NAME)
    assert (world.rows(NAME), commits.inserted, commits.count, commits.last_sequence) == (300, 300, 1, 1)
    events: list[dict[str, Any]] = []

    def announced() -> bool:
        events.extend(world.events(subscriber))
        return bool(events)

    until(announced)
    assert [(event["subject"], event["data"]["inserted"]) for event in events] == [(f"{NAME}@v1", 300)]


def test_bad_records_are_dead_lettered_and_their_neighbours_stored(project: Project, world: World) -> None:
    before = world.rows(NAME)
    good = project.records(2).replace("00000000-", "00000001-")
    bad = project.records(1, kind="opened") + project.records(1, door="a\0b")
    refused = project.sluice("publish", NAME, "-", stdin=good + bad, code=1)
    assert "2 of 4 records are not valid, so nothing was sent" in refused
    assert "<stdin>:3:" in refused
    project.sluice("publish", NAME, "-", "--no-validate", stdin=good + bad)
    until(lambda: world.dead_letter_depth(NAME) == 2)
    until(lambda: world.drained(NAME))
    assert world.rows(NAME) == before + 2
    assert [reason for reason, _ in world.dead_letters(NAME)] == ["nul_character", "schema_violation"]


def test_an_example_is_published_as_it_is(project: Project, world: World) -> None:
    before = world.rows(NAME)
    said = project.sluice(
        "publish", NAME, f"datasets/{NAME}/examples/valid/complete.json", "--as", "turnstile"
    )
    assert "1 record in 1 message" in said
    until(lambda: world.rows(NAME) == before + 1)


def test_a_producer_and_a_sink_may_do_their_own_and_nothing_else(project: Project, world: World) -> None:
    dataset = world.datasets[NAME]
    assert world.may_receive(NAME, "turnstile") == "AccessDenied"
    state = Emulator(Paths.of(project.folder)).status()
    assert state is not None
    producer = aws.session(state, aws.assume(state, dataset["producers"]["turnstile"], "test"))
    with pytest.raises(ClientError, match="AccessDenied"):
        producer.client("sqs").send_message(QueueUrl=dataset["dead_letter_url"], MessageBody="{}")
    with pytest.raises(ClientError, match="AccessDenied"):
        producer.client("secretsmanager").get_secret_value(SecretId=dataset["login_secret_arn"])


def test_the_sinks_own_login_cannot_change_the_table(world: World) -> None:
    secret = world.secret(world.datasets[NAME]["login_secret_arn"])
    login = {**world.outputs["postgres"], "user": secret["username"], "password": secret["password"]}
    statements = (
        f"ALTER TABLE datasets.{NAME}_v1 ADD COLUMN x text",
        f"DROP TABLE datasets.{NAME}_v1",
        f"TRUNCATE datasets.{NAME}_v1",
        f"DELETE FROM datasets.{NAME}_v1",
        "CREATE TABLE datasets.x ()",
        "UPDATE sluice.output_commits SET sequence = 7",
        "SELECT * FROM sluice.migrations",
    )
    with psycopg.connect(**login, autocommit=True) as connection:
        for statement in statements:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)


def test_no_secret_stands_where_it_could_be_read(project: Project, world: World) -> None:
    secret = world.secret(world.datasets[NAME]["login_secret_arn"])["password"]
    admin = world.outputs["postgres"]["password"]
    home = project.folder / ".sluice"
    seen = [home / "resources.json", *sorted((home / "logs").iterdir())]
    for file in seen:
        text = file.read_text(errors="replace")
        assert secret not in text, file
        assert admin not in text, file
    status = project.sluice("dev", "status", "--format", "json")
    assert secret not in status
    assert admin not in status
    found = json.loads(status)
    for process in (*found["servers"], *(dataset["sink"] for dataset in found["datasets"])):
        for one in (psutil.Process(process["pid"]), *psutil.Process(process["pid"]).children(recursive=True)):
            command = " ".join(one.cmdline())
            assert secret not in command
            assert admin not in command


def test_a_wrong_manifest_never_reaches_the_program(project: Project, world: World) -> None:
    file = project.folder / "datasets" / NAME / "dataset.json"
    right = file.read_text()
    file.write_text(right.replace('"on_conflict": "ignore"', '"on_conflict": "ignored"'))
    try:
        said = project.sluice("dev", "up", code=1)
    finally:
        file.write_text(right)
    assert "$.table.on_conflict" in said
    assert world.rows(NAME) >= 0  # what runs is left alone
