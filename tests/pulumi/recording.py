"""The recorder of `compiler.emit.pulumi` with what tests give it, and a graph as its answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from compiler.emit.graph import Graph
from compiler.emit.pulumi import recording


def record(
    program: Callable[[], object],
    configuration: Mapping[str, str] | None = None,
    *,
    stack: str = "embedded",
    references: Mapping[str, Any] | None = None,
) -> Graph:
    """Run a program and return what it declared. Raises what the program raises."""
    return Graph.of(recording.record(program, configuration, stack=stack, references=references))


DATABASE: dict[str, Any] = {
    "host": "127.0.0.1",
    "port": 5432,
    "name": "postgres",
    "auth": "secret",
    "sslmode": "disable",
    "superuser": True,
    "admin": "env:SLUICE_DATABASE_ADMIN",
}
"""What `sluice dev up` gives as `sluice:database`, with a port that does not change."""

EMBEDDED = {"database": json.dumps(DATABASE)}
