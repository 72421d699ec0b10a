"""The whole life of a stack on the real engine: `__main__.py` as it is, three datasets, an emulated AWS, a real Postgres."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.engine.world import Outcome, World

NAMES = ("alert_events", "integrity_signals", "monitoring_events")


def test_a_stack_from_its_first_preview_to_a_dataset_that_leaves(world: World) -> None:
    first_preview(world)
    first_up(world)
    world.settles()
    a_changed_queue_is_updated_in_place(world)
    a_new_column_shows_its_sql_and_a_new_producer_its_rights(world)
    a_raised_rotation_makes_one_new_password(world)
    a_new_generation_stands_beside_the_old_one(world)
    a_dataset_that_leaves_the_stack_leaves_its_rows(world)
    world.settles()


def first_preview(world: World) -> None:
    """A preview needs nothing of what it will make: it shows the SQL, and policies without a gap."""
    found = world.preview()
    assert set(found.changes.values()) == {"create"}
    for name in NAMES:
        table = found.step(f"DatasetTable {name}-table")
        assert f'CREATE TABLE "datasets"."{name}_v1"' in table.inputs["statements"][0]
        assert table.inputs["hazards"] == []
        assert table.inputs["from"] != table.inputs["to"]
    assert statements(found, "Policy scanner-send-1", "policy") == [
        {
            "Sid": "SendToBuffers",
            "Effect": "Allow",
            "Action": ["sqs:SendMessage"],
            "Resource": ["arn:aws:sqs:eu-central-1:123456789012:embedded_integrity_signals_buffer"],
        }
    ]
    assert world.sql("SELECT 1 FROM pg_namespace WHERE nspname IN ('sluice', 'datasets')") == []
    assert world.aws("sqs").list_queues().get("QueueUrls", []) == []


def first_up(world: World) -> None:
    found = world.up()
    assert set(found.changes.values()) == {"create"}
    outputs = world.outputs()["datasets"]
    assert sorted(outputs) == list(NAMES)
    for name in NAMES:
        assert world.sql(f"SELECT count(*) FROM {outputs[name]['relation']}") == [(0,)]
        assert outputs[name]["buffer_url"] == world.queue(f"embedded_{name}_buffer")
        bucket, _, key = outputs[name]["plan_uri"].removeprefix("s3://").partition("/")
        plan = json.loads(world.aws("s3").get_object(Bucket=bucket, Key=key)["Body"].read())
        assert plan["dataset"] == name


def a_changed_queue_is_updated_in_place(world: World) -> None:
    world.manifest("alert_events", lambda value: value["buffer"].update(visibility_timeout_seconds=180))
    seen = world.preview()
    buffer, dead = (f"Queue alert_events-{kind}" for kind in ("buffer", "dlq"))
    assert {key: seen.changes[key] for key in (buffer, dead)} == {buffer: "update", dead: "update"}
    assert seen.step(buffer).differs == {"visibilityTimeoutSeconds": "update"}
    rollout = {f"{kind} alert_events-sink" for kind in ("TaskDefinition", "Service")}  # by the changed plan
    others = {key for key in seen.changes if "alert_events-plan" not in key} - {buffer, dead} - rollout
    assert others == set(), "what depends on a queue that is only changed is left alone"
    before = world.queue("embedded_alert_events_buffer")
    assert world.up().changes == seen.changes
    found = world.aws("sqs").get_queue_attributes(
        QueueUrl=before, AttributeNames=["VisibilityTimeout", "Policy"]
    )
    assert found["Attributes"]["VisibilityTimeout"] == "180"
    assert "DenyWithoutTls" in found["Attributes"]["Policy"]


def a_new_column_shows_its_sql_and_a_new_producer_its_rights(world: World) -> None:
    def grow(value: dict[str, Any]) -> None:
        value["record"]["properties"]["region"] = {"type": "string", "maxLength": 40}
        value["producers"].append("scanner")

    world.manifest("alert_events", grow)
    seen = world.preview()
    table = seen.step("DatasetTable alert_events-table")
    assert table.op == "update"
    assert any('ADD COLUMN "region"' in sql for sql in table.inputs["statements"])
    assert table.inputs["files"] == ["0002_add_region.sql"]
    assert table.inputs["hazards"] == []
    assert seen.changes["Policy scanner-send-1"] == "update"
    [allowed] = statements(seen, "Policy scanner-send-1", "policy")
    assert "arn:aws:sqs:eu-central-1:123456789012:embedded_alert_events_buffer" in allowed["Resource"]
    assert not [key for key in seen.changes if "integrity" in key or "monitoring" in key]
    assert world.up().changes == seen.changes
    assert world.sql("SELECT region FROM datasets.alert_events") == []


def a_raised_rotation_makes_one_new_password(world: World) -> None:
    """The number is raised by the CLI, which writes the stack's file anew, without its comments and in its own order."""
    before = passwords(world)
    world.project.pulumi("config", "set", "--path", "sluice:database.password_rotation", "1")
    assert "encryptionsalt:" in (world.folder / "Pulumi.embedded.yaml").read_text(encoding="utf-8")
    found = world.up()
    for name in NAMES:
        table = found.step(f"DatasetTable {name}-table")
        assert (table.op, table.inputs["statements"]) == ("same", [])
    # The engine keeps the whole configuration with the dynamic provider, so that is told as changed too.
    logins = {f"SinkLogin {name}-login": "update" for name in NAMES}
    assert found.changes == {**logins, "pulumi-python default": "update"}
    after = passwords(world)
    assert all(before[name] != after[name] for name in NAMES)


def a_new_generation_stands_beside_the_old_one(world: World) -> None:
    world.sql("INSERT INTO datasets.monitoring_events_v1 SELECT * FROM datasets.monitoring_events_v1")
    world.manifest("monitoring_events", lambda value: value.update(version=2))
    seen = world.preview()
    table = seen.step("DatasetTable monitoring_events-table")
    assert table.op == "update"
    assert 'CREATE TABLE "datasets"."monitoring_events_v2"' in table.inputs["statements"][0]
    assert seen.changes["Grant monitoring_events-write"] == "replace"
    world.up()
    tables = world.sql(
        "SELECT version FROM sluice.generations WHERE dataset = 'monitoring_events' ORDER BY 1"
    )
    assert tables == [(1,), (2,)]
    writer = "embedded_monitoring_events_w"
    rights = world.sql(f"SELECT has_table_privilege('{writer}', 'datasets.monitoring_events_v2', 'INSERT')")
    assert rights == [(True,)]


def a_dataset_that_leaves_the_stack_leaves_its_rows(world: World) -> None:
    world.configure(datasets=["alert_events", "monitoring_events"])
    seen = world.preview()
    gone = {key for key, op in seen.changes.items() if op == "delete"}
    assert gone
    assert all(re.search("integrity_signals|scanner", key) for key in gone)
    world.up()
    assert (
        world.aws("sqs").list_queues(QueueNamePrefix="embedded_integrity_signals").get("QueueUrls", []) == []
    )
    assert world.sql("SELECT count(*) FROM datasets.integrity_signals") == [(0,)]
    assert world.sql("SELECT 1 FROM pg_roles WHERE rolname LIKE 'embedded_integrity_signals%'") == []


def statements(found: Outcome, key: str, name: str) -> Any:
    return json.loads(found.step(key).inputs[name])["Statement"]


def passwords(world: World) -> dict[str, str]:
    client, datasets = world.aws("secretsmanager"), world.outputs()["datasets"]
    return {
        name: json.loads(
            client.get_secret_value(SecretId=datasets[name]["login_secret_arn"])["SecretString"]
        )["password"]
        for name in NAMES
    }
