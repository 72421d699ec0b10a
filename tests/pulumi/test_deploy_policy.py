"""The policies that `sluice iam deploy-policy` prints, under enforcement: one deploys, the other only looks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner

from compiler.cli.main import main
from compiler.emit import iam
from compiler.emit.deploy_calls import unknown
from compiler.emit.deploy_policy import StatementTooLongError, deploy_policy, split
from compiler.emit.graph import Graph, Recorded
from compiler.stack import StackConfig, load_stack
from dev.emulator.client import assume
from dev.resources.context import Context
from dev.resources.declared import Declared
from dev.resources.handler import State
from dev.resources.registry import HANDLERS
from dev.resources.wire import exact
from tests.golden.variants import STACK, configuration
from tests.pulumi.recording import EMBEDDED

ROOT = Path(__file__).resolve().parents[2]
BOUNDARY = "arn:aws:iam::123456789012:policy/bounds"


@pytest.fixture(scope="module")
def stack() -> StackConfig:
    return load_stack(ROOT / "Pulumi.embedded.yaml", EMBEDDED).require()


def in_aws(graph: Graph) -> list[Recorded]:
    """The resources that handlers carry out in the emulator, in the order of the program; those only kept need no right."""
    found = (
        one
        for one in graph.resources
        if one.type.startswith("aws:") and not isinstance(HANDLERS[one.type], Declared)
    )
    return [replace(one, inputs={key: exact(value) for key, value in one.inputs.items()}) for one in found]


@pytest.fixture
def as_role(emulator, make_role):
    """A handler's context as a role with a policy's rights."""

    def context(document: Mapping[str, Any]) -> Context:
        role = make_role(*document["Statement"])
        return Context(emulator=replace(emulator, admin=assume(emulator, role.arn, "deploy")), postgres={})

    return context


@pytest.fixture
def bound_roles(admin, graph):
    """The producers' roles, which somebody else makes."""
    iam = admin.client("iam")
    names = {one.inputs["role"] for one in graph.of_type("aws:iam/rolePolicyAttachment:RolePolicyAttachment")}
    own = {one.inputs["name"] for one in graph.of_type("aws:iam/role:Role")}
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    for name in sorted(names - own):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)
    yield
    for name in sorted(names - own):
        iam.delete_role(RoleName=name)


@pytest.fixture
def no_plans_left(admin, graph):
    """The plan bucket, which a deployment keeps, is gone afterwards."""
    yield
    [bucket] = graph.of_type("aws:s3/bucket:Bucket")
    s3, name = admin.client("s3"), bucket.inputs["bucket"]
    for one in s3.list_objects_v2(Bucket=name)["Contents"]:
        s3.delete_object(Bucket=name, Key=one["Key"])
    s3.delete_bucket(Bucket=name)


def test_the_deploy_policy_is_enough_for_every_resource(graph, stack, as_role, bound_roles, no_plans_left):
    context = as_role(deploy_policy(graph, stack, read_only=False))
    made: list[tuple[Recorded, State]] = []
    for one in in_aws(graph):
        handler = HANDLERS[one.type]
        created = handler.create(context, one.name, one.inputs)
        state = State(created.id, dict(one.inputs), created.outputs)
        handler.update(context, state, one.inputs)
        made.append((one, state))
    for one, state in reversed(made):
        if one.type not in ("aws:s3/bucketObjectv2:BucketObjectv2", "aws:s3/bucket:Bucket"):  # plans are kept
            HANDLERS[one.type].delete(context, state)
    assert {one.type for one, _ in made} == {one.type for one in in_aws(graph)}


def test_the_read_only_policy_changes_nothing(graph, stack, as_role, bound_roles):
    context = as_role(deploy_policy(graph, stack, read_only=True))
    for one in in_aws(graph):
        with pytest.raises(ClientError) as refused:
            HANDLERS[one.type].create(context, one.name, one.inputs)
        assert "AccessDenied" in refused.value.response["Error"]["Code"], one.key


