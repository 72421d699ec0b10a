"""The sink as a process, on real Postgres and the emulator under IAM enforcement: the whole story, and its faults."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from sink_runtime.pipeline.receiver import SCOUT_SECONDS
from sink_runtime.settings import DATABASE_SECRET_ARN, REQUIRED
from tests.sink import datasets
from tests.sink.deployment import ROOT, Deployment, seconds_waited
from tests.sink.messages import Message, alert, monitored, numbered
from tests.sink.store import PASSWORD, Store
from tests.support.waiting import until

VALID = dict.fromkeys((*REQUIRED, DATABASE_SECRET_ARN), "1")
Deploy = Callable[..., Deployment]
MakeStore = Callable[..., Store]


def letters(found: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Bodies by reason."""
    by_reason: dict[str, list[str]] = {}
    for message in found:
        by_reason.setdefault(message["MessageAttributes"]["reason"]["StringValue"], []).append(
            message["Body"]
        )
    return by_reason


def announced(events: list[dict[str, Any]]) -> set[int]:
    """The sequences of the commits that events tell of."""
    return {json.loads(event["Body"])["data"]["sequence"] for event in events}


def test_the_whole_story(make_store: MakeStore, deploy: Deploy) -> None:
    store = make_store(datasets.alert_events())
    deployment = deploy(store)
    secret_value = "a very confidential label"
    bad = alert("bad", "nonsense", labels={"note": secret_value}, value=12345678.9)
    deployment.send(
        Message((alert("a"), bad, alert("b"))),
        Message((alert("c"),)),
        Message(body=b"not json"),
        Message(body=json.dumps({"dataset": "other", "records": [{}]}).encode()),
    )
    sink = deployment.start()
    deployment.await_drained()
    assert [key for (key,) in store.rows("dedupe_key")] == ["a", "b", "c"]
    found = deployment.read_all(deployment.dead_letter, 3)
    by_reason = letters(found)
    assert sorted(by_reason) == ["not_json", "schema_violation", "wrong_dataset"]
    assert by_reason["not_json"] == ["not json"]
    [wrapped] = [json.loads(body) for body in by_reason["schema_violation"]]
    assert wrapped["records"] == [bad]
    assert wrapped["origin"]["position"] == 1
    assert sum(inserted for (inserted,) in store.commits("inserted")) == 3
    events = [
        json.loads(message["Body"]) for message in deployment.read_all(deployment.inbox, len(store.commits()))
    ]
    assert [event["data"]["sequence"] for event in events] == [
        sequence for (sequence,) in store.commits("sequence")
    ]
    assert {event["source"] for event in events} == {"/sluice/test/alert_events"}
    assert sink.stop() == 0
    assert sink.events("stopped")
    for private in (PASSWORD, secret_value, "nonsense"):
        assert private not in sink.log.read_text()
    for message in found:
        assert secret_value not in message["MessageAttributes"]["sluice"]["StringValue"]


def test_records_that_postgres_refuses_are_found_among_the_others(
    make_store: MakeStore, deploy: Deploy
) -> None:
    """The effective schema admits them, the table does not: here by a trigger, in life by a constraint of later."""
    store = make_store(datasets.alert_events())
    store.execute(
        "CREATE FUNCTION datasets.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF new.dedupe_key LIKE 'bad%' THEN RAISE EXCEPTION 'no %', new.dedupe_key; END IF; RETURN new; END $$"
    )
    store.execute(
        "CREATE TRIGGER refuse BEFORE INSERT ON datasets.alert_events_v1 FOR EACH ROW EXECUTE FUNCTION datasets.refuse()"
    )
    deployment = deploy(store)
    deployment.send(Message((alert("a"), alert("bad 1"), alert("b"))), Message((alert("bad 2"), alert("c"))))
    sink = deployment.start()
    deployment.await_drained()
    assert store.rows("dedupe_key") == [("a",), ("b",), ("c",)]
    found = deployment.read_all(deployment.dead_letter, 2)
    told = [json.loads(message["MessageAttributes"]["sluice"]["StringValue"]) for message in found]
    assert {one["sqlstate"] for one in told} == {"P0001"}
    assert {message["MessageAttributes"]["reason"]["StringValue"] for message in found} == {
        "refused_by_database"
    }
    bodies = [json.loads(message["Body"]) for message in found]
    assert sorted(body["records"][0]["dedupe_key"] for body in bodies) == ["bad 1", "bad 2"]
    assert sum(rejected for (rejected,) in store.commits("rejected")) == 2
    assert "no bad" not in sink.log.read_text()


