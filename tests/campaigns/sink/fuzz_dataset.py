"""The dataset that is fuzzed, compiled from its manifest: a column of nearly every type, and the record as a whole."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from compiler.canonical import sha256
from compiler.dataset import Dataset
from compiler.pipeline import compile_datasets

NAME = "fuzzed"
LEVELS = ("debug", "info", "warning", "error")
RECORD: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["source", "level", "occurred_at"],
    "properties": {
        "source": {"type": "string", "minLength": 1, "maxLength": 40},
        "level": {"type": "string", "enum": list(LEVELS)},
        "occurred_at": {"type": "string", "format": "date-time"},
        "value": {"type": "number"},
        "amount": {"type": ["number", "null"], "minimum": -1_000_000, "maximum": 1_000_000},
        "attempt": {"type": "integer", "minimum": 1, "maximum": 1000},
        "big": {"type": "integer"},
        "flag": {"type": ["boolean", "null"]},
        "day": {"type": "string", "format": "date"},
        "ref": {"type": "string", "format": "uuid"},
        "labels": {
            "type": "object",
            "maxProperties": 8,
            "additionalProperties": {"type": ["string", "number", "boolean"]},
        },
        "anything": {},
    },
}
RECORD_SHA256 = sha256(RECORD)
MANIFEST = {
    "name": NAME,
    "version": 1,
    "owner": "nobody",
    "classification": "internal",
    "description": "Whatever a producer may send.",
    "record": RECORD,
    "table": {
        "key": "$message",
        "columns": {"amount": {"type": "numeric(12,2)"}, "record": {"from": "$record"}},
    },
    "producers": ["fuzzer"],
    "readers": ["oracle"],
}


def fuzzed() -> Dataset:
    """The compiled dataset."""
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root) / "datasets" / NAME
        folder.mkdir(parents=True)
        (folder / "dataset.json").write_text(json.dumps(MANIFEST), encoding="utf-8")
        return compile_datasets(Path(root)).require()[0].dataset