def test_neither_reaches_beyond_the_stack(graph, stack, as_role, unique, admin):
    admin.client("sqs").create_queue(QueueName=unique)
    context = as_role(deploy_policy(graph, stack, read_only=False))
    policy = {"name": unique, "path": "/", "policy": "{}"}
    attach = {"role": "embedded_operator_euc1", "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}
    for kind, inputs in (
        ("aws:sqs/queue:Queue", {"name": unique}),
        ("aws:iam/policy:Policy", policy),
        ("aws:iam/role:Role", {"name": unique, "path": "/sluice/embedded/", "assumeRolePolicy": "{}"}),
        ("aws:iam/rolePolicyAttachment:RolePolicyAttachment", attach),
        ("aws:s3/bucket:Bucket", {"bucket": unique}),
    ):
        with pytest.raises(ClientError) as refused:
            HANDLERS[kind].create(context, "x", inputs)
        assert "AccessDenied" in refused.value.response["Error"]["Code"], kind


def pairs(document: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Action -> the conditions under which it is allowed, by resource."""
    found: dict[str, dict[str, Any]] = {}
    for statement in document["Statement"]:
        for action in statement["Action"]:
            for resource in statement["Resource"]:
                found.setdefault(action, {})[resource] = statement.get("Condition")
    return found


def test_no_action_is_a_wildcard_and_roles_keep_their_boundary(graph, stack):
    bounded = pairs(deploy_policy(graph, replace(stack, permissions_boundary=BOUNDARY), read_only=False))
    assert not any("*" in action for action in bounded)
    wanted = {"StringEquals": {"iam:PermissionsBoundary": BOUNDARY}}
    assert all(condition == wanted for condition in bounded["iam:CreateRole"].values())
    assert "iam:DeleteRolePermissionsBoundary" not in bounded
    assert set(pairs(deploy_policy(graph, stack, read_only=True))) < set(bounded)
    assert all(
        action.partition(":")[2].startswith(("Describe", "Get", "List"))
        for action in pairs(deploy_policy(graph, stack, read_only=True))
    )


def test_by_prefix_it_stays_as_it_is_when_a_dataset_is_added(graph, stack):
    shared = graph.of_type("aws:cloudwatch/dashboard:Dashboard")
    some = replace(
        graph,
        resources=tuple(
            one for one in graph.resources if one in shared or "monitoring" not in str(one.inputs)
        ),
    )
    wide = {"read_only": False, "by_prefix": True}
    before, after = (deploy_policy(each, stack, **wide)["Statement"] for each in (some, graph))

    def without_conditions(statements):
        return [{**one, "Condition": None} for one in statements]

    assert without_conditions(before) == without_conditions(after)
    resources = {resource for one in after for resource in one["Resource"]}
    assert "arn:aws:sqs:eu-central-1:123456789012:embedded_*" in resources


def test_only_the_stacks_own_keys_are_touched(project):
    configured = configuration("customer_key")
    own = load_stack(ROOT / f"Pulumi.{STACK}.yaml", configured).require()
    graph = project.record(configured, STACK)
    assert unknown(graph) == []
    found = pairs(deploy_policy(graph, own, read_only=False))
    keys = "arn:aws:kms:eu-central-1:123456789012:key/*"
    tagged = {"StringEquals": {"aws:ResourceTag/sluice:stack": STACK}}
    assert all(
        conditions[keys] == tagged
        for action, conditions in found.items()
        if keys in conditions and action != "kms:TagResource"
    )
    assert found["kms:CreateKey"] == {"*": None}
    assert "kms:CreateKey" not in pairs(deploy_policy(graph, own, read_only=True))


def test_every_type_of_the_program_has_its_calls_listed(graph):
    assert unknown(graph) == []


def test_roles_are_handed_to_tasks_only_and_only_the_stacks_own(graph, stack):
    found = pairs(deploy_policy(graph, stack, read_only=False))["iam:PassRole"]
    own = {one.arn for one in graph.of_type("aws:iam/role:Role")}
    assert set(found) < own
    assert not any("operator" in arn for arn in found)
    wanted = {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
    assert all(condition == wanted for condition in found.values())
    assert "iam:PassRole" not in pairs(deploy_policy(graph, stack, read_only=True))


def test_the_command_prints_the_policy(project):
    found = CliRunner().invoke(main, ["iam", "deploy-policy", "embedded", "--read-only"])
    assert found.exit_code == 0, found.stderr
    assert "sqs:GetQueueAttributes" in pairs(json.loads(found.stdout))


def test_split_it_is_policies_within_the_limit_that_say_the_same(graph, stack):
    whole = deploy_policy(graph, stack, read_only=False)
    parts = split(whole)
    assert len(parts) > 1
    assert all(len(iam.text(part)) <= iam.MANAGED_POLICY_CHARACTERS for part in parts)
    together = [one for part in parts for one in part["Statement"]]
    assert sorted(together, key=json.dumps) == sorted(whole["Statement"], key=json.dumps)


def test_a_statement_is_not_torn_apart(graph, stack):
    whole = deploy_policy(graph, stack, read_only=False)
    [first, *_] = whole["Statement"]
    long = {**first, "Resource": [f"arn:aws:sqs:eu-central-1:123456789012:q{n}" for n in range(200)]}
    with pytest.raises(StatementTooLongError, match=r"over 200 resources, alone takes [0-9,]+ characters"):
        split({**whole, "Statement": [long]})


def test_the_command_names_the_way_to_what_fits(project):
    def run(*options: str):
        return CliRunner().invoke(main, ["iam", "deploy-policy", "embedded", *options])

    assert "--split prints it as several policies" in run().stderr
    assert "--by-prefix takes less room" in run().stderr
    wide = run("--by-prefix")
    assert "takes less room" not in wide.stderr
    parts = run("--by-prefix", "--split")
    assert parts.stderr == ""
    assert len(json.loads(parts.stdout)) == (2 if "--split" in wide.stderr else 1)
