"""Task definitions of the embedded environment: `.sluice/tasks.json`, every revision that a service may run.

They hold no secret: a container's environment names where one is found.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dev.state import DevError, Paths, read_json, write_json

FILE = "tasks.json"


@dataclass(frozen=True)
class Task:
    """What one revision runs: the role that it works as, and its only container's environment."""

    role_arn: str
    environment: Mapping[str, str]


def revision_of(definition: Mapping[str, Any]) -> int:
    """The number of a revision. ECS counts; here it follows from the content, so that the same definition is the same one."""
    text = json.dumps(definition, sort_keys=True)
    return int(hashlib.sha256(text.encode()).hexdigest()[:7], 16) + 1


class Tasks:
    """The revisions by their ARNs."""

    def __init__(self, paths: Paths) -> None:
        self._file = paths.root / FILE

    def put(self, arn: str, definition: Mapping[str, Any]) -> None:
        """Keep a revision. On disk when this returns."""
        tasks = self._read()
        tasks[arn] = {
            "role_arn": definition["taskRoleArn"],
            "containers": json.loads(definition["containerDefinitions"]),
        }
        write_json(self._file, {"tasks": tasks})

    def get(self, arn: str) -> Task:
        """The revision of that ARN. Raises DevError where there is none, or where it is more than one container."""
        found = self._read().get(arn)
        if found is None:
            raise DevError(f"there is no task definition {arn}.")
        if len(found["containers"]) != 1:
            raise DevError(f"{arn} has {len(found['containers'])} containers; a sink is one process.")
        environment = found["containers"][0].get("environment", [])
        return Task(found["role_arn"], {one["name"]: one["value"] for one in environment})

    def _read(self) -> dict[str, dict[str, Any]]:
        document = read_json(self._file) or {"tasks": {}}
        tasks: dict[str, dict[str, Any]] = document["tasks"]
        return tasks
