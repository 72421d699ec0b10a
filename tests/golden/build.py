"""What the compiler makes of each dataset of the repository, as the golden folders hold it.

<dataset>/dataset.json     the Dataset, every field and default
<dataset>/create.sql       the first migration, as `sluice plan` would write it today
<dataset>/iam.json         every policy and redrive document, by resource
<dataset>/sink_plan.json   the compiled plan, indented
<dataset>/resources.json   the dataset's part of the resource graph
shared.json                the rest of the graph, and the stack's exports
variants/<name>.json       the graph of one dataset under another configuration (variants.py)
"""

from __future__ import annotations

import json
import os
import runpy
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import UUID

from compiler.canonical import JsonDocument
from compiler.dataset import Dataset
from compiler.emit.graph import Graph, Recorded
from compiler.emit.sink import sink_plan
from compiler.migrate.chain import read_chain, read_history
from compiler.migrate.planner import Create, plan
from compiler.migrate.steps.register import Registration
from compiler.pipeline import CompiledDataset, compile_datasets
from compiler.table import table_of
from tests.golden.variants import STACK, VARIANTS, configuration
from tests.pulumi.recording import EMBEDDED, record

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
DOCUMENTS = ("assumeRolePolicy", "policy", "redriveAllowPolicy", "redrivePolicy")


def build() -> dict[str, str]:
    """Golden file, relative to this folder -> its text."""
    graph = _graph()
    files = {"shared.json": _shared(graph)}
    for name in VARIANTS:
        files[f"variants/{name}.json"] = _whole(_graph(configuration(name), STACK))
    for one in compile_datasets(ROOT).require():
        name = one.dataset.name
        part = graph.below(f"sluice:index:BufferedDataset {name}")
        files[f"{name}/dataset.json"] = text(plain(one.dataset))
        files[f"{name}/create.sql"] = _create(one.dataset)
        files[f"{name}/iam.json"] = text(_documents(part))
        files[f"{name}/sink_plan.json"] = text(_plan(one))
        files[f"{name}/resources.json"] = text([_resource(resource) for resource in part])
    return dict(sorted(files.items()))


def text(value: Any) -> str:
    """JSON that a reviewer can read: indented, sorted, ended by LF."""
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def plain(value: Any) -> Any:
    """A frozen value as JSON; a dataclass names itself, since members of a union may have the same fields."""
    match value:
        case JsonDocument():
            return value.value
        case Enum() | UUID():
            return str(value)
        case tuple():
            return [plain(item) for item in value]
        case _ if is_dataclass(value):
            members = {field.name: plain(getattr(value, field.name)) for field in fields(value)}
            return {"is": type(value).__name__, **members}
        case _:
            return value


def _graph(configured: Mapping[str, str] = EMBEDDED, stack: str = "embedded") -> Graph:
    """The program of the repository in a stack; nothing of the caller's environment counts."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "PG", "PULUMI_"))}
    before = Path.cwd()
    os.chdir(ROOT)
    try:
        with patch.dict(os.environ, kept, clear=True):
            return record(lambda: runpy.run_path("__main__.py", run_name="__main__"), configured, stack=stack)
    finally:
        os.chdir(before)


def _create(dataset: Dataset) -> str:
    registration = Registration(dataset.name, dataset.version, dataset.uuid, dataset.owner)
    planned = plan(None, table_of(dataset), registration)
    assert isinstance(planned, Create)
    return planned.files[0].text


def _plan(one: CompiledDataset) -> Any:
    schemas = (
        entry.record_sha256 for entry in read_history(one.folder) if entry.version == one.dataset.version
    )
    chain = read_chain(one.folder, one.dataset.name, one.dataset.version)
    assert chain is not None
    return json.loads(sink_plan(one.dataset, tuple(schemas), chain.contract).to_bytes())


def _documents(resources: Iterable[Recorded]) -> dict[str, Any]:
    return {
        f"{resource.key} {key}": json.loads(resource.inputs[key])
        for resource in resources
        for key in DOCUMENTS
        if key in resource.inputs
    }


def _resource(resource: Recorded) -> dict[str, Any]:
    """A resource without what another golden file shows whole."""
    found = resource.as_json()
    for key in (*DOCUMENTS, "content"):
        if key in found["inputs"]:
            found["inputs"][key] = "(iam.json)" if key in DOCUMENTS else "(sink_plan.json)"
    return found


def _whole(graph: Graph) -> str:
    ordered = sorted(graph.resources, key=lambda one: (one.type, one.name))
    found = [_with_documents(one) for one in ordered]
    for one in found:
        if "content" in one["inputs"]:
            one["inputs"]["content"] = "(sink_plan.json)"
    return text({"resources": found, "exports": graph.exports})


def _shared(graph: Graph) -> str:
    own = [one for one in graph.resources if "sluice:index:BufferedDataset" not in one.key + one.parent]
    ordered = sorted(own, key=lambda one: (one.type, one.name))
    return text({"resources": [_with_documents(one) for one in ordered], "exports": graph.exports})


def _with_documents(resource: Recorded) -> dict[str, Any]:
    """A resource with its policies as JSON, not as text."""
    found = resource.as_json()
    for key in DOCUMENTS:
        if key in found["inputs"]:
            found["inputs"][key] = json.loads(found["inputs"][key])
    return found
