"""Run a Pulumi program against a monitor that keeps what it is told, and write the resource graph down.

Components, providers and resources register as with the real engine; outputs that only AWS would know are made up from
the inputs, the same on every run. Nothing is looked up and no network is used.

`python recording.py --stack NAME` runs the `__main__.py` of the working folder, with configuration as JSON on stdin, and
prints `{"resources": …, "exports": …}`. It imports nothing of Sluice, so that the program may be another commit's, with
the compiler that lies beside it there.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import runpy
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import asdict
from typing import Any

import pulumi
from google.protobuf import empty_pb2
from pulumi.runtime import rpc
from pulumi.runtime.config import set_all_config
from pulumi.runtime.mocks import MockCallArgs, MockMonitor, MockResourceArgs, Mocks, set_mocks
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.settings import set_root_resource
from pulumi.runtime.stack import run_in_stack
from pulumi.runtime.sync_await import _ensure_event_loop, _sync_await

STACK = "pulumi:pulumi:Stack"
REFERENCE = "pulumi:pulumi:StackReference"
MADE_UP_REFERENCE = {"foundation": {"plan_bucket": "referenced-foundation-plans"}}
AWS_PROVIDER = "pulumi:providers:aws"
ACCOUNT, REGION = "123456789012", "eu-central-1"  # of a program that declares no provider


class _NoMocks(Mocks):
    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        raise NotImplementedError(args.typ)

    def call(self, args: MockCallArgs) -> tuple[dict[Any, Any], None]:
        raise NotImplementedError(args.token)


class _Monitor(MockMonitor):
    def __init__(self, references: Mapping[str, Any]) -> None:
        super().__init__(_NoMocks())
        self._references = references
        self.recorded: list[dict[str, Any]] = []
        self.exports: dict[str, Any] = {}
        self._region, self._account = REGION, ACCOUNT

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the engine's method
        urn = self.make_urn(request.parent, request.type, request.name)
        if request.type == STACK:
            return resource_pb2.RegisterResourceResponse(urn=urn)
        with _event_loop():
            return self._register(urn, request)

    def _register(self, urn: str, request: Any) -> Any:
        raw = rpc.deserialize_properties(request.object)
        inputs = {key: rpc.unwrap_rpc_secret(value) for key, value in raw.items()}
        if request.type == AWS_PROVIDER:
            self._region, self._account = inputs["region"], json.loads(inputs["allowedAccountIds"])[0]
        made_up = _made_up(request.type, inputs, self._region, self._account)
        self.recorded.append(
            {
                "type": request.type,
                "name": request.name,
                "parent": _key(request.parent) if "::" in request.parent else "",
                "inputs": inputs,
                "depends_on": sorted({_key(one) for one in request.dependencies} - {_key(request.parent)}),
                "protect": request.protect,
                "retain": request.retainOnDelete,
                "ignore_changes": list(request.ignoreChanges),
                "secret_inputs": sorted(key for key, value in raw.items() if rpc.is_rpc_secret(value)),
                "arn": made_up.get("arn", ""),
            }
        )
        outputs = {**inputs, **made_up}
        answer = _sync_await(rpc.serialize_properties(outputs, {}))
        identity = outputs.get("id", request.name) if request.custom else ""
        return resource_pb2.RegisterResourceResponse(urn=urn, id=identity, object=answer)

    def ReadResource(self, request: Any) -> Any:  # noqa: N802 - the engine's method
        if request.type != REFERENCE:
            raise NotImplementedError(request.type)
        with _event_loop():
            name = rpc.deserialize_properties(request.properties)["name"]
            self.recorded.append(
                {
                    "type": request.type,
                    "name": request.name,
                    "parent": _key(request.parent) if "::" in request.parent else "",
                    "inputs": {"name": name},
                    "depends_on": [],
                    "protect": False,
                    "retain": False,
                    "ignore_changes": [],
                    "secret_inputs": [],
                    "arn": "",
                }
            )
            outputs = self._references.get(name, MADE_UP_REFERENCE)
            answer = {"name": name, "outputs": outputs, "secretOutputNames": []}
            properties = _sync_await(rpc.serialize_properties(answer, {}))
        urn = self.make_urn(request.parent, request.type, request.name)
        return resource_pb2.ReadResourceResponse(urn=urn, properties=properties)

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802 - the engine's method
        if f"::{STACK}::" in request.urn:
            with _event_loop():
                self.exports = rpc.deserialize_properties(request.outputs)
        return empty_pb2.Empty()


def record(
    program: Callable[[], object],
    configuration: Mapping[str, str] | None = None,
    *,
    stack: str = "embedded",
    references: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Run a program and return what it declared, as `compiler.emit.graph.Graph.of` reads it.

    `configuration` are Sluice's keys, without their namespace; `references` the outputs of other stacks by their names,
    made up where they are not given. Raises what the program raises.
    """
    monitor, loop = _Monitor(references or {}), asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    set_all_config({f"sluice:{key}": value for key, value in (configuration or {}).items()})
    set_mocks(_NoMocks(), project="sluice", stack=stack, preview=False, monitor=monitor)
    set_root_resource(None)  # type: ignore[arg-type]  # the root is made anew, and its exports with it
    try:
        loop.run_until_complete(run_in_stack(lambda: _run(program)))
    finally:
        loop.close()
        asyncio.set_event_loop(None)
    return {"resources": monitor.recorded, "exports": monitor.exports}


