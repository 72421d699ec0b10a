"""Every option of a stack and of a manifest, and that the handlers carry out all that the program then declares."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import yaml

from compiler.emit.graph import Graph
from compiler.emit.pulumi.recording import ACCOUNT, REGION
from compiler.stack.shape import schema as stack_schema
from dev.resources.context import Context
from dev.resources.dynamic import PREFIX
from dev.resources.registry import HANDLERS
from dev.resources.wire import exact
from tests.pulumi.recording import DATABASE

STACK: Mapping[str, Any] = {
    "environment": "staging",
    "prefix": "st",
    "region": REGION,
    "allowed_account_ids": [ACCOUNT],
    "datasets": ["alert_events", "*_signals"],
    "principals": {
        "analytics": {"postgres": "analysts"},
        "monitor": {"aws": f"arn:aws:iam::{ACCOUNT}:role/jobs/monitor"},
        "scanner": {"aws": "arn:aws:iam::210987654321:role/scanner", "postgres": "scanner"},
    },
    "database": {
        **DATABASE,
        "superuser": False,
        "sslmode": "verify-full",
        "password_rotation": 2,
        "pooler": "transaction",
        "pooler_host": "bouncer",
        "pooler_port": 6433,
    },
    "network": {
        "vpc": "vpc-0a1b2c3d4e5f60718",
        "subnets": ["subnet-0a1b2c3d4e5f60718"],
        "database_cidrs": ["10.0.0.0/16"],
        "security_groups": ["sg-0a1b2c3d4e5f60718"],
        "assign_public_ip": True,
    },
    "cluster": f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/shared",
    "image": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/sluice-sink@sha256:{'ab' * 32}",
    "alarm_topics": {"*": f"arn:aws:sns:{REGION}:{ACCOUNT}:on-call"},
    "overrides": {"*": {"sink": {"max_tasks": 7}, "buffer": {"retention_days": 8}}},
    "encryption": "customer_key",
    "foundation": "own",
    "operator": {"aws": f"arn:aws:iam::{ACCOUNT}:role/on-call", "postgres": "on_call"},
    "permissions_boundary": f"arn:aws:iam::{ACCOUNT}:policy/bounds",
    "protect": True,
}
"""A value for every key that can stand beside the others."""

_DATABASE = {key: value for key, value in STACK["database"].items() if key != "password_rotation"}
BY_TOKEN: Mapping[str, Any] = {
    **{key: value for key, value in STACK.items() if key != "datasets"},
    "assignment": "all",
    "database": {**_DATABASE, "auth": "iam", "resource_id": "db-ABCDEFGHIJKLMNOPQRSTUVWXYZ"},
}
"""The same with the others: sinks log in by tokens, and the datasets stand in a file."""


def everything(project: Any) -> list[Graph]:
    """The program's resources with every option set, and with the defaults."""
    embedded = project.record()
    for stack, values in (("staging", STACK), ("tokens", BY_TOKEN)):
        path = project.folder / f"Pulumi.{stack}.yaml"
        path.write_text(yaml.safe_dump({"config": {f"sluice:{key}": value for key, value in values.items()}}))
    folder = project.folder / "stacks"
    folder.mkdir(exist_ok=True)
    for stack, assigned in (("all", ["alert_events", "integrity_signals"]), ("rest", ["monitoring_events"])):
        (folder / f"{stack}.json").write_text(json.dumps({"owner": "risk-platform", "datasets": assigned}))

    def other(value: dict[str, Any]) -> None:
        value["producers"], value["readers"] = ["monitor", "scanner"], []
        value["events"] = {"publish": False}
        value["buffer"] = {
            "format": "record",
            "max_receive_count": 12,
            "retention_days": 9,
            "visibility_timeout_seconds": 200,
        }

    def watched(value: dict[str, Any]) -> None:
        value["alarms"] = {
            "depth": 1000,
            "in_flight": True,
            "oldest_age_seconds": 900,
            "publish_failures": True,
            "tasks_below_minimum": True,
        }

    project.manifest("alert_events", other)
    project.manifest("integrity_signals", watched)
    project.plan()
    return [embedded, project.record({}, stack="staging"), project.record({}, stack="tokens")]


def test_every_key_of_the_stack_is_set_here():
    keys = stack_schema()["properties"]
    assert set(STACK) | set(BY_TOKEN) == set(keys)
    assert set(STACK["database"]) | set(BY_TOKEN["database"]) == set(keys["database"]["properties"])
    assert set(STACK["network"]) == set(keys["network"]["properties"])


def test_no_property_that_the_program_declares_is_without_a_handler(project):
    declared = [
        one
        for graph in everything(project)
        for one in graph.resources
        if not one.type.startswith((f"{PREFIX}:", f"{PREFIX}/", "sluice:"))
    ]
    for one in declared:
        inputs = {key: exact(value) for key, value in one.inputs.items()}
        HANDLERS[one.type].check(Context(), None, inputs)
    assert {one.type for one in declared} == {token for token in HANDLERS if not token.startswith(PREFIX)}


def test_documents_are_json_and_members_are_lists(project):
    """What a handler compares as a document or as members is declared so."""
    for graph in everything(project):
        for one in graph.resources:
            handler = HANDLERS.get(one.type)
            for key in getattr(handler, "documents", ()):
                assert isinstance(json.loads(one.inputs[key]), (dict, list))
            for key in getattr(handler, "unordered", ()):
                assert isinstance(one.inputs.get(key, []), list)
