"""kill -9 of the engine during `up`, each time in another operation; after each, docs/recovery.md is followed.

Ten kills take four minutes: SLUICE_SLOW_TESTS=1 runs them. Three are in every run.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.engine.interruption import CONTROL_SCHEMA, TABLE, interruption
from tests.engine.project import Project
from tests.engine.world import world_of

REFUSING_A_SECOND = {
    "aws:s3/bucket:Bucket",
    "aws:iam/policy:Policy",
    "aws:iam/role:Role",
    "postgresql:index/role:Role",
}
THREE = ["aws:iam/role:Role", TABLE]  # and the second migration
TEN = [
    *sorted(REFUSING_A_SECOND),
    CONTROL_SCHEMA,
    TABLE,
    "aws:sqs/queue:Queue",
    "postgresql:index/grant:Grant",
    "aws:ecs/service:Service",
]


@pytest.mark.parametrize(
    "creates",
    [
        pytest.param(THREE, id="three"),
        pytest.param(
            TEN,
            id="ten",
            marks=pytest.mark.skipif(
                not os.environ.get("SLUICE_SLOW_TESTS"), reason="takes minutes: SLUICE_SLOW_TESTS=1 runs it"
            ),
        ),
    ],
)
def test_a_killed_up_is_recovered_by_the_documented_steps(
    project: Project, tmp_path: Path, creates: list[str]
) -> None:
    """Creates, then a migration of a table with a row and a buffer with a message."""
    world = world_of(project)
    world.configure(datasets=["alert_events"])
    with interruption(project, tmp_path / "held", creates) as interrupted:
        while interrupted.wanted:
            token = interrupted.kill()
            assert ("creating", token) in interrupted.recover()
        assert sorted(interrupted.met) == sorted(creates)
        assert REFUSING_A_SECOND & set(creates) <= set(interrupted.imported) <= REFUSING_A_SECOND
        project.pulumi("up", "--yes", "--skip-preview")

        buffer = world.queue("embedded_alert_events_buffer")
        world.aws("sqs").send_message(QueueUrl=buffer, MessageBody="{}")
        world.sql(
            "INSERT INTO datasets.alert_events_v1 (org_id, dedupe_key, severity, raised_at, ingested_at, sender)"
            " VALUES (gen_random_uuid(), 'k', 'info', now(), now(), 'me')"
        )
        world.manifest("alert_events", grow)
        interrupted.want(TABLE)
        assert interrupted.kill() == TABLE
        assert ("updating", TABLE) in interrupted.recover()

    project.pulumi("up", "--yes", "--skip-preview")
    project.pulumi("preview", "--expect-no-changes")
    project.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes")
    assert world.sql("SELECT dedupe_key, region FROM datasets.alert_events") == [("k", None)]
    [message] = world.aws("sqs").receive_message(QueueUrl=buffer)["Messages"]
    assert message["Body"] == "{}"


def grow(value: dict[str, Any]) -> None:
    value["record"]["properties"]["region"] = {"type": "string", "maxLength": 40}
