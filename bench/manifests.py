"""Generated projects for the benchmarks: manifests of everyday size and variety, the same for the same number."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

_NOUNS = [
    "order",
    "payment",
    "refund",
    "invoice",
    "shipment",
    "login",
    "session",
    "device",
    "probe",
    "scan",
    "alert",
    "signal",
    "metric",
    "job",
]
_KINDS = [
    "created",
    "changed",
    "removed",
    "failed",
    "retried",
    "settled",
    "expired",
    "opened",
    "closed",
    "merged",
]
_TEAMS = ("risk-platform", "observability", "supply-chain", "billing", "growth")
_PRODUCERS = ("api", "fleet", "monitor", "scanner", "worker")

_PROPERTIES: dict[str, Any] = {
    "state": {"type": "string", "enum": _KINDS[:5]},
    "amount": {"type": "number", "minimum": 0},
    "quantity": {"type": "integer", "minimum": 1, "maximum": 100000},
    "title": {"type": "string", "minLength": 1, "maxLength": 300},
    "reference": {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{4,12}$", "maxLength": 15},
    "active": {"type": "boolean"},
    "due_on": {"type": "string", "format": "date"},
    "parent_id": {"type": ["string", "null"], "format": "uuid"},
    "labels": {"type": "object", "additionalProperties": {"type": "string"}},
    "lines": {"type": "array", "maxItems": 50, "items": {"$ref": "#/$defs/line"}},
    "address": {"$ref": "#/$defs/address"},
    "duration_ms": {"type": ["number", "null"]},
}
_DEFINITIONS = {
    "line": {
        "type": "object",
        "additionalProperties": False,
        "required": ["sku"],
        "properties": {"sku": {"type": "string", "maxLength": 40}, "count": {"type": "integer"}},
    },
    "address": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "country": {"type": "string", "pattern": "^[A-Z]{2}$"}},
    },
}
_COLUMNS = {
    "amount": {"type": "numeric(14,2)", "round": True},
    "title": {"classification": "confidential"},
    "active": {"default": True},
}


def write_project(root: Path, count: int) -> None:
    """Write `count` manifests below `root`/datasets."""
    for number in range(count):
        manifest = _manifest(
            Random(number),  # noqa: S311 - the same numbers each time, no secret
            f"{_NOUNS[number % len(_NOUNS)]}_events_{number:04d}",
        )
        folder = root / "datasets" / manifest["name"]
        folder.mkdir(parents=True)
        text = json.dumps(manifest, indent=2)
        (folder / "dataset.json").write_text(text + "\n", encoding="utf-8")


def add_column(root: Path, only: str = "*") -> None:
    """One optional property more in each manifest below `root`/datasets: the next thing that a team adds."""
    for path in sorted((root / "datasets").glob(f"{only}/dataset.json")):
        manifest = json.loads(path.read_text(encoding="utf-8"))
        manifest["record"]["properties"]["region"] = {"type": "string", "maxLength": 20}
        path.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def _manifest(random: Random, name: str) -> dict[str, Any]:
    chosen = {key: _PROPERTIES[key] for key in random.sample(list(_PROPERTIES), random.randint(4, 9))}
    by_message = random.random() < 0.25
    manifest = {
        "$schema": "../../compiler/schema/manifest.schema.json",
        "name": name,
        "version": 1,
        "owner": random.choice(_TEAMS),
        "classification": random.choice(("internal", "confidential")),
        "description": f"What happened to each {name.split('_', maxsplit=1)[0]}; one row for each event.",
        "record": {
            "type": "object",
            "additionalProperties": False,
            "required": ["org_id", "event_key", "occurred_at"],
            "properties": {
                "org_id": {"type": "string", "format": "uuid", "description": "The organisation it concerns"},
                "event_key": {"type": "string", "minLength": 1, "maxLength": 200},
                "occurred_at": {"type": "string", "format": "date-time"},
                **chosen,
            },
            "$defs": _DEFINITIONS,
        },
        "table": _table(random, chosen, by_message=by_message),
        "producers": random.sample(_PRODUCERS, 2),
        "readers": ["analytics"],
    }
    if random.random() < 0.5:
        manifest["buffer"] = {"retention_days": random.randint(2, 7), "visibility_timeout_seconds": 180}
        manifest["sink"] = {
            "batch_records": random.choice((500, 2000, 5000)),
            "max_tasks": random.randint(1, 8),
        }
    return manifest


def _table(random: Random, chosen: dict[str, Any], *, by_message: bool) -> dict[str, Any]:
    recent: dict[str, Any] = {
        "name": "recent",
        "columns": ["org_id", {"column": "occurred_at", "order": "desc"}],
    }
    if "state" in chosen:
        recent["where"] = f"state = '{random.choice(_KINDS[:5])}'"
    indexes = [recent]
    if "labels" in chosen:
        indexes.append({"name": "labels", "columns": ["labels"], "method": "gin"})
    table: dict[str, Any] = {
        "key": "$message" if by_message else ["org_id", "event_key"],
        "on_conflict": "ignore"
        if by_message
        else random.choice(("ignore", "update", {"update_if_newer": "occurred_at"})),
        "indexes": indexes,
        "columns": {
            **{key: _COLUMNS[key] for key in chosen if key in _COLUMNS},
            "ingested_at": {"from": "$ingested_at"},
        },
    }
    if "quantity" in chosen and random.random() < 0.3:
        table["checks"] = {"positive": "quantity > 0"}
    return table
