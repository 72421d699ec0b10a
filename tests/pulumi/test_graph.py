"""What the program declares: every resource with its place, order and protection, and no secret anywhere."""

from __future__ import annotations

import base64
import json
import re
import shutil

import dill
import pulumi
import pytest

from compiler.emit.pulumi.login_provider import SinkLoginProvider
from compiler.emit.pulumi.table_provider import ControlSchemaProvider, DatasetTableProvider
from tests.golden.variants import STACK, configuration

DATASETS = ["alert_events", "integrity_signals", "monitoring_events"]
TABLE = "pulumi-python:dynamic/sluice:DatasetTable"
LOGIN = "pulumi-python:dynamic/sluice:SinkLogin"
CONTROL = "pulumi-python:dynamic/sluice:ControlSchema"
QUEUE = "aws:sqs/queue:Queue"
ROLE = "postgresql:index/role:Role"
GRANT = "postgresql:index/grant:Grant"

ALL_TYPES = {
    "aws:appautoscaling/policy:Policy",
    "aws:appautoscaling/target:Target",
    "aws:cloudwatch/dashboard:Dashboard",
    "aws:cloudwatch/logGroup:LogGroup",
    "aws:cloudwatch/metricAlarm:MetricAlarm",
    "aws:ec2/securityGroup:SecurityGroup",
    "aws:ecs/cluster:Cluster",
    "aws:ecs/service:Service",
    "aws:ecs/taskDefinition:TaskDefinition",
    "aws:iam/policy:Policy",
    "aws:iam/role:Role",
    "aws:iam/rolePolicy:RolePolicy",
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
    "aws:s3/bucket:Bucket",
    "aws:s3/bucketObjectv2:BucketObjectv2",
    "aws:s3/bucketPolicy:BucketPolicy",
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
    "aws:sns/topic:Topic",
    "aws:sns/topicPolicy:TopicPolicy",
    QUEUE,
    "aws:sqs/queuePolicy:QueuePolicy",
    "aws:sqs/redriveAllowPolicy:RedriveAllowPolicy",
    "aws:sqs/redrivePolicy:RedrivePolicy",
    GRANT,
    "postgresql:index/grantRole:GrantRole",
    ROLE,
    "pulumi:providers:aws",
    "pulumi:providers:postgresql",
    CONTROL,
    TABLE,
    LOGIN,
    "sluice:index:BufferedDataset",
    "sluice:index:Compute",
    "sluice:index:Foundation",
    "sluice:index:OperatorAccess",
    "sluice:index:ProducerAccess",
}


def test_the_program_declares_these_types_and_no_other(graph):
    assert {one.type for one in graph.resources} == ALL_TYPES


def test_every_resource_has_a_component_above_it(graph):
    above = {one.parent for one in graph.resources if not one.type.startswith(("sluice:", "pulumi:"))}
    components = {one.key for one in graph.resources if one.type.startswith("sluice:")}
    assert above <= components


def test_no_dead_letter_queue_is_missing_and_the_sizes_leave_room_for_the_wrapper(graph):
    sizes = {one.name: one.inputs["maxMessageSize"] for one in graph.of_type(QUEUE)}
    assert sizes == {
        **{f"{name}-buffer": 1_040_384 for name in DATASETS},
        **{f"{name}-dlq": 1_048_576 for name in DATASETS},
    }
    for queue in graph.of_type(QUEUE):
        assert queue.inputs["sqsManagedSseEnabled"] is True
        assert queue.inputs["receiveWaitTimeSeconds"] == 20
        if queue.name.endswith("-dlq"):
            assert queue.inputs["messageRetentionSeconds"] == 1_209_600


def test_only_the_buffer_redrives_into_its_dead_letter_queue(graph):
    allowed = {one.name: json.loads(one.inputs["redriveAllowPolicy"]) for one in graph.of_type("aws:sqs/redriveAllowPolicy:RedriveAllowPolicy")}  # fmt: skip
    buffer = "arn:aws:sqs:eu-central-1:123456789012:embedded_alert_events_buffer"
    assert allowed["alert_events-dlq"] == {"redrivePermission": "byQueue", "sourceQueueArns": [buffer]}
    assert allowed["alert_events-buffer"] == {"redrivePermission": "denyAll"}


