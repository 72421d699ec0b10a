"""The invariants hold of the repository's stack, and each sees the resource that breaks it."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from compiler.emit import invariants
from compiler.emit.graph import Graph, Recorded
from compiler.emit.invariants import Compiled
from compiler.pipeline import compile_datasets
from compiler.stack import load_stack
from tests.golden.variants import STACK, VARIANTS, configuration
from tests.pulumi.recording import EMBEDDED

ROOT = Path(__file__).resolve().parents[2]
QUEUE = "aws:sqs/queue:Queue"
POLICY = "aws:iam/policy:Policy"
SINK_POLICY = "aws:iam/rolePolicy:RolePolicy alert_events-sink"
ROLE = "postgresql:index/role:Role"


@pytest.fixture(scope="module")
def compiled(graph: Graph) -> Compiled:
    stack = load_stack(ROOT / "Pulumi.embedded.yaml", EMBEDDED).require()
    return Compiled(graph, stack, tuple(one.dataset for one in compile_datasets(ROOT).require()), ROOT)


def test_the_repositorys_stack_breaks_none(compiled):
    assert [str(problem) for problem in invariants.problems(compiled)] == []


@pytest.mark.parametrize("name", VARIANTS)
def test_no_variant_of_the_stack_breaks_any(project, name):
    configured = configuration(name)
    stack = load_stack(ROOT / f"Pulumi.{STACK}.yaml", configured).require()
    datasets = tuple(
        one.dataset for one in compile_datasets(ROOT).require() if stack.selects(one.dataset.name)
    )
    graph = project.record(configured, STACK)
    found = invariants.problems(Compiled(graph, stack, datasets, project.folder))
    assert [str(problem) for problem in found] == []


def changed(
    compiled: Compiled, key: str, change: Callable[[dict[str, Any]], object], **options: Any
) -> Compiled:
    """The stack with one resource's inputs (documents as JSON) or options changed."""

    def one(resource: Recorded) -> Recorded:
        if resource.key != key:
            return resource
        inputs = {name: _parsed(value) for name, value in deepcopy(resource.inputs).items()}
        change(inputs)
        texts = {name: json.dumps(value) if name in DOCUMENTS else value for name, value in inputs.items()}
        return replace(resource, inputs=texts, **options)

    graph = replace(compiled.graph, resources=tuple(map(one, compiled.graph.resources)))
    assert any(resource.key == key for resource in graph.resources)
    return replace(compiled, graph=graph)


DOCUMENTS = ("policy", "assumeRolePolicy", "redrivePolicy", "redriveAllowPolicy")


def _parsed(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) and value.startswith("{") else value


def without(compiled: Compiled, key: str) -> Compiled:
    resources = tuple(one for one in compiled.graph.resources if one.key != key)
    assert len(resources) < len(compiled.graph.resources)
    return replace(compiled, graph=replace(compiled.graph, resources=resources))


def first(inputs: dict[str, Any], **change: Any) -> None:
    inputs["policy"]["Statement"][0].update(change)


def extra(**statement: Any) -> Callable[[dict[str, Any]], None]:
    return lambda inputs: inputs["policy"]["Statement"].append({"Effect": "Allow", **statement})


BUFFER_POLICY = "aws:sqs/queuePolicy:QueuePolicy alert_events-buffer"
BUFFER = "arn:aws:sqs:eu-central-1:123456789012:embedded_alert_events_buffer"
OTHER_BUFFER = "arn:aws:sqs:eu-central-1:123456789012:embedded_monitoring_events_buffer"
REDRIVE = "aws:sqs/redrivePolicy:RedrivePolicy alert_events-buffer"
ADMIT = "aws:sqs/redriveAllowPolicy:RedriveAllowPolicy alert_events-dlq"
GRANT = "postgresql:index/grant:Grant alert_events-read"
OPERATOR = "aws:iam/role:Role operator"
ROOT_OF_OTHERS = {"AWS": "arn:aws:iam::210987654321:root"}

