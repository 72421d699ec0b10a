"""What a sink checks before it receives, and what `--check` says of each thing that is not as it must be."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from dev.emulator.client import EmulatorSession
from sink_runtime import exits
from sink_runtime.settings import LEAST_DRAIN_SECONDS
from tests.sink import datasets
from tests.sink.deployment import ROOT, Deployment
from tests.sink.messages import Message, alert
from tests.sink.store import Store
from tests.support.waiting import until

Deploy = Callable[..., Deployment]
MakeStore = Callable[..., Store]
NAMES = ["plan", "buffer", "delete", "login", "catalog", "grants", "dead letters", "topic"]


def check(deployment: Deployment, **environment: str) -> tuple[int, list[tuple[str, str, str]]]:
    """The exit code of `--check`, and its lines: level, name, text."""
    done = subprocess.run(
        [sys.executable, "-m", "sink_runtime", "--check"],
        env=deployment.environment | environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    lines = [(line[:8].strip(), line[9:21].strip(), line[23:]) for line in done.stdout.splitlines()]
    return done.returncode, lines


def deny(admin: EmulatorSession, deployment: Deployment, action: str) -> None:
    """Deny the sink's role one action, over all that permits it."""
    role = deployment.role.rpartition("/")[2]
    statement = {"Effect": "Deny", "Action": action, "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    admin.client("iam").put_role_policy(RoleName=role, PolicyName="deny", PolicyDocument=document)


def test_all_is_well(make_store: MakeStore, deploy: Deploy) -> None:
    deployment = deploy(make_store(datasets.alert_events()))
    code, lines = check(deployment)
    assert [(level, name) for level, name, _ in lines] == [("ok", name) for name in NAMES]
    assert code == 0
    assert deployment.counts(deployment.dead_letter) == (0, 0), "the probe left nothing"


def test_each_failure_is_told_with_its_fix(make_store: MakeStore, deploy: Deploy) -> None:
    """One sink with everything wrong that can be wrong at once; and a later check that needs an earlier one."""
    store = make_store(datasets.alert_events())
    deployment = deploy(store)
    store.execute("REVOKE INSERT ON datasets.alert_events_v1 FROM test_alert_events_w")
    deployment.sqs.set_queue_attributes(
        QueueUrl=deployment.buffer,
        Attributes={"MaximumMessageSize": "262144", "VisibilityTimeout": "77", "RedrivePolicy": ""},
    )
    code, lines = check(
        deployment,
        SLUICE_DEAD_LETTER_URL=deployment.dead_letter + "-that-is-not-there",
        SLUICE_TOPIC_ARN="",
    )
    told = {(level, name): text for level, name, text in lines}
    assert code == exits.CHECK
    assert "lacks INSERT on datasets.alert_events_v1. Deploy the stack again" in told["FAILED", "grants"]
    assert "dead_letters: " in told["FAILED", "dead letters"]
    assert "SLUICE_DEAD_LETTER_URL" in told["FAILED", "dead letters"]
    assert "SLUICE_TOPIC_ARN is not set" in told["FAILED", "topic"]
    warnings = [text for level, name, text in lines if (level, name) == ("warning", "buffer")]
    assert any("MaximumMessageSize is 262144" in text for text in warnings)
    assert any("VisibilityTimeout is 77 s" in text for text in warnings)
    assert any("no RedrivePolicy" in text for text in warnings)
    code, lines = check(deployment, SLUICE_DATABASE_PORT="1")
    assert code == exits.CHECK
    assert [name for level, name, _ in lines if level == "FAILED"] == ["login"]
    assert any("Connection refused" in text for level, _, text in lines if level == "FAILED")
    assert [name for level, name, _ in lines if level == "skipped"] == ["catalog", "grants"]


def test_a_plan_that_is_not_there(make_store: MakeStore, deploy: Deploy) -> None:
    deployment = deploy(make_store(datasets.alert_events()))
    code, [(level, name, text)] = check(deployment, SLUICE_PLAN="s3://nowhere/plan.json")
    assert (code, level, name) == (exits.PLAN, "FAILED", "plan")
    assert "s3:GetObject" in text


def test_a_denied_delete_ends_the_sink_before_it_receives(
    make_store: MakeStore, deploy: Deploy, admin: EmulatorSession
) -> None:
    deployment = deploy(make_store(datasets.alert_events()))
    deployment.send(Message((alert("a"),)))
    deny(admin, deployment, "sqs:DeleteMessage")
    code, lines = check(deployment)
    assert code == exits.DENIED
    assert [name for level, name, _ in lines if level == "FAILED"] == ["delete"]
    sink = deployment.start()
    assert sink.process.wait() == exits.DENIED
    assert "deleting messages is denied" in sink.log.read_text()
    assert deployment.counts(deployment.buffer) == (1, 0)


@pytest.mark.parametrize(
    ("action", "dependency"),
    [("sqs:GetQueueAttributes", "buffer"), ("sqs:SendMessage", "dead_letters")],
)
def test_a_start_waits_for_a_queue_and_receives_nothing(
    make_store: MakeStore, deploy: Deploy, admin: EmulatorSession, action: str, dependency: str
) -> None:
    store = make_store(datasets.alert_events())
    deployment = deploy(store)
    deployment.send(Message((alert("a"),)))
    deny(admin, deployment, action)
    sink = deployment.start()
    until(lambda: len(sink.events("waiting")) > 2, deployment.tell)
    assert {line["waits_for"] for line in sink.events("waiting")} == {dependency}
    assert {(line["level"], line["dataset"]) for line in sink.events("waiting")} == {
        ("error", "alert_events")
    }
    assert deployment.counts(deployment.buffer) == (1, 0)
    role = deployment.role.rpartition("/")[2]
    admin.client("iam").delete_role_policy(RoleName=role, PolicyName="deny")
    deployment.await_drained()
    assert store.rows("dedupe_key") == [("a",)]


def test_the_exit_codes_are_in_the_help() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sink_runtime", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert all(f"  {code}  {meaning}" in done.stdout for code, meaning in exits.MEANINGS.items())


def test_a_sink_that_hangs_ends_within_its_drain_time(make_store: MakeStore, deploy: Deploy) -> None:
    """A writer's statement does not end; the sink ends without it, and what it held is there for the next one."""
    store = make_store(datasets.alert_events())
    store.execute(
        "CREATE FUNCTION datasets.linger() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_sleep(300); RETURN new; END $$"
    )
    store.execute(
        "CREATE TRIGGER linger BEFORE INSERT ON datasets.alert_events_v1 FOR EACH ROW"
        " EXECUTE FUNCTION datasets.linger()"
    )
    deployment = deploy(store)
    deployment.send(Message((alert("a"),)))
    sink = deployment.start(SLUICE_DRAIN_SECONDS=str(LEAST_DRAIN_SECONDS))
    until(
        lambda: store.fetch("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'") != [],
        deployment.tell,
    )
    sink.process.send_signal(signal.SIGTERM)
    assert sink.process.wait() == exits.STOPPED
    assert [line["threads"][0][:7] for line in sink.events("not ended in time")[:1]] == ["writer-"]
    assert deployment.counts(deployment.buffer) == (1, 0)
    store.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
    store.execute("DROP TRIGGER linger ON datasets.alert_events_v1")
    deployment.start()
    deployment.await_drained()
    assert store.rows("dedupe_key") == [("a",)]
