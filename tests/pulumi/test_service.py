"""The sinks' service: what its container may do and is told, how it is replaced, and who starts it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from compiler.emit import container
from compiler.emit.arns import Arns
from compiler.emit.container import SinkAddresses
from compiler.emit.execution import execution_policy
from compiler.stack import load_stack
from sink_runtime import settings
from tests.pulumi.test_stack import GOOD, changed, write

SERVICE = "aws:ecs/service:Service"
TASK = "aws:ecs/taskDefinition:TaskDefinition"
TABLE = "pulumi-python:dynamic/sluice:DatasetTable"
ADDRESSES = SinkAddresses(
    "s3://plans/plans/alert_events/ab.json",
    "https://sqs.eu-central-1.amazonaws.com/123456789012/dev_alert_events_buffer",
    "https://sqs.eu-central-1.amazonaws.com/123456789012/dev_alert_events_dlq",
    "arn:aws:sns:eu-central-1:123456789012:dev_alert_events_commits",
    "dev_alert_events_sink",
    "arn:aws:secretsmanager:eu-central-1:123456789012:secret:x",
    ["AROASINK", "AROAOPERATOR"],
)


def environment_of(task) -> dict[str, str]:
    [only] = json.loads(task.inputs["containerDefinitions"])
    return {one["name"]: one["value"] for one in only["environment"]}


def test_the_sink_understands_all_that_it_is_told(tmp_path, graph):
    known = {one.name for one in settings.VARIABLES}
    for task in graph.of_type(TASK):
        assert environment_of(task).keys() <= known
    stack = load_stack(write(tmp_path, GOOD)).require()
    told = settings.read(container.sink_environment(stack, ADDRESSES))
    assert (told.database_host, told.database_port, told.database_sslmode) == (
        "db.internal",
        5432,
        "verify-full",
    )
    assert told.trusted_senders == ("AROASINK", "AROAOPERATOR")
    assert not told.has_pooler


def test_a_sink_that_logs_in_by_tokens_is_told_its_user_and_no_secret(tmp_path):
    values = changed(
        "database", to={**GOOD["database"], "auth": "iam", "resource_id": "db-ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
    )
    stack = load_stack(write(tmp_path, values)).require()
    told = settings.read(container.sink_environment(stack, replace(ADDRESSES, secret_arn=None)))
    assert (told.database_user, told.database_secret_arn) == ("dev_alert_events_sink", "")


def test_a_sink_behind_a_pooler_is_told_its_address(tmp_path):
    values = changed("database", to={**GOOD["database"], "pooler": "transaction", "pooler_host": "bouncer"})
    stack = load_stack(write(tmp_path, values)).require()
    told = settings.read(container.sink_environment(stack, ADDRESSES))
    assert (told.database_host, told.database_port, told.has_pooler) == ("bouncer", 6432, True)


def test_the_container_may_do_nothing_but_work(graph):
    for task in graph.of_type(TASK):
        [only] = json.loads(task.inputs["containerDefinitions"])
        assert only["readonlyRootFilesystem"] is True
        assert only["user"] == "65532:65532"
        assert only["linuxParameters"] == {"capabilities": {"drop": ["ALL"]}}
        assert "secrets" not in only
        assert only["healthCheck"]["command"][-1] == "sink_runtime.healthcheck"
        drain = int(environment_of(task)["SLUICE_DRAIN_SECONDS"])
        assert drain < only["stopTimeout"] <= 120


def test_the_image_is_the_stacks_by_digest(tmp_path):
    stack = load_stack(write(tmp_path, GOOD)).require()
    [only] = container.container_definitions(stack.image, {}, "/logs", "eu-central-1")
    assert only["image"] == GOOD["image"]
    assert "@sha256:" in only["image"]


def test_a_rollout_that_fails_is_taken_back_and_scaling_is_left_alone(graph):
    for service in graph.of_type(SERVICE):
        assert service.inputs["deploymentCircuitBreaker"] == {"enable": True, "rollback": True}
        assert service.inputs["alarms"]["alarmNames"] == [f"embedded_{service.inputs['tags']['sluice:dataset']}_not_committing"]  # fmt: skip
        assert service.inputs["enableExecuteCommand"] is False
        assert service.inputs["deploymentMinimumHealthyPercent"] == 100
        assert service.ignore_changes == ("desiredCount",)
        exported = graph.exports["datasets"][service.inputs["tags"]["sluice:dataset"]]
        assert service.inputs["tags"]["sluice:plan"] == exported["plan_sha256"]


def test_what_old_sinks_need_goes_after_the_service(graph):
    contract = graph.one(TABLE, "alert_events-table-contract")
    assert f"{SERVICE} alert_events-sink" in contract.depends_on
    assert contract.inputs["phase"] == "contract"
    assert graph.one(TABLE, "alert_events-table").inputs["phase"] == "expand"
    service = graph.one(SERVICE, "alert_events-sink")
    for earlier in ("aws:iam/rolePolicy:RolePolicy alert_events-sink", "aws:sqs/redrivePolicy:RedrivePolicy alert_events-buffer"):  # fmt: skip
        assert earlier in service.depends_on, "a sink starts with all that it needs"


def test_sinks_are_reached_by_nobody_and_reach_aws_and_the_database_only(graph):
    [group] = graph.of_type("aws:ec2/securityGroup:SecurityGroup")
    assert "ingress" not in group.inputs
    ports = {one["fromPort"]: one["cidrBlocks"] for one in group.inputs["egress"]}
    assert ports == {443: ["0.0.0.0/0"], 5432: ["127.0.0.1/32"]}


def test_the_role_that_starts_tasks_is_not_the_sinks(graph):
    tasks = graph.of_type(TASK)
    assert len({one.inputs["taskRoleArn"] for one in tasks}) == len(tasks)
    [execution] = {one.inputs["executionRoleArn"] for one in tasks}
    assert execution not in {one.inputs["taskRoleArn"] for one in tasks}


@pytest.mark.parametrize(
    ("image", "repository"),
    [
        ("123456789012.dkr.ecr.eu-central-1.amazonaws.com/team/sink@sha256:ab", "arn:aws:ecr:eu-central-1:123456789012:repository/team/sink"),
        ("210987654321.dkr.ecr.us-east-1.amazonaws.com/sink:1@sha256:ab", "arn:aws:ecr:us-east-1:210987654321:repository/sink"),
        ("ghcr.io/team/sink@sha256:ab", None),
        (None, None),
    ],
)  # fmt: skip
def test_the_execution_role_pulls_from_one_repository(image, repository):
    statements = execution_policy(Arns("eu-central-1", "123456789012"), "/sluice/dev/*", image)["Statement"]
    by_sid = {one["Sid"]: one for one in statements}
    assert by_sid["WriteLogs"]["Resource"] == [
        "arn:aws:logs:eu-central-1:123456789012:log-group:/sluice/dev/*:*"
    ]
    assert ("PullImage" in by_sid) is (repository is not None)
    if repository:
        assert by_sid["PullImage"]["Resource"] == [repository]
        assert by_sid["LogInToRegistry"]["Action"] == ["ecr:GetAuthorizationToken"]


def test_a_given_cluster_is_used_and_none_is_made(project):
    path = project.folder / "Pulumi.embedded.yaml"
    arn = "arn:aws:ecs:eu-central-1:123456789012:cluster/shared"
    path.write_text(path.read_text() + f"  sluice:cluster: {arn}\n")
    graph = project.record()
    assert graph.of_type("aws:ecs/cluster:Cluster") == []
    assert {one.inputs["cluster"] for one in graph.of_type(SERVICE)} == {arn}
    targets = graph.of_type("aws:appautoscaling/target:Target")
    assert targets[0].inputs["resourceId"] == "service/shared/embedded_alert_events_sink"


def test_an_override_reaches_the_plan_the_service_and_the_alarms(project):
    before = project.record()
    path = project.folder / "Pulumi.embedded.yaml"
    path.write_text(
        path.read_text()
        + "  sluice:overrides:\n    alert_events: {sink: {max_tasks: 7, batch_records: 10}, buffer: {retention_days: 5}}\n"
    )
    graph = project.record()
    plans = [one.exports["datasets"]["alert_events"]["plan_sha256"] for one in (before, graph)]
    assert plans[0] != plans[1]
    assert graph.one("aws:appautoscaling/target:Target", "alert_events-sink").inputs["maxCapacity"] == 7
    assert (
        graph.one("aws:sqs/queue:Queue", "alert_events-buffer").inputs["messageRetentionSeconds"] == 432_000
    )
    ages = graph.one("aws:cloudwatch/metricAlarm:MetricAlarm", "alert_events-dead-letters-age")
    assert ages.inputs["threshold"] == 7 * 86_400
