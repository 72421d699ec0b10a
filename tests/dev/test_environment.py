"""The whole environment, up and down: servers, program, sinks."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from click.testing import CliRunner

from compiler.cli.database import LIBPQ_VARIABLES
from compiler.cli.main import main
from compiler.dataset import Dataset
from compiler.migrate.propose import Proposal, approve, propose, write
from compiler.pipeline import compile_datasets
from compiler.problems import ProblemsError
from dev import outputs, sink_check, tasks
from dev.emulator.client import assume, session
from dev.emulator.launch import Emulator
from dev.environment import Environment, Up, load_outputs
from dev.letters import letters
from dev.postgres import PostgresServer
from dev.resources.apply import Action
from dev.resources.ledger import Ledger
from dev.sinks import Sinks
from dev.state import DevError, Paths, read_json
from dev.status import status
from sink_runtime import settings
from tests.support.waiting import until

ROOT = Path(__file__).resolve().parents[2]
DATASETS = ("alert_events", "monitoring_events")


def make_project(folder: Path, datasets: tuple[str, ...] = DATASETS) -> Path:
    """A copy of the program with some of the datasets."""
    for name in ("__main__.py", "Pulumi.yaml", "Pulumi.embedded.yaml"):
        shutil.copy(ROOT / name, folder)
    for dataset in datasets:
        add(folder, dataset)
    return folder


def add(project: Path, dataset: str) -> None:
    shutil.copytree(ROOT / "datasets" / dataset, project / "datasets" / dataset)


def edit(project: Path, dataset: str, **fields: Any) -> None:
    file = project / "datasets" / dataset / "dataset.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **fields}, indent=2))


def every_pid(paths: Paths) -> set[int]:
    """Every process that the environment has recorded, with all of their children."""
    pids = recorded_pids(paths)
    return pids | {child.pid for pid in pids for child in psutil.Process(pid).children(recursive=True)}


def recorded_pids(paths: Paths) -> set[int]:
    """Servers and sinks. Postgres starts and ends children of its own as it likes."""
    servers = {Emulator(paths).pid(), PostgresServer(paths).status().pid}
    sinks = {sink.process.pid for sink in Sinks(paths).known()}
    return {pid for pid in servers | sinks if pid}


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def actions(up: Up) -> set[str]:
    return {str(event.action) for event in up.resources}


def touched(up: Up) -> dict[str, str]:
    return {event.name: str(event.action) for event in up.resources if event.action is not Action.UNCHANGED}


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[Environment]:
    """An environment with one dataset, of the test's own."""
    with brought_down(
        Environment(make_project(tmp_path, DATASETS[:1]), Paths(tmp_path / ".sluice"))
    ) as found:
        yield found


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """An environment that is up, for tests that leave it so."""
    folder = tmp_path_factory.mktemp("running")
    with brought_down(Environment(make_project(folder), Paths(folder / ".sluice"))) as found:
        found.up()
        yield found


@contextmanager
def brought_down(environment: Environment) -> Iterator[Environment]:
    try:
        yield environment
    finally:
        environment.down()


def changes(environment: Environment) -> None:
    """A changed field that is not the table's changes its resource and its dataset's sink."""
    project, paths = environment.project, environment.paths
    buffer = json.loads((project / "datasets/alert_events/dataset.json").read_text()).get("buffer", {})
    edit(project, "alert_events", buffer={**buffer, "visibility_timeout_seconds": 77})
    changed = environment.up()
    assert touched(changed)["alert_events-buffer"] == "updated"
    assert not any(name.startswith("monitoring_events") for name in touched(changed))
    assert changed.sinks_started == changed.sinks_stopped == ("alert_events",)
    state = Emulator(paths).status()
    assert state is not None
    url = load_outputs(project, paths)["datasets"]["alert_events"]["buffer_url"]
    sqs = session(state).client("sqs")
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])["Attributes"]
    assert found == {"VisibilityTimeout": "77"}