def test_no_input_is_a_secret_and_no_provider_carries_anything(graph, monkeypatch):
    assert [one.key for one in graph.resources if one.secret_inputs] == []
    dynamic = [one for one in graph.resources if "__provider" in one.inputs]
    assert {one.type for one in dynamic} == {CONTROL, TABLE, LOGIN}
    found = set()
    for one in dynamic:
        text = one.inputs["__provider"]
        assert len(text) < 120, "pickled by reference, not by value"
        provider = dill.loads(base64.b64decode(text))
        assert vars(provider) == {}
        found.add(type(provider))
    assert found == {ControlSchemaProvider, DatasetTableProvider, SinkLoginProvider}


def test_a_connection_string_in_the_environment_reaches_nothing(project, monkeypatch):
    monkeypatch.setenv("SLUICE_DATABASE_ADMIN", "postgresql://me:hunter2@db/events")
    graph = project.record()
    everything = json.dumps([one.as_json() for one in graph.resources] + [graph.exports], default=str)
    providers = b"".join(base64.b64decode(one.inputs.get("__provider", "")) for one in graph.resources)
    assert "hunter2" not in everything
    assert b"hunter2" not in providers
    assert "password" not in everything.replace("password_rotation", "").replace(
        '"ignoreChanges": ["password"]', ""
    )


def statements(document):
    return json.loads(document)["Statement"]


OWN = r"arn:aws:s3:::[a-z0-9-]+/plans/[a-z_]+/\*|arn:aws:logs:[a-z0-9-]+:\d+:log-group:/sluice/embedded/\*:\*"


def test_identity_policies_name_no_wildcard_but_the_datasets_own_plans_and_logs(graph):
    documents = [one.inputs["policy"] for one in graph.of_type("aws:iam/policy:Policy")]
    documents += [one.inputs["policy"] for one in graph.of_type("aws:iam/rolePolicy:RolePolicy")]
    for statement in (one for document in documents for one in statements(document)):
        assert statement["Effect"] == "Allow"
        assert not any("*" in action for action in statement["Action"])
        for resource in statement["Resource"]:
            assert "*" not in resource or re.fullmatch(OWN, resource)


def test_every_queue_topic_and_bucket_refuses_plain_connections(graph):
    kinds = (
        "aws:sqs/queuePolicy:QueuePolicy",
        "aws:sns/topicPolicy:TopicPolicy",
        "aws:s3/bucketPolicy:BucketPolicy",
    )
    policies = [one for kind in kinds for one in graph.of_type(kind)]
    assert len(policies) == 2 * 3 + 3 + 1
    for policy in policies:
        [statement] = statements(policy.inputs["policy"])
        assert (statement["Effect"], statement["Sid"]) == ("Deny", "DenyWithoutTls")


def test_a_dataset_is_made_in_the_contracts_order(graph):
    name = "alert_events"
    order = [one.key for one in graph.resources]
    edges = [
        (f"{CONTROL} control-schema", f"{ROLE} {name}-writer"),
        (f"{ROLE} {name}-writer", f"{TABLE} {name}-table"),
        (f"{TABLE} {name}-table", f"{GRANT} {name}-write"),
        (f"{GRANT} {name}-write", f"{GRANT} {name}-read"),
        (f"{GRANT} {name}-read", f"postgresql:index/grantRole:GrantRole {name}-reader-analytics"),
        (f"postgresql:index/grantRole:GrantRole {name}-reader-analytics", f"{LOGIN} {name}-login"),
        (f"{ROLE} {name}-sink", f"{LOGIN} {name}-login"),
        (f"{LOGIN} {name}-login", f"aws:iam/rolePolicy:RolePolicy {name}-sink"),
    ]
    for earlier, later in edges:
        kind, _, resource = later.partition(" ")
        assert order.index(earlier) < order.index(later)
        assert earlier in graph.one(kind, resource).depends_on


def test_memberships_are_declared_on_the_role(graph):
    roles = {one.inputs["name"]: one for one in graph.of_type(ROLE)}
    assert roles["embedded_alert_events_w"].inputs["roles"] == ["sluice_sink"]
    assert roles["embedded_alert_events_sink"].inputs["roles"] == ["embedded_alert_events_w"]
    assert roles["embedded_alert_events_sink"].inputs["login"] is True
    assert roles["embedded_alert_events_sink"].ignore_changes == ("password",)
    assert roles["embedded_alert_events_r"].inputs["login"] is False


