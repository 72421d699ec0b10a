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
    },
    "foundation": "own",
    "operator": {"aws": f"arn:aws:iam::{ACCOUNT}:role/on-call", "postgres": "on_call"},
    "permissions_boundary": f"arn:aws:iam::{ACCOUNT}:policy/bounds",
    "protect": True,
}
"""A value for every key that this release carries out."""


def everything(project: Any) -> list[Graph]:
    """The program's resources with every option set, and with the defaults."""
    embedded = project.record()
    path = project.folder / "Pulumi.staging.yaml"
    path.write_text(yaml.safe_dump({"config": {f"sluice:{key}": value for key, value in STACK.items()}}))

    def other(value: dict[str, Any]) -> None:
        value["producers"], value["readers"] = ["monitor", "scanner"], []
        value["events"] = {"publish": False}
        value["buffer"] = {
            "format": "record",
            "max_receive_count": 12,
            "retention_days": 9,
            "visibility_timeout_seconds": 200,
        }

    project.manifest("alert_events", other)
    project.plan()
    return [embedded, project.record({}, stack="staging")]


def test_every_key_of_the_stack_is_set_here():
    keys = stack_schema()["properties"]
    assert set(STACK) == set(keys)
    assert set(STACK["database"]) == set(keys["database"]["properties"])


def test_no_property_that_the_program_declares_is_without_a_handler(project):
    declared = [
        one
        for graph in everything(project)
        for one in graph.resources
        if not one.type.startswith((f"{PREFIX}:", f"{PREFIX}/", "sluice:"))
    ]
    for one in declared:
        HANDLERS[one.type].check(Context(), None, one.inputs)
    assert {one.type for one in declared} == {token for token in HANDLERS if not token.startswith(PREFIX)}


def test_documents_are_json_objects_and_members_are_lists(project):
    """What a handler compares as a document or as members is declared so."""
    for graph in everything(project):
        for one in graph.resources:
            handler = HANDLERS.get(one.type)
            for key in getattr(handler, "documents", ()):
                assert isinstance(json.loads(one.inputs[key]), dict)
            for key in getattr(handler, "unordered", ()):
                assert isinstance(one.inputs.get(key, []), list)