def adds_and_removes(environment: Environment) -> None:
    """A new dataset comes; a removed one goes in reverse, its table and queues stay."""
    project, paths = environment.project, environment.paths
    add(project, "integrity_signals")
    added = environment.up()
    assert "updated" not in {touched(added)[name] for name in touched(added) if "integrity" in name}
    assert added.sinks_started == ("integrity_signals",)
    assert status(paths).missing == ()

    shutil.rmtree(project / "datasets" / "integrity_signals")
    removed = environment.up()
    assert removed.sinks_stopped == ("integrity_signals",)
    gone = [event for event in removed.resources if event.action in (Action.DELETED, Action.RETAINED)]
    kept = sorted(event.type.rpartition(":")[2] for event in gone if event.action is Action.RETAINED)
    assert [kind for kind in kept if kind in ("DatasetTable", "Queue")] == ["DatasetTable"] * 2 + [
        "Queue"
    ] * 2
    names = [event.name for event in gone]
    created = [event.name for event in added.resources if event.action is Action.CREATED]
    assert [name for name in created if name in names] == [
        name for name in reversed(names) if name in created
    ]
    with psycopg.connect(**load_outputs(project, paths)["postgres"]) as connection:
        connection.execute("SELECT count(*) FROM datasets.integrity_signals")
        roles = "SELECT count(*) FROM pg_roles WHERE rolname LIKE '%integrity_signals%'"
        assert connection.execute(roles).fetchone() == (0,)


