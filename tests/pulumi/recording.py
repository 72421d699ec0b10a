"""Run Pulumi resources against a monitor that keeps what it is told: each resource with inputs, options and edges.

Components, providers and resources register as with the real engine; outputs that only AWS would know are made up from
the inputs, the same on every run.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from google.protobuf import empty_pb2
from pulumi.runtime import rpc
from pulumi.runtime.config import set_all_config
from pulumi.runtime.mocks import MockCallArgs, MockMonitor, MockResourceArgs, Mocks, set_mocks
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.settings import set_root_resource
from pulumi.runtime.stack import run_in_stack
from pulumi.runtime.sync_await import _ensure_event_loop, _sync_await

ACCOUNT = "123456789012"
REGION = "eu-central-1"


@dataclass(frozen=True)
class Recorded:
    """One registered resource. `parent` and `depends_on` are `type name`, sorted; secrets among inputs are named."""

    type: str
    name: str
    parent: str
    inputs: Mapping[str, Any]
    depends_on: tuple[str, ...]
    protect: bool
    retain: bool
    ignore_changes: tuple[str, ...]
    secret_inputs: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return f"{self.type} {self.name}"

    def as_json(self) -> dict[str, Any]:
        """For golden files; what is empty or false is left out."""
        options = {
            "dependsOn": list(self.depends_on),
            "protect": self.protect,
            "retainOnDelete": self.retain,
            "ignoreChanges": list(self.ignore_changes),
        }
        return {
            "type": self.type,
            "name": self.name,
            "parent": self.parent,
            "inputs": {key: value for key, value in sorted(self.inputs.items()) if key != "__provider"},
            **{key: value for key, value in options.items() if value},
        }


@dataclass
class Graph:
    """What one program declared, in order, and what it exported."""

    resources: list[Recorded] = field(default_factory=list)
    exports: dict[str, Any] = field(default_factory=dict)

    def of_type(self, token: str) -> list[Recorded]:
        """The resources of a type, by name."""
        return sorted((one for one in self.resources if one.type == token), key=lambda one: one.name)

    def one(self, token: str, name: str) -> Recorded:
        """The resource of that type and name."""
        [found] = [one for one in self.resources if (one.type, one.name) == (token, name)]
        return found

    def below(self, parent: str) -> list[Recorded]:
        """The component `type name` and everything in it, by type and name."""
        found = [one for one in self.resources if parent in (one.key, one.parent)]
        return sorted(found, key=lambda one: (one.type, one.name))


class _NoMocks(Mocks):
    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        raise NotImplementedError(args.typ)

    def call(self, args: MockCallArgs) -> tuple[dict[Any, Any], None]:
        raise NotImplementedError(args.token)


class _Monitor(MockMonitor):
    def __init__(self, graph: Graph) -> None:
        super().__init__(_NoMocks())
        self.graph = graph

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the engine's method
        urn = self.make_urn(request.parent, request.type, request.name)
        if request.type == "pulumi:pulumi:Stack":
            return resource_pb2.RegisterResourceResponse(urn=urn)
        with _event_loop():
            return self._register(urn, request)

    def _register(self, urn: str, request: Any) -> Any:
        raw = rpc.deserialize_properties(request.object)
        inputs = {key: rpc.unwrap_rpc_secret(value) for key, value in raw.items()}
        self.graph.resources.append(
            Recorded(
                type=request.type,
                name=request.name,
                parent=_key(request.parent) if "::" in request.parent else "",
                inputs=inputs,
                depends_on=tuple(
                    sorted({_key(one) for one in request.dependencies} - {_key(request.parent)})
                ),
                protect=request.protect,
                retain=request.retainOnDelete,
                ignore_changes=tuple(request.ignoreChanges),
                secret_inputs=tuple(sorted(key for key, value in raw.items() if rpc.is_rpc_secret(value))),
            )
        )
        outputs = {**inputs, **_made_up(request.type, inputs)}
        answer = _sync_await(rpc.serialize_properties(outputs, {}))
        return resource_pb2.RegisterResourceResponse(
            urn=urn, id=outputs.get("id", request.name) if request.custom else "", object=answer
        )

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802 - the engine's method
        if "::pulumi:pulumi:Stack::" in request.urn:
            with _event_loop():
                self.graph.exports = rpc.deserialize_properties(request.outputs)
        return empty_pb2.Empty()


def record(
    program: Callable[[], object], configuration: Mapping[str, str] | None = None, *, stack: str = "embedded"
) -> Graph:
    """Run a program and return what it declared. Raises what the program raises."""
    graph, loop = Graph(), asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    set_all_config({f"sluice:{key}": value for key, value in (configuration or {}).items()})
    set_mocks(_NoMocks(), project="sluice", stack=stack, preview=False, monitor=_Monitor(graph))
    set_root_resource(None)  # type: ignore[arg-type]  # the root is made anew, and its exports with it
    try:
        loop.run_until_complete(run_in_stack(lambda: _run(program)))
    finally:
        loop.close()
        asyncio.set_event_loop(None)
    return graph


def _run(program: Callable[[], object]) -> None:
    program()


@contextmanager
def _event_loop() -> Iterator[None]:
    """A loop for the time of one call: the SDK calls from threads of a pool, which have none."""
    _ensure_event_loop()
    try:
        yield
    finally:
        asyncio.get_event_loop().close()
        asyncio.set_event_loop(None)


def _key(urn: str) -> str:
    """`urn:pulumi:stack::project::parent$type::name` -> `type name`."""
    if not urn:
        return ""
    _, _, qualified, name = urn.split("::", 3)
    return f"{qualified.rpartition('$')[2]} {name}"


def _made_up(token: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    name = inputs.get("name")
    match token:
        case "aws:sqs/queue:Queue":
            url = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{name}"
            return {"id": url, "url": url, "arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"}
        case "aws:sns/topic:Topic":
            arn = f"arn:aws:sns:{REGION}:{ACCOUNT}:{name}"
            return {"id": arn, "arn": arn}
        case "aws:iam/role:Role":
            return {"id": name, "arn": f"arn:aws:iam::{ACCOUNT}:role{inputs['path']}{name}"}
        case "aws:iam/policy:Policy":
            arn = f"arn:aws:iam::{ACCOUNT}:policy{inputs['path']}{name}"
            return {"id": arn, "arn": arn}
        case "pulumi-python:dynamic/sluice:SinkLogin":
            arn = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{inputs['secret_name']}-AbCdEf"
            return {"id": arn, "secret_arn": arn}
        case _:
            return {"id": name or inputs.get("bucket") or "made"}


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