def test_with_iam_authentication_there_is_no_secret_and_rds_iam_stands_on_the_role(project):
    graph = project.record(configuration("iam"), STACK)
    assert graph.of_type(LOGIN) == []
    login = graph.one(ROLE, "alert_events-sink")
    assert login.inputs["roles"] == ["embedded_alert_events_w", "rds_iam"]
    assert (login.inputs["login"], login.ignore_changes) == (True, ())
    policy = graph.one("aws:iam/rolePolicy:RolePolicy", "alert_events-sink").inputs["policy"]
    assert "secretsmanager" not in policy
    assert "dbuser:db-ABCDEFGHIJKL01234/embedded_alert_events_sink" in policy
    exported = graph.exports["datasets"]["alert_events"]
    assert "login_secret_arn" not in exported
    assert exported["database_user"] == "embedded_alert_events_sink"


def test_a_key_of_the_stacks_own_encrypts_its_queues(project):
    graph = project.record(configuration("customer_key"), STACK)
    [key] = graph.of_type("aws:kms/key:Key")
    assert (key.inputs["enableKeyRotation"], key.protect, key.retain) == (True, True, True)
    for queue in graph.of_type(QUEUE):
        assert queue.inputs["kmsMasterKeyId"] == key.arn
        assert "sqsManagedSseEnabled" not in queue.inputs
        assert key.key in queue.depends_on
    [handed] = graph.exports["producers"]["monitor"]["policies"]
    assert {"Action": ["kms:Decrypt", "kms:GenerateDataKey"], "Resource": [key.arn]}.items() <= handed[
        "Statement"
    ][1].items()
    for kind, name in (("policy:Policy", "operator-1"), ("rolePolicy:RolePolicy", "alert_events-sink")):
        assert key.arn in graph.one(f"aws:iam/{kind}", name).inputs["policy"]


def test_only_updating_modes_may_update(graph):
    rights = {one.name: one.inputs["privileges"] for one in graph.of_type(GRANT)}
    assert rights["alert_events-write"] == ["INSERT", "SELECT"]
    assert rights["integrity_signals-write"] == ["INSERT", "SELECT", "UPDATE"]
    assert rights["alert_events-read"] == ["SELECT"]


def test_the_plan_object_is_named_by_its_content_and_outlives_its_resource(graph):
    for name in DATASETS:
        plan = graph.one("aws:s3/bucketObjectv2:BucketObjectv2", f"{name}-plan")
        exported = graph.exports["datasets"][name]
        assert plan.inputs["key"] == f"plans/{name}/{exported['plan_sha256'].removeprefix('sha256:')}.json"
        assert exported["plan_uri"] == f"s3://{plan.inputs['bucket']}/{plan.inputs['key']}"
        assert plan.retain is True
        assert "123456789012" not in plan.inputs["content"], "nothing of the deployment"


def test_what_holds_data_is_protected_unless_the_stack_says_no(project, graph):
    kept = {"aws:s3/bucket:Bucket", QUEUE, TABLE}
    assert not any(one.protect for one in graph.resources)
    path = project.folder / "Pulumi.embedded.yaml"
    path.write_text(path.read_text().replace("sluice:protect: false", "sluice:protect: true"))
    protected = project.record()
    assert {one.type for one in protected.resources if one.protect} == kept
    assert all(one.retain for one in protected.resources if one.protect)