def test_up_change_add_remove_down(environment: Environment) -> None:
    project, paths = environment.project, environment.paths
    add(project, "monitoring_events")

    first = environment.up()
    assert actions(first) == {"created"}
    assert first.sinks_started == DATASETS
    assert status(paths).is_whole
    with psycopg.connect(**first.outputs["postgres"]) as connection:
        shown = connection.execute("SELECT dataset, plan_sha256 FROM sluice.sink_instances ORDER BY dataset")
        plans = {name: found["plan_sha256"] for name, found in first.outputs["datasets"].items()}
        assert dict(shown.fetchall()) == plans
    assert {sink.dataset for sink in Sinks(paths).known()} == set(DATASETS)
    ledger, pids = paths.resources.read_bytes(), recorded_pids(paths)

    second = environment.up()
    assert actions(second) == {"unchanged"}
    assert (second.sinks_started, second.sinks_stopped, second.lost) == ((), (), 0)
    assert paths.resources.read_bytes() == ledger
    assert recorded_pids(paths) == pids

    changes(environment)
    adds_and_removes(environment)

    pids = every_pid(paths)
    ports = [process.port for process in status(paths).servers]
    environment.down()
    assert [port for port in ports if port is None or is_open(port)] == []
    assert [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"] == []
    assert not paths.root.exists()


def test_a_dropped_column_goes_when_the_old_sink_has_gone(environment: Environment) -> None:
    """What old sinks need goes after they have gone."""
    project = environment.project
    environment.up()
    manifest = json.loads((project / "datasets/alert_events/dataset.json").read_text())
    del manifest["table"]["columns"]["sender"]
    edit(project, "alert_events", **manifest)
    proposed = planned(project)
    assert proposed.files[-3].path.name == "0002_drop_sender.sql"
    with pytest.raises(ProblemsError, match=r"--approve 0002\.1"):
        environment.up()
    dataset, folder = only_dataset(project)
    approve(dataset, folder, [(2, 1)], "Nobody reads it.")

    up = environment.up()
    assert up.sinks_started == up.sinks_stopped == ("alert_events",)
    with psycopg.connect(**up.outputs["postgres"]) as connection:
        applied = connection.execute("SELECT number FROM sluice.migrations ORDER BY started_at").fetchall()
        assert applied == [(1,), (2,)]
        columns = connection.execute("SELECT * FROM datasets.alert_events").description or ()
        assert "sender" not in {column.name for column in columns}
        contracts = connection.execute(
            "SELECT contract, isfinite(last_seen) FROM sluice.sink_instances ORDER BY contract"
        ).fetchall()
    assert contracts == [(0, False), (2, True)]
    assert actions(environment.up()) == {"unchanged"}


def test_a_table_that_was_changed_by_hand_is_told(running: Environment) -> None:
    running.up()
    alter = "ALTER TABLE datasets.monitoring_events_v1"
    with psycopg.connect(**load_outputs(running.project, running.paths)["postgres"]) as connection:
        connection.execute(f"{alter} ADD COLUMN hand integer")
        connection.commit()
        with pytest.raises(
            DevError, match=r"monitoring_events_v1 was changed outside .*\n  column hand added"
        ):
            running.up()
        connection.execute(f"{alter} DROP COLUMN hand")
    running.up()


def only_dataset(project: Path) -> tuple[Dataset, Path]:
    (compiled,) = compile_datasets(project).require()
    return compiled.dataset, compiled.folder


def planned(project: Path) -> Proposal:
    """What `sluice plan` writes."""
    proposed = propose(*only_dataset(project))
    write(proposed)
    return proposed


def test_a_sink_gets_no_administrator_secret(running: Environment) -> None:
    found = load_outputs(running.project, running.paths)
    secrets = [
        found["postgres"]["password"],
        found["admin"]["aws_secret_access_key"],
        *found["readers"].values(),
    ]
    for sink in Sinks(running.paths).known():
        process = psutil.Process(sink.process.pid)
        visible = json.dumps([process.environ(), process.cmdline()])
        assert not [secret for secret in secrets if secret in visible]
        assert "AWS_ACCESS_KEY_ID" not in process.environ()
        assert process.environ()["SLUICE_DATABASE_POOLER"] == "none"
        assert list(Path(process.environ()["HOME"]).iterdir()) == []
    for name in ("resources.json", "sinks.json"):
        assert not [secret for secret in secrets if secret in (running.paths.root / name).read_text()]
    for file in running.paths.root.rglob("*"):
        assert file.stat().st_mode & 0o077 == 0 or running.paths.postgres in (file, *file.parents), file
    for log in running.paths.logs.iterdir():
        assert not [secret for secret in secrets if secret in log.read_text()], log


def test_a_local_sink_trusts_the_operator_too_and_listens_on_loopback(running: Environment) -> None:
    """What its container would be told, and what only this machine knows."""
    running.up()
    found = load_outputs(running.project, running.paths)
    sink = next(one for one in Sinks(running.paths).known() if one.dataset == "alert_events")
    told = settings.read(psutil.Process(sink.process.pid).environ())
    role = found["datasets"]["alert_events"]["sink_role_id"]
    assert told.trusted_senders[:2] == (role, found["operator"]["role_id"])
    assert len(told.trusted_senders) == 3
    assert told.http_host == "127.0.0.1"
    assert told.plan == found["datasets"]["alert_events"]["plan_uri"]


def test_the_local_sinks_prove_the_plan_of_this_commit(
    running: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in LIBPQ_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    running.up()
    asked = ["--project", str(running.project), "status", "--expect-plan", "--wait", "60"]
    done = CliRunner().invoke(main, asked)
    assert done.exit_code == 0, done.output
    assert [line.split(":")[0] for line in done.stdout.splitlines() if line[0] != " "] == list(DATASETS)


def test_what_crashed_is_up_again(running: Environment) -> None:
    paths = running.paths
    sink = Sinks(paths).known()[0]
    os.kill(sink.process.pid, signal.SIGKILL)
    emulator = Emulator(paths).pid()
    assert emulator is not None
    os.kill(emulator, signal.SIGKILL)
    until(lambda: set(status(paths).missing) == {"emulator", f"sink {sink.dataset}"})

    again = running.up()
    assert again.lost > 0
    kinds = {event.type.partition(":")[0] for event in again.resources if event.action is Action.CREATED}
    assert kinds == {"aws", "pulumi", "pulumi-python"}
    unchanged = {event.type for event in again.resources if event.action is Action.UNCHANGED}
    assert "postgresql:index/role:Role" in unchanged
    assert again.sinks_started == DATASETS
    assert status(paths).missing == ()


def test_postgres_data_can_be_kept(running: Environment) -> None:
    with psycopg.connect(**load_outputs(running.project, running.paths)["postgres"]) as connection:
        connection.execute("CREATE TABLE public.kept AS SELECT 1 AS a")
    running.down(keep_data=True)
    assert status(running.paths).processes[0].running is False
    again = running.up()
    with psycopg.connect(**again.outputs["postgres"]) as connection:
        assert connection.execute("SELECT a FROM public.kept").fetchone() == (1,)
    assert "created" not in {str(e.action) for e in again.resources if e.type == "postgresql:index/role:Role"}


def test_a_dead_letter_that_the_operator_sends_again_keeps_its_sender(running: Environment) -> None:
    running.up()
    found = load_outputs(running.project, running.paths)
    dataset = found["datasets"]["alert_events"]
    state = Emulator(running.paths).status()
    assert state is not None
    producer = session(state, assume(state, dataset["producers"]["monitor"], "night-shift")).client("sqs")
    record = json.loads((running.project / "datasets/alert_events/examples/valid/minimal.json").read_text())
    bad = {"dataset": "alert_events", "records": [record | {"dedupe_key": "again", "severity": "nonsense"}]}
    producer.send_message(QueueUrl=dataset["buffer_url"], MessageBody=json.dumps(bad))
    operator, letters = session(state).client("sqs"), []

    def received() -> bool:
        answer = operator.receive_message(QueueUrl=dataset["dead_letter_url"], WaitTimeSeconds=1)
        letters.extend(answer.get("Messages", ()))
        return bool(letters)

    until(received)
    mended = letters[0]["Body"].replace('"nonsense"', '"info"')
    operator.send_message(QueueUrl=dataset["buffer_url"], MessageBody=mended)
    with psycopg.connect(**found["postgres"], autocommit=True) as connection:
        query = "SELECT sender FROM datasets.alert_events WHERE dedupe_key = 'again'"
        until(lambda: connection.execute(query).fetchone() is not None)
        [(sender,)] = connection.execute(query).fetchall()
        connection.execute("DELETE FROM datasets.alert_events_v1")
    assert sender.endswith(":night-shift")
    assert sender == json.loads(mended)["origin"]["sender"]


def test_letters_are_shown_with_their_reasons_and_stay(running: Environment) -> None:
    running.up()
    dataset = load_outputs(running.project, running.paths)["datasets"]["monitoring_events"]
    state = Emulator(running.paths).status()
    assert state is not None
    sqs = session(state).client("sqs")
    record = {"series": "cpu", "nonsense": 1}
    bad = json.dumps({"dataset": "monitoring_events", "records": [record]})
    sqs.send_message(QueueUrl=dataset["buffer_url"], MessageBody=bad)
    sqs.send_message(QueueUrl=dataset["buffer_url"], MessageBody="no JSON")
    surrogate, odd = '{"records": [{"a": "\\ud800"}]}', '{"records": [1], "origin": 5}'
    deep = '{"dataset": "monitoring_events", "records": [{"series": "cpu", "labels": %s}]}' % (
        "[" * 600 + "]" * 600
    )
    exact = '{"records":[{"a":1e400,"b":12345678.1234567890123,"c":1.10}],"dataset":"other"}'
    for body in (surrogate, odd, deep, exact):
        sqs.send_message(QueueUrl=dataset["buffer_url"], MessageBody=body)
    url = dataset["dead_letter_url"]
    until(lambda: len(letters(state, url, 10)) == 6)
    for _ in range(2):  # and once more: nothing was taken, nothing is hidden
        found = {letter.reason: letter for letter in letters(state, url, 10)}
        assert set(found) == {
            "schema_violation",
            "not_json",
            "invalid_encoding",
            "not_an_envelope",
            "too_deep",
            "wrong_dataset",
        }
        assert json.loads(found["schema_violation"].record or "") == record
        assert found["invalid_encoding"].body == surrogate
        assert found["not_an_envelope"].origin == {}
        assert found["too_deep"].record
        assert found["too_deep"].origin
        assert found["wrong_dataset"].record == '{"a":1e400,"b":12345678.1234567890123,"c":1.10}'
        assert "sender" in found["schema_violation"].origin
        assert found["schema_violation"].particulars["text"]
        assert found["not_json"].body == "no JSON"
    assert len(letters(state, url, 1)) == 1
    for form in ("text", "json"):
        shown = CliRunner().invoke(
            main, ["--project", str(running.project), "dev", "letters", "monitoring_events", "--format", form]
        )
        assert shown.exit_code == 0, shown.output
        assert "12345678.1234567890123" in shown.output
    sqs.purge_queue(QueueUrl=url)


def test_check_looks_as_the_sink_does(running: Environment, capfd: pytest.CaptureFixture[str]) -> None:
    running.up()
    state = Emulator(running.paths).status()
    assert state is not None
    found = load_outputs(running.project, running.paths)
    assert sink_check.check(running.paths, state, found, "alert_events") == 0
    lines = [line.split()[:2] for line in capfd.readouterr().out.splitlines()]
    assert ["ok", "plan"] in lines
    assert ["ok", "grants"] in lines
    kept = running.paths.root / tasks.FILE
    text = kept.read_text()
    document = json.loads(text)
    revision = document["tasks"][found["datasets"]["alert_events"]["task_definition"]]
    for variable in revision["containers"][0]["environment"]:
        if variable["name"] == settings.DATABASE_NAME:
            variable["value"] = "gone"
    try:
        kept.write_text(json.dumps(document))
        assert sink_check.check(running.paths, state, found, "alert_events") != 0
    finally:
        kept.write_text(text)
    assert "FAILED   login         postgres: 3D000 InvalidCatalogName" in capfd.readouterr().out


def test_status_tells_what_waits_and_an_up_that_failed(running: Environment) -> None:
    running.up()
    assert status(running.paths, running.project).pending == ()
    file = running.project / "datasets/alert_events/dataset.json"
    before = file.read_text()
    manifest = json.loads(before)
    manifest["record"]["properties"]["note"] = {"type": "string"}
    try:
        file.write_text(json.dumps(manifest))
        (text,) = status(running.paths, running.project).pending
        assert "Run `sluice plan alert_events`" in text
        with pytest.raises(ProblemsError):
            running.up()
        assert not status(running.paths).is_whole
        assert status(running.paths).unfinished == "check"
    finally:
        file.write_text(before)
    running.up()
    assert status(running.paths).is_whole


def test_status_says_what_a_sink_waits_for(running: Environment) -> None:
    running.up()
    before = {one.dataset: one.sink for one in status(running.paths).datasets}
    assert {sink.state for sink in before.values()} == {"running"}
    assert len({sink.port for sink in before.values()}) == len(before)
    with psycopg.connect(
        **load_outputs(running.project, running.paths)["postgres"], autocommit=True
    ) as connection:
        connection.execute("REVOKE INSERT ON datasets.alert_events_v1 FROM embedded_alert_events_w")
        # The sink connects anew, and finds that it may not write any more.
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '%alert_events'"
        )
        sink = {"alert_events": "waiting for plan", "monitoring_events": "running"}
        until(lambda: {one.dataset: one.sink.state for one in status(running.paths).datasets} == sink)
        assert status(running.paths).is_whole
        connection.execute("GRANT INSERT ON datasets.alert_events_v1 TO embedded_alert_events_w")
    until(lambda: all(one.sink.state == "running" for one in status(running.paths).datasets))


def test_a_reader_logs_in_by_the_service_file(running: Environment) -> None:
    found = load_outputs(running.project, running.paths)
    reader, password = next(iter(found["readers"].items()))
    with psycopg.connect(**{**found["postgres"], "user": reader, "password": password}) as connection:
        assert connection.execute("SELECT count(*) FROM datasets.alert_events").fetchone() == (0,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("DELETE FROM datasets.alert_events")
    line = outputs.psql_line(running.paths, reader)
    assert password not in line
    services = Path(line.partition("=")[2].partition(" ")[0])
    assert f"[{reader}]" in services.read_text()


def test_wrong_manifests_start_nothing(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    edit(project, "alert_events", on_conflcit="ignore")
    found = Environment(project, Paths(tmp_path / ".sluice"))
    with pytest.raises(ProblemsError, match="on_conflcit"):
        found.up()
    assert not (tmp_path / ".sluice").exists()


def test_a_dataset_without_a_migration_is_told_what_to_run(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    shutil.rmtree(project / "datasets/alert_events/migrations")
    (project / "datasets/alert_events/history.json").unlink()
    with pytest.raises(ProblemsError, match="sluice plan alert_events"):
        Environment(project, Paths(tmp_path / ".sluice")).up()


def test_a_sink_that_does_not_start_is_told_with_its_log(
    environment: Environment,
) -> None:
    program = environment.project / "__main__.py"
    right = program.read_text()
    program.write_text(
        "from compiler.emit import container\ncontainer.sink_environment = lambda *_: {}\n" + right
    )
    with pytest.raises(
        DevError, match=r"sink alert_events ended while it started(.|\n)*SLUICE_BUFFER_URL is not set"
    ):
        environment.up()
    assert Sinks(environment.paths).known() == ()
    program.write_text(right)
    assert environment.up().sinks_started == DATASETS[:1]


# Resources without a dependency are registered in any order; this one comes after another.
UNKNOWN = """
import pulumi, pulumi_aws
first = pulumi_aws.sqs.Queue("first", name="first")
pulumi_aws.ec2.Vpc("net", cidr_block="10.0.0.0/16", opts=pulumi.ResourceOptions(depends_on=[first]))
"""


def test_a_type_without_a_handler_fails_up_by_name(environment: Environment) -> None:
    program = environment.project / "__main__.py"
    program.write_text(program.read_text() + UNKNOWN)
    with pytest.raises(DevError, match="no handler for the resource type aws:ec2/vpc:Vpc"):
        environment.up()
    assert read_json(environment.paths.root / "outputs.json") is None
    assert status(environment.paths).broken_off
    assert "first" in {record.name for record in Ledger.load(environment.paths.resources).records.values()}


def test_outputs_of_nothing_say_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(DevError, match="sluice dev up"):
        load_outputs(tmp_path, Paths(tmp_path / ".sluice"))