def test_a_stopped_sink_leaves_nothing_behind(make_store: MakeStore, deploy: Deploy) -> None:
    """SIGTERM while a batch waits for Postgres: its messages are given back at once."""
    store = make_store(datasets.alert_events())
    deployment = deploy(store)
    sink = deployment.start()
    deployment.send(Message((alert("first"),)))
    deployment.await_drained()  # so that both writers are through their start
    store.execute("BEGIN")
    store.execute("LOCK TABLE datasets.alert_events_v1")
    deployment.send(Message((alert("a"),)), Message((alert("b"),)))
    until(lambda: deployment.counts(deployment.buffer)[1] > 0 and _is_blocked(store), deployment.tell)
    sink.process.terminate()
    store.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'sluice sink%'"
    )
    assert sink.process.wait(30) == 0
    store.execute("ROLLBACK")
    assert deployment.counts(deployment.buffer) == (2, 0)
    assert store.rows("dedupe_key") == [("first",)]


def test_a_sink_without_work_stops_within_its_long_poll(make_store: MakeStore, deploy: Deploy) -> None:
    store = make_store(datasets.alert_events())
    sink = deploy(store).start()
    until(lambda: bool(store.fetch("SELECT 1 FROM sluice.sink_instances")))
    assert sink.stop() == 0


def _is_blocked(store: Store) -> bool:
    store.execute("SELECT pg_stat_clear_snapshot()")  # within a transaction, what was seen once is seen again
    query = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name LIKE 'sluice sink%'"
    return bool(store.fetch(query))


def test_two_sinks_double_nothing_and_leave_no_gap(make_store: MakeStore, deploy: Deploy) -> None:
    store = make_store(datasets.monitoring_events(batch_records=5))
    deployment = deploy(store)
    deployment.start()
    deployment.start()
    until(lambda: len(store.fetch("SELECT 1 FROM sluice.sink_instances")) == 2, deployment.tell)
    for _ in range(2):  # each message twice: the producer retries with the same id
        for number in range(30):
            records = tuple(monitored(f"s{number}-{index}") for index in range(3))
            deployment.send(Message(records, "monitoring_events", envelope={"id": numbered(number)}))
    deployment.await_drained()
    services = [service for (service,) in store.rows("service")]
    assert len(services) == len(set(services)) == 90
    sequences = [sequence for (sequence,) in store.commits("sequence")]
    assert sequences == list(range(1, len(sequences) + 1))
    assert sum(inserted for (inserted,) in store.commits("inserted")) == 90
    # Two publishers of one outbox announce a commit at least once: some twice.
    events = deployment.read_until(deployment.inbox, lambda found: announced(found) >= set(sequences))
    assert announced(events) == set(sequences)


def test_events_that_were_not_published_are_sent_at_the_next_start(
    make_store: MakeStore, deploy: Deploy
) -> None:
    store = make_store(datasets.alert_events())
    deployment = deploy(store)
    deployment.send(Message((alert("a"),)))
    sink = deployment.start(SLUICE_TOPIC_ARN=deployment.topic + "-that-is-not-there")
    deployment.await_drained()
    until(lambda: bool(sink.events("waiting")), deployment.tell)
    assert sink.events("waiting")[0]["waits_for"] == "topic"
    assert store.commits("event_published_at IS NULL") == [(True,)]
    assert sink.stop() == 0
    deployment.start()
    [message] = deployment.read_all(deployment.inbox, 1)
    event = JSONFormat().read(CloudEvent, message["Body"])
    assert event.get_type() == "dev.sluice.dataset.committed.v1"
    assert event.get_subject() == "alert_events@v1"
    assert [event.get_id()] == [commit for (commit,) in store.commits("commit_id::text")]
    until(lambda: store.commits("event_published_at IS NULL") == [(False,)])


