"""Manifests in a line, and a database that nothing writes to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from compiler.dataset import Dataset
from compiler.lower import lower
from compiler.manifest import RawManifest
from compiler.problems import Finding
from compiler.rules.record import RECORD_RULES


def manifest_of(
    properties: dict[str, Any], folder: Path = Path(), table: Any = None, **record: Any
) -> RawManifest:
    """A manifest whose record has these properties, closed unless `record` says otherwise."""
    whole = {"type": "object", "additionalProperties": False, "properties": properties, **record}
    value = {
        "name": "alerts",
        "version": 1,
        "owner": "team",
        "record": whole,
        "table": {"key": "$message", **(table or {})},
    }
    return RawManifest(value, folder)


def findings(manifest: RawManifest) -> list[Finding]:
    """What the rules say of it."""
    return [finding for rule in RECORD_RULES for finding in rule(manifest)]


def rules_broken(manifest: RawManifest) -> list[str]:
    """The names of the rules that it breaks."""
    return [finding.rule for finding in findings(manifest)]


def lowered(properties: dict[str, Any], folder: Path = Path(), table: Any = None, **record: Any) -> Dataset:
    """The manifest's dataset; it must be free of findings."""
    manifest = manifest_of(properties, folder, table, **record)
    assert findings(manifest) == []
    return lower(manifest)


@pytest.fixture(scope="module")
def postgres(postgres_server: Any) -> Iterator[psycopg.Connection[Any]]:
    """A session on the newest Postgres, for asking it questions."""
    with psycopg.connect(**postgres_server.conninfo(), autocommit=True) as connection:
        connection.execute("SET TimeZone TO 'UTC'")
        yield connection


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, Any], Path]:
    """Put a JSON file into the manifest's folder."""
    import json

    def put(name: str, value: Any) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value))
        return path

    return put