# (what is broken, how, the rule, what the message holds)
BREAKS: list[tuple[str, Callable[[Compiled], Compiled], str, str]] = [
    ("no redrive", lambda c: without(c, REDRIVE), "no-dead-letter-queue", "alert_events-buffer has no dead-letter queue"),
    ("not admitted", lambda c: without(c, ADMIT), "no-dead-letter-queue", "does not admit exactly it"),
    ("short memory", lambda c: changed(c, f"{QUEUE} alert_events-dlq", lambda i: i.update(messageRetentionSeconds=60)), "no-dead-letter-queue", "keeps its messages as long"),
    ("another timeout", lambda c: changed(c, f"{QUEUE} alert_events-buffer", lambda i: i.update(visibilityTimeoutSeconds=30)), "visible-too-soon", "hides a message for 30 s; the plan has 120 s"),
    ("plain queue", lambda c: changed(c, f"{QUEUE} alert_events-dlq", lambda i: i.update(sqsManagedSseEnabled=False)), "not-encrypted", "alert_events-dlq is not encrypted"),
    ("plain bucket", lambda c: without(c, "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration plans-encrypted"), "not-encrypted", "plans does not say"),
    ("plain connection", lambda c: changed(c, BUFFER_POLICY, lambda i: first(i, Condition={})), "no-tls", "alert_events-buffer may be reached"),
    ("plain topic", lambda c: without(c, "aws:sns/topicPolicy:TopicPolicy alert_events-commits"), "no-tls", "alert_events-commits may be reached"),
    ("unprotected", lambda c: replace(c, stack=replace(c.stack, protect=True)), "not-protected", "alert_events-table holds data"),
    ("wild action", lambda c: changed(c, SINK_POLICY, extra(Action=["logs:*"], Resource=["x"])), "policy-wildcard", "allows logs:*."),
    ("not action", lambda c: changed(c, SINK_POLICY, extra(NotAction=["logs:x"], Resource=["x"])), "policy-wildcard", "all actions but some"),
    ("everybody", lambda c: changed(c, BUFFER_POLICY, extra(Principal="*", Action="sqs:SendMessage", Resource=BUFFER)), "policy-wildcard", "allows everybody"),
    ("an account", lambda c: changed(c, BUFFER_POLICY, extra(Principal=ROOT_OF_OTHERS, Action="sqs:SendMessage", Resource=BUFFER)), "policy-wildcard", "allows the whole account"),
    ("open trust", lambda c: changed(c, OPERATOR, lambda i: i["assumeRolePolicy"]["Statement"][0].pop("Condition")), "policy-wildcard", "allows the whole account"),
    ("every resource", lambda c: changed(c, SINK_POLICY, extra(Action=["logs:PutLogEvents"], Resource="*")), "policy-wildcard", "allows logs:PutLogEvents on every resource"),
    ("another's buffer", lambda c: changed(c, SINK_POLICY, extra(Action=["sqs:ReceiveMessage"], Resource=[OTHER_BUFFER])), "wider-than-manifest", "may sqs:ReceiveMessage on"),
    ("purge", lambda c: changed(c, f"{POLICY} operator-1", extra(Action=["sqs:PurgeQueue"], Resource=[BUFFER])), "wider-than-manifest", "may sqs:PurgeQueue"),
    ("a stranger", lambda c: changed(c, BUFFER_POLICY, extra(Principal=ROOT_OF_OTHERS, Action="sqs:SendMessage", Resource=BUFFER, Condition={"ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::210987654321:role/x"}})), "wider-than-manifest", "role arn:aws:iam::210987654321:role/x may sqs:SendMessage"),
    ("a reader writes", lambda c: changed(c, GRANT, lambda i: i.update(privileges=["SELECT", "DELETE"])), "wider-than-manifest", "may DELETE on table datasets.alert_events"),
    ("a reader reads the base table", lambda c: changed(c, GRANT, lambda i: i.update(objects=["alert_events_v1"])), "wider-than-manifest", "may SELECT on table datasets.alert_events_v1"),
    ("another's writer", lambda c: changed(c, f"{ROLE} alert_events-sink", lambda i: i["roles"].append("embedded_monitoring_events_w")), "wider-than-manifest", "may member on role embedded_monitoring_events_w"),
    ("a superuser", lambda c: changed(c, f"{ROLE} alert_events-sink", lambda i: i.update(superuser=True)), "postgres-power", "is a role with superuser"),
    ("long policy", lambda c: changed(c, f"{POLICY} operator-1", lambda i: first(i, Sid="x" * 6_000)), "policy-too-large", "AWS takes 6,144"),
    ("long trust", lambda c: changed(c, OPERATOR, lambda i: i["assumeRolePolicy"]["Statement"][0].update(Sid="x" * 2_000)), "policy-too-large", "AWS takes 2,048"),
    ("many statements", lambda c: changed(c, BUFFER_POLICY, lambda i: i["policy"].update(Statement=i["policy"]["Statement"] * 21)), "too-many", "has 21 statements"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("broken", "rule", "text"), [case[1:] for case in BREAKS], ids=[case[0] for case in BREAKS]
)
def test_each_sees_what_breaks_it(compiled, broken, rule, text):
    found = [problem for problem in invariants.problems(broken(compiled)) if problem.rule == rule]
    assert any(text in problem.message for problem in found), [str(problem) for problem in found]


def test_a_migration_that_loses_data_needs_an_approval(project, compiled):
    def drop(manifest: dict[str, Any]) -> None:
        manifest["record"]["properties"].pop("value")
        manifest["table"]["columns"].pop("value", None)
        manifest.setdefault("evolve", {})["compatible"] = "nobody sends it"

    project.manifest("alert_events", drop)
    project.plan()
    found = invariants.problems(replace(compiled, root=project.folder))
    assert [problem.rule for problem in found if problem.rule == "unapproved-loss"] == ["unapproved-loss"]