def _run(program: Callable[[], object]) -> None:
    program()


@contextmanager
def _event_loop() -> Iterator[None]:
    """A loop for the time of one call: the SDK calls from threads of a pool, which have none."""
    _ensure_event_loop()  # type: ignore[no-untyped-call]
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


def _made_up(token: str, inputs: Mapping[str, Any], region: str, account: str) -> dict[str, Any]:
    """What AWS would answer, composed of the inputs; the id of a type that is not here is its name."""
    name = inputs.get("name")
    match token:
        case "aws:sqs/queue:Queue":
            url = f"https://sqs.{region}.amazonaws.com/{account}/{name}"
            return {"id": url, "url": url, "arn": f"arn:aws:sqs:{region}:{account}:{name}"}
        case "aws:sns/topic:Topic":
            arn = f"arn:aws:sns:{region}:{account}:{name}"
            return {"id": arn, "arn": arn}
        case "aws:s3/bucket:Bucket":
            return {"id": inputs["bucket"], "arn": f"arn:aws:s3:::{inputs['bucket']}"}
        case "aws:kms/key:Key":
            identity = "00000000-0000-0000-0000-000000000000"
            return {
                "id": identity,
                "keyId": identity,
                "arn": f"arn:aws:kms:{region}:{account}:key/{identity}",
            }
        case "aws:iam/role:Role":
            arn = f"arn:aws:iam::{account}:role{inputs['path']}{name}"
            return {"id": name, "arn": arn, "uniqueId": f"AROA-{name}"}
        case "aws:ecs/cluster:Cluster":
            arn = f"arn:aws:ecs:{region}:{account}:cluster/{name}"
            return {"id": arn, "arn": arn}
        case "aws:ecs/taskDefinition:TaskDefinition":
            arn = f"arn:aws:ecs:{region}:{account}:task-definition/{inputs['family']}:1"
            return {"id": inputs["family"], "arn": arn}
        case "aws:ec2/securityGroup:SecurityGroup":
            return {"id": "sg-00000000"}
        case "aws:appautoscaling/policy:Policy":
            policy = f"1:resource/ecs/{inputs['resourceId']}:policyName/{name}"
            return {"id": name, "arn": f"arn:aws:autoscaling:{region}:{account}:scalingPolicy:{policy}"}
        case "aws:iam/policy:Policy":
            arn = f"arn:aws:iam::{account}:policy{inputs['path']}{name}"
            return {"id": arn, "arn": arn}
        case "pulumi-python:dynamic/sluice:SinkLogin":
            arn = f"arn:aws:secretsmanager:{region}:{account}:secret:{inputs['secret_name']}-AbCdEf"
            return {"id": arn, "secret_arn": arn, "arn": arn}
        case _:
            return {"id": name or inputs.get("bucket") or "made"}


def main() -> None:
    """Run `__main__.py` of the working folder and print what it declared; what it prints itself goes to stderr.

    Where it refuses, the exit code is 1, stderr has its words, and the problems are printed, as far as it names any.
    """
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--stack", required=True)
    stack = parser.parse_args().stack
    configuration = json.load(sys.stdin)
    program = os.path.abspath("__main__.py")  # noqa: PTH100 - also what runpy is given by Pulumi
    try:
        with redirect_stdout(sys.stderr):
            found = record(lambda: runpy.run_path(program, run_name="__main__"), configuration, stack=stack)
    except pulumi.RunError as error:
        json.dump([asdict(one) for one in getattr(error, "problems", ())], sys.stdout)
        sys.exit(str(error))
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