def test_a_sealed_dataset_takes_nothing_more_and_may_be_deleted_while_its_sink_drains(project, graph):
    path = project.folder / "Pulumi.embedded.yaml"
    path.write_text(path.read_text().replace("sluice:protect: false", "sluice:protect: true"))
    tombstone = {"who": "me", "why": "Nobody reads it.", "date": "2026-03-14", "data": "drop"}
    (project.folder / "datasets/alert_events/TOMBSTONE.json").write_text(json.dumps(tombstone))
    sealed = project.record()
    assert "alert_events" in sealed.exports["datasets"]
    policies = sealed.of_type("aws:iam/policy:Policy")
    senders = [one.inputs["policy"] for one in policies if not one.name.startswith("operator")]
    assert senders
    assert not any("alert-events" in policy or "alert_events" in policy for policy in senders)
    kept = [one for one in sealed.resources if one.type in (QUEUE, TABLE)]
    ours = [one for one in kept if one.name.startswith("alert_events")]
    assert len(ours) == 4, "two queues, and the table for each phase"
    assert not any(one.protect or one.retain for one in ours)
    assert all(one.protect for one in kept if one not in ours)
    assert sealed.one(TABLE, "alert_events-table").inputs["drops"] is True
    assert sealed.one("aws:iam/role:Role", "alert_events-sink"), "it drains the buffer"


def test_a_stack_deploys_what_is_assigned_to_it(project):
    path = project.folder / "Pulumi.embedded.yaml"
    path.write_text(path.read_text().replace('  sluice:datasets: ["*"]\n', "  sluice:assignment: risk\n"))
    (project.folder / "stacks").mkdir()
    for name, datasets in {
        "risk": ["alert_events"],
        "rest": ["integrity_signals", "monitoring_events"],
    }.items():
        text = json.dumps({"owner": "risk-platform", "datasets": datasets})
        (project.folder / f"stacks/{name}.json").write_text(text)
    assert sorted(project.record().exports["datasets"]) == ["alert_events"]


def test_a_producer_has_one_policy_on_its_role_over_all_its_datasets(project):
    for name in DATASETS:
        project.manifest(name, lambda manifest: manifest.update(producers=["jobs"]))
    graph = project.record()
    [policy] = [one for one in graph.of_type("aws:iam/policy:Policy") if one.name.startswith("jobs")]
    attachment = graph.one("aws:iam/rolePolicyAttachment:RolePolicyAttachment", policy.name)
    [statement] = statements(policy.inputs["policy"])
    assert statement["Action"] == ["sqs:SendMessage"]
    assert len(statement["Resource"]) == 3
    assert attachment.inputs["role"] == "jobs"
    assert attachment.depends_on == (policy.key,)


OTHER = "arn:aws:iam::210987654321:role/jobs/"


def test_a_producer_of_another_account_is_admitted_by_the_queue_and_handed_its_policy(project):
    path = project.folder / "Pulumi.embedded.yaml"
    text = path.read_text().replace('    "*": {', f'    monitor: {{ aws: "{OTHER}monitor" }}\n    "*": {{')
    path.write_text(text)
    graph = project.record()
    buffer = "arn:aws:sqs:eu-central-1:123456789012:embedded_alert_events_buffer"
    admitted, denied = statements(
        graph.one("aws:sqs/queuePolicy:QueuePolicy", "alert_events-buffer").inputs["policy"]
    )
    assert admitted["Principal"] == {"AWS": "arn:aws:iam::210987654321:root"}
    assert admitted["Condition"] == {"ArnEquals": {"aws:PrincipalArn": [f"{OTHER}monitor"]}}
    assert (admitted["Action"], admitted["Resource"]) == (["sqs:SendMessage"], [buffer])
    assert denied["Sid"] == "DenyWithoutTls"
    assert not [one for one in graph.of_type("aws:iam/policy:Policy") if one.name.startswith("monitor")]
    handed = graph.exports["producers"]["monitor"]
    assert handed["role_arn"] == f"{OTHER}monitor"
    [document] = handed["policies"]
    [statement] = document["Statement"]
    assert (statement["Action"], buffer in statement["Resource"]) == (["sqs:SendMessage"], True)


