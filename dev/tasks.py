"""Task definitions of the embedded environment: `.sluice/tasks.json`, every revision by its family, as ECS keeps them.

They hold no secret: a container's environment names where one is found.
"""

from __future__ import annotations

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


class Tasks:
    """The revisions, oldest first in each family."""

    def __init__(self, paths: Paths) -> None:
        self._file = paths.root / FILE

    def add(self, family: str, definition: Mapping[str, Any]) -> int:
        """Keep a new revision; returns its number, from 1. The same definition again is the same revision."""
        families = self._read()
        revisions = families.setdefault(family, [])
        kept = {
            "role_arn": definition["taskRoleArn"],
            "containers": json.loads(definition["containerDefinitions"]),
        }
        if not revisions or revisions[-1] != kept:
            revisions.append(kept)
            write_json(self._file, {"families": families})
        return len(revisions)

    def get(self, arn: str) -> Task:
        """The revision of that ARN. Raises DevError where there is none, or where it is more than one container."""
        family, _, revision = arn.rpartition("/")[2].partition(":")
        revisions = self._read().get(family, [])
        if not revision.isdecimal() or not 0 < int(revision) <= len(revisions):
            raise DevError(f"there is no task definition {arn}.")
        found = revisions[int(revision) - 1]
        if len(found["containers"]) != 1:
            raise DevError(f"{arn} has {len(found['containers'])} containers; a sink is one process.")
        environment = found["containers"][0].get("environment", [])
        return Task(found["role_arn"], {one["name"]: one["value"] for one in environment})

    def _read(self) -> dict[str, list[dict[str, Any]]]:
        document = read_json(self._file) or {"families": {}}
        families: dict[str, list[dict[str, Any]]] = document["families"]
        return families
