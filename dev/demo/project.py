"""The demo's own project: a copy of this one's program and datasets, which the story may change."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

FOLDER = ".demo"
PROGRAM = ("__main__.py", "Pulumi.yaml", "Pulumi.embedded.yaml")
DATASETS = "datasets"
GROWS = "alert_events"
NEW_PROPERTY, NEW_INDEX = "runbook", "by_runbook"


def make(source: Path) -> Path:
    """Copy the program and the datasets into the folder `.demo` of the project, anew; returns the copy."""
    copy = source / FOLDER
    remove(copy)
    copy.mkdir()
    for name in PROGRAM:
        shutil.copy(source / name, copy)
    shutil.copytree(source / DATASETS, copy / DATASETS)
    return copy


def remove(copy: Path) -> None:
    """Delete the copy, if there is one."""
    shutil.rmtree(copy, ignore_errors=True)


def grow(copy: Path) -> None:
    """Give a dataset a property that may be missing, and an index on its column."""
    file = copy / DATASETS / GROWS / "dataset.json"
    manifest: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    manifest["record"]["properties"][NEW_PROPERTY] = {"type": "string", "maxLength": 200}
    manifest["table"].setdefault("indexes", []).append({"name": NEW_INDEX, "columns": [NEW_PROPERTY]})
    file.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