def test_a_plan_that_the_catalog_does_not_serve_receives_nothing(
    make_store: MakeStore, deploy: Deploy
) -> None:
    store = make_store(datasets.alert_events())
    store.execute("ALTER TABLE datasets.alert_events_v1 ADD COLUMN region text NOT NULL")
    deployment = deploy(store)
    deployment.send(Message((alert("a"),)))
    sink = deployment.start()
    until(lambda: bool(sink.events("waiting")), deployment.tell)
    assert "column region is NOT NULL" in sink.events("waiting")[0]["why"]
    assert deployment.counts(deployment.buffer) == (1, 0)
    assert store.fetch("SELECT 1 FROM sluice.sink_instances") == []
    store.execute("ALTER TABLE datasets.alert_events_v1 ALTER COLUMN region DROP NOT NULL")
    deployment.await_drained()
    assert store.rows("dedupe_key") == [("a",)]


def test_a_dead_letter_queue_that_is_away_keeps_the_source(make_store: MakeStore, deploy: Deploy) -> None:
    store = make_store(datasets.alert_events())
    deployment = deploy(store)
    sink = deployment.start()
    until(lambda: store.fetch("SELECT 1 FROM sluice.sink_instances") != [], deployment.tell)
    deployment.sqs.delete_queue(QueueUrl=deployment.dead_letter)
    deployment.send(Message((alert("a"), alert("b", "nonsense"))))
    until(lambda: bool(sink.events("waiting")), deployment.tell)
    assert sink.events("waiting")[0]["waits_for"] == "dead_letters"
    assert store.rows("dedupe_key") == [("a",)]
    # What a long poll brings that had begun before is held as well; then nothing is received.
    until(lambda: seconds_waited(sink.events("waiting")) > SCOUT_SECONDS, deployment.tell)
    deployment.send(Message((alert("c"),)))
    told = len(sink.events("waiting"))
    until(lambda: len(sink.events("waiting")) > told, deployment.tell)
    assert deployment.counts(deployment.buffer) == (1, 1)  # the second is not received meanwhile
    assert sink.stop() == 0
    assert deployment.counts(deployment.buffer) == (2, 0)
    deployment.sqs.create_queue(
        QueueName=deployment.dead_letter.rpartition("/")[2], Attributes={"MaximumMessageSize": "1048576"}
    )
    deployment.start()
    deployment.await_drained()
    [letter] = deployment.read_all(deployment.dead_letter, 1)
    assert json.loads(letter["Body"])["records"] == [alert("b", "nonsense")]


def test_a_dead_letter_can_be_sent_again_and_keeps_its_identity(
    make_store: MakeStore, deploy: Deploy
) -> None:
    store = make_store(datasets.monitoring_events())
    deployment = deploy(store)
    deployment.start()
    batch = numbered(42)
    records = (monitored("a"), monitored("b", count="many"), monitored("c"))
    deployment.send(Message(records, "monitoring_events", envelope={"id": batch}))
    [letter] = deployment.read_all(deployment.dead_letter, 1)
    mended = letter["Body"].replace('"many"', "3")
    for _ in range(2):
        deployment.send(Message(body=mended.encode()))
    until(lambda: len(store.rows("service")) == 3, deployment.tell)
    deployment.await_drained()
    assert store.rows("service", "count", "sluice_message_id", "sluice_position") == [
        ("a", None, UUID(batch), 0),
        ("b", 3, UUID(batch), 1),
        ("c", None, UUID(batch), 2),
    ]


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "told"),
    [
        (["--help"], {}, 0, "exit codes"),
        ([], {}, 2, "SLUICE_BUFFER_URL is not set; SLUICE_DEAD_LETTER_URL is not set"),
        ([], VALID | {"SLUICE_TOPIC_ARN": "x"}, 2, "SLUICE_TOPIC_ARN is not the ARN of an SNS topic"),
        (
            ["--plan", "nowhere.json"],
            VALID,
            3,
            "the plan nowhere.json cannot be read: No such file or directory",
        ),
        (["--plan", "pyproject.toml"], VALID, 3, "the plan is not JSON"),
    ],
    ids=["help", "settings", "topic", "missing plan", "no plan"],
)
def test_a_sink_that_cannot_start_says_why(
    arguments: list[str], environment: dict[str, str], code: int, told: str
) -> None:
    command = [sys.executable, "-m", "sink_runtime", *arguments]
    ended = subprocess.run(
        command,
        env={"PATH": os.environ["PATH"], **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == code
    assert told in ended.stdout + ended.stderr
