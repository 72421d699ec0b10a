"""What this machine cannot run is checked as AWS would: by the SDK's types, AWS' own words, and ECS' own container."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dev.resources.context import Context
from dev.resources.handler import Change, ResourceError, State
from dev.resources.registry import HANDLERS
from dev.state import DevError, Paths
from dev.tasks import Tasks

ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
TASK = "aws:ecs/taskDefinition:TaskDefinition"
SERVICE = "aws:ecs/service:Service"
GROUP = "aws:cloudwatch/logGroup:LogGroup"
GOOD: dict[str, dict[str, Any]] = {
    ALARM: {
        "name": "a",
        "comparisonOperator": "GreaterThanThreshold",
        "evaluationPeriods": 1,
        "threshold": 0,
        "treatMissingData": "notBreaching",
        "metricQueries": [
            {
                "id": "age",
                "returnData": True,
                "metric": {
                    "namespace": "AWS/SQS",
                    "metricName": "ApproximateAgeOfOldestMessage",
                    "stat": "Maximum",
                    "period": 60,
                    "dimensions": {"QueueName": "q"},
                },
            }
        ],
    },
    TASK: {
        "family": "f",
        "cpu": "256",
        "taskRoleArn": "arn:aws:iam::123456789012:role/sink",
        "containerDefinitions": json.dumps([{"name": "sink", "image": "i", "stopTimeout": 60}]),
    },
    SERVICE: {
        "name": "s",
        "cluster": "arn:aws:ecs:eu-central-1:123456789012:cluster/c",
        "launchType": "FARGATE",
        "taskDefinition": "arn:aws:ecs:eu-central-1:123456789012:task-definition/f:1",
        "tags": {"sluice:dataset": "d", "sluice:plan": "sha256:ab"},
    },
    GROUP: {"name": "/sluice/dev/d", "retentionInDays": 30},
}


def refused(token: str, **changes: Any) -> str:
    """The complaint about a good resource with these properties changed."""
    given = {key: value for key, value in {**GOOD[token], **changes}.items() if value is not ...}
    with pytest.raises(ResourceError) as caught:
        HANDLERS[token].check(None, None, given)  # type: ignore[arg-type]  # it asks nobody
    return str(caught.value)


@pytest.mark.parametrize("token", GOOD)
def test_what_is_right_passes(token):
    assert HANDLERS[token].check(None, None, GOOD[token]) == GOOD[token]


@pytest.mark.parametrize(
    ("token", "changes", "expected"),
    [
        (ALARM, {"treshold": 1}, "`treshold` is no property of MetricAlarmArgs"),
        (ALARM, {"threshold": "0"}, '`threshold` is "0", which is no float'),
        (ALARM, {"evaluationPeriods": True}, "`evaluationPeriods` is true, which is no int"),
        (TASK, {"family": ...}, "`family` is missing"),
        (ALARM, {"evaluationPeriods": 0}, "`evaluationPeriods` is 0, and AWS takes at least 1"),
        (ALARM, {"comparisonOperator": "Above"}, "AWS takes GreaterThanOrEqualToThreshold, GreaterThanThreshold"),
        (ALARM, {"alarmActions": "arn"}, "`alarmActions` is no list"),
        (ALARM, {"alarmActions": ["arn"] * 6}, "`alarmActions` has 6 of at most 5"),
        (ALARM, {"metricQueries": [{"id": "a", "metrik": {}}]}, "`metricQueries[0].metrik` is no property of"),
        (ALARM, {"metricQueries": [{"expression": "a"}]}, "`metricQueries[0].id` is missing"),
        (TASK, {"containerDefinitions": "["}, "`containerDefinitions` is not JSON"),
        (TASK, {"containerDefinitions": '[{"name": "sink", "stopTimeuot": 1}]'}, "stopTimeuot"),
        (TASK, {"containerDefinitions": '[{"name": "sink", "stopTimeout": "60"}]'}, "stopTimeout"),
        (TASK, {"networkMode": "vpc"}, "AWS takes bridge, host, awsvpc, none"),
        (TASK, {"cpu": 256}, "`cpu` is 256, which is no str"),
        (SERVICE, {"launchType": "LAMBDA"}, "AWS takes EC2, FARGATE"),
        (SERVICE, {"deploymentCircuitBreaker": {"enable": True}}, "`deploymentCircuitBreaker.rollback` is missing"),
        (SERVICE, {"tags": {}}, "`tags` lacks sluice:dataset and sluice:plan"),
        (GROUP, {"name": "a name with blanks"}, "does not match"),
    ],
)  # fmt: skip
def test_what_aws_would_refuse_is_refused_by_its_name(token, changes, expected):
    assert expected in refused(token, **changes)


def test_every_fault_is_told_at_once():
    text = refused(ALARM, treshold=1, comparisonOperator="Above", threshold="0")
    assert text.count(";") == 2


def test_a_container_that_changes_is_a_new_revision_and_the_old_one_stays(context: Context, tmp_path: Path):
    here, handler = replace(context, paths=Paths(tmp_path).ensure()), HANDLERS[TASK]
    inputs = GOOD[TASK]
    first = handler.create(here, "task", inputs)
    container = {"name": "sink", "image": "i", "environment": [{"name": "A", "value": "b"}]}
    changed = {**inputs, "containerDefinitions": json.dumps([container])}
    assert handler.diff(here, State(first.id, inputs, first.outputs), changed) is Change.REPLACE
    second = handler.create(here, "task", changed)
    assert first.outputs["arn"] != second.outputs["arn"]
    assert handler.create(here, "task", changed).outputs["arn"] == second.outputs["arn"]
    tasks = Tasks(Paths(tmp_path))
    assert tasks.get(second.outputs["arn"]).environment == {"A": "b"}
    assert tasks.get(first.outputs["arn"]).environment == {}
    with pytest.raises(DevError, match="no task definition"):
        tasks.get(first.outputs["arn"] + "7")


def test_where_no_environment_is_a_service_is_kept_and_nothing_runs(context: Context):
    handler = HANDLERS[SERVICE]
    made = handler.create(context, "service", GOOD[SERVICE])
    state = State(made.id, GOOD[SERVICE], made.outputs)
    assert made.id == "arn:aws:ecs:eu-central-1:123456789012:service/c/s"
    assert handler.diff(context, state, GOOD[SERVICE]) is Change.NONE
    handler.delete(context, state)