def test_operators_have_roles_of_the_stacks_own(project, graph):
    role = graph.one("aws:iam/role:Role", "operator")
    assert (role.inputs["name"], role.inputs["path"]) == ("embedded_operator_euc1", "/sluice/embedded/")
    [policy] = [one for one in graph.of_type("aws:iam/policy:Policy") if one.name.startswith("operator")]
    [statement] = statements(policy.inputs["policy"])
    assert len(statement["Resource"]) == 2 * len(DATASETS)
    attached = graph.one("aws:iam/rolePolicyAttachment:RolePolicyAttachment", policy.name)
    assert attached.inputs["role"] == role.inputs["name"]
    assert graph.one(ROLE, "operator").inputs["roles"] == ["sluice_operator"]
    member = graph.one("postgresql:index/grantRole:GrantRole", "operator-member")
    assert (member.inputs["role"], member.inputs["grantRole"]) == ("operator", "embedded_operator")
    exported = graph.exports["operator"]
    assert exported["policy"]["Statement"][0]["Resource"] == [exported["role_arn"]]

    path = project.folder / "Pulumi.embedded.yaml"
    lines = [line for line in path.read_text().splitlines() if "sluice:operator" not in line]
    path.write_text("\n".join(lines))
    without = project.record()
    assert "operator" not in without.exports
    assert not [one for one in without.resources if one.name.startswith("operator")]


def test_a_dataset_without_events_has_no_topic(project):
    project.manifest("alert_events", lambda manifest: manifest.update(events={"publish": False}))
    graph = project.record()
    assert [one.name for one in graph.of_type("aws:sns/topic:Topic")] == [
        f"{name}-commits" for name in DATASETS[1:]
    ]
    assert "topic_arn" not in graph.exports["datasets"]["alert_events"], "outputs know no null"
    policy = graph.one("aws:iam/rolePolicy:RolePolicy", "alert_events-sink").inputs["policy"]
    assert "sns:" not in policy


def test_the_stack_chooses_its_datasets(project):
    path = project.folder / "Pulumi.embedded.yaml"
    path.write_text(path.read_text().replace('sluice:datasets: ["*"]', 'sluice:datasets: ["*_events"]'))
    assert sorted(project.record().exports["datasets"]) == ["alert_events", "monitoring_events"]


def test_roles_are_bounded_where_the_stack_says_so(project):
    boundary = "arn:aws:iam::123456789012:policy/bounds"
    path = project.folder / "Pulumi.embedded.yaml"
    path.write_text(path.read_text() + f"  sluice:permissions_boundary: {boundary}\n")
    roles = project.record().of_type("aws:iam/role:Role")
    assert {one.inputs["permissionsBoundary"] for one in roles} == {boundary}


def test_the_longest_names_of_a_dataset_reach_no_limit(project):
    long = "d" * 48
    (project.folder / "datasets" / "alert_events").rename(project.folder / "datasets" / long)
    for leftover in ("migrations", "history.json"):
        path = project.folder / "datasets" / long / leftover
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    project.manifest(long, lambda manifest: manifest.update(name=long))
    path = project.folder / "Pulumi.embedded.yaml"
    path.write_text(path.read_text().replace("sluice:prefix: embedded", "sluice:prefix: " + "p" * 16))
    project.plan()
    graph = project.record()
    assert len(graph.one(QUEUE, f"{long}-buffer").inputs["name"]) <= 80
    assert len(graph.one(ROLE, f"{long}-sink").inputs["name"]) <= 63
    assert len(graph.one("aws:iam/role:Role", f"{long}-sink").inputs["name"]) <= 64


# --- what never reaches Pulumi --------------------------------------------------------------------------------------


def refused(project) -> str:
    with pytest.raises(pulumi.RunError) as caught:
        project.record()
    return str(caught.value)


def test_a_dataset_without_a_chain_stops_the_program_and_names_the_command(project):
    shutil.rmtree(project.folder / "datasets" / "alert_events" / "migrations")
    assert "no migration for alert_events v1 yet" in refused(project)
    assert "Run `sluice plan alert_events`" in refused(project)


def test_a_wrong_manifest_and_a_wrong_stack_are_told_together(project):
    project.manifest("alert_events", lambda manifest: manifest.update(versoin=1))
    path = project.folder / "Pulumi.embedded.yaml"
    path.write_text(path.read_text().replace("sluice:region: eu-central-1", "sluice:region: Frankfurt"))
    text = refused(project)
    assert "versoin" in text
    assert "Frankfurt" in text


def test_an_edited_migration_stops_the_program(project):
    [path] = (project.folder / "datasets" / "alert_events" / "migrations" / "v1").glob("*.sql")
    path.write_text(path.read_text().replace("CREATE TABLE", "CREATE  TABLE", 1))
    assert "0001_create.sql" in refused(project)
