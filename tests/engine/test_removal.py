"""Removal in two reviewed stages, on a stack that is protected."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest

from tests.engine.world import World

LEAVING = "alert_events"
BUFFER, TABLE = f"Queue {LEAVING}-buffer", f"DatasetTable {LEAVING}-table"


@pytest.fixture
def sealed(world: World) -> World:
    """Two datasets, one of which has a row, and is sealed in git but not yet in the stack."""
    shutil.rmtree(world.folder / "datasets" / "integrity_signals")
    world.configure(protect=True)
    world.up()
    world.sql(
        "INSERT INTO datasets.alert_events_v1 (org_id, dedupe_key, severity, raised_at, ingested_at, sender)"
        " VALUES (gen_random_uuid(), 'k', 'info', now(), now(), 'me')"
    )
    tombstone = {"who": "risk-platform", "why": "Replaced.", "date": "2026-03-14", "data": "drop"}
    (world.folder / "datasets" / LEAVING / "TOMBSTONE.json").write_text(
        json.dumps(tombstone), encoding="utf-8"
    )
    return world


def test_a_sealed_dataset_takes_no_more_and_its_folder_may_then_go(sealed: World) -> None:
    world = sealed
    assert set(world.preview().changes.values()) <= {"update", "delete"}
    stage = world.up()
    assert allowed_queues(world) == {"monitoring"}, "nobody may send to the sealed dataset"
    assert BUFFER not in {key for key, op in stage.changes.items() if op == "delete"}
    assert world.sql("SELECT dedupe_key FROM datasets.alert_events") == [("k",)]
    world.settles()

    shutil.rmtree(world.folder / "datasets" / LEAVING)
    seen = world.preview()
    gone = {key for key, op in seen.changes.items() if op == "delete"}
    assert {BUFFER, TABLE, f"Service {LEAVING}-sink"} <= gone
    assert not [key for key in gone if "monitoring" in key]
    world.up()
    assert world.aws("sqs").list_queues(QueueNamePrefix=f"embedded_{LEAVING}").get("QueueUrls", []) == []
    assert world.sql("SELECT relname FROM pg_class WHERE relname LIKE 'alert_events%'") == []
    assert world.sql("SELECT rolname FROM pg_roles WHERE rolname LIKE 'embedded_alert_events%'") == []
    assert world.sql("SELECT count(*) FROM datasets.monitoring_events") == [(0,)]
    world.settles()


def allowed_queues(world: World) -> set[str]:
    """The first words of the queues to which the producer of both datasets may send."""
    iam = world.aws("iam")
    found: set[str] = set()
    for attached in iam.list_attached_role_policies(RoleName="monitor")["AttachedPolicies"]:
        arn = attached["PolicyArn"]
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        document: Any = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
        for statement in document["Statement"]:
            if "sqs:SendMessage" in statement["Action"]:
                found |= {one.rpartition(":")[2].split("_")[1] for one in statement["Resource"]}
    return found
