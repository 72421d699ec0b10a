"""`python -m dev.program --project FOLDER --home FOLDER`: run the project's Pulumi program with no engine.

The program is the same `__main__.py` that `pulumi up` runs. In the engine's place stands a monitor that brings each
registered resource to its inputs through its handler, as it is declared; the SDK itself waits for inputs and
`depends_on`, so the order is the engine's. Pulumi's runtime is global to a process, hence a process of its own.

stdout is JSON lines: one for each resource, then `{"exports": …}` or `{"failure": …}`. What the program prints goes
to stderr. Passwords and keys come from the environment's own state files and are put into this process's environment,
never on a command line.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import runpy
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

import pulumi
from psycopg.conninfo import make_conninfo
from pulumi.runtime import rpc
from pulumi.runtime.config import set_all_config
from pulumi.runtime.mocks import MockCallArgs, MockMonitor, MockResourceArgs, Mocks, set_mocks
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.settings import set_root_resource
from pulumi.runtime.stack import run_in_stack
from pulumi.runtime.sync_await import _ensure_event_loop, _sync_await

from dev import stack
from dev.emulator.launch import Emulator
from dev.emulator.state import EmulatorState
from dev.postgres import Address, PostgresServer
from dev.resources.apply import Event, Run
from dev.resources.context import Context
from dev.resources.dynamic import PROVIDER
from dev.resources.handler import ResourceError
from dev.resources.ledger import Ledger
from dev.resources.wire import exact
from dev.state import DevError, Paths

STACK_TYPE = "pulumi:pulumi:Stack"


class _NoMocks(Mocks):
    """The SDK asks for an object; the monitor below answers everything itself."""

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        raise NotImplementedError(args.typ)

    def call(self, args: MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        raise NotImplementedError(args.token)


class Monitor(MockMonitor):
    """The engine's place: registrations go to a `Run`. `exports` are the stack's outputs once the program has ended."""

    def __init__(self, run: Run) -> None:
        super().__init__(_NoMocks())
        self.exports: dict[str, Any] = {}
        self._run = run

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the engine's method
        """Bring one resource to its inputs. Components are only names."""
        urn = self.make_urn(request.parent, request.type, request.name)
        if not request.custom:
            return resource_pb2.RegisterResourceResponse(urn=urn)
        _ensure_event_loop()  # type: ignore[no-untyped-call]  # a thread of the SDK's pool has none
        inputs = _plain(request.type, request.name, rpc.deserialize_properties(request.object))
        retain = request.retainOnDelete or request.protect
        identity, outputs = self._run.register(request.type, request.name, inputs, retain=retain)
        answer = _sync_await(rpc.serialize_properties(outputs, {}))
        return resource_pb2.RegisterResourceResponse(urn=urn, id=identity, object=answer)

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802 - the engine's method
        """Keep the stack's outputs; a component's are of no use here."""
        if f"::{STACK_TYPE}::" in request.urn:
            _ensure_event_loop()  # type: ignore[no-untyped-call]  # a thread of the SDK's pool has none
            self.exports = _plain(STACK_TYPE, stack.STACK, rpc.deserialize_properties(request.outputs))
        return super().RegisterResourceOutputs(request)  # type: ignore[no-untyped-call]

    def ReadResource(self, request: Any) -> Any:  # noqa: N802 - the engine's method
        """Refuse: nothing exists here that this program did not make."""
        raise ResourceError(
            f"{request.type} {request.name!r}: the embedded environment cannot look up existing resources."
        )

    def Invoke(self, request: Any) -> Any:  # noqa: N802 - the engine's method
        """Refuse: no provider is there to ask."""
        raise ResourceError(f"the embedded environment cannot call the provider function {request.tok}.")


def _plain(token: str, name: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    """The properties, where none is a secret: they are written to `.sluice/resources.json`.

    A dynamic provider's own reference is marked as a secret by default; it is none. Every number on the wire is a
    float; integral ones become integers.
    """
    found = {key: exact(rpc.unwrap_rpc_secret(value)) for key, value in properties.items()}
    secret = sorted(key for key, value in properties.items() if rpc.is_rpc_secret(value) and key != PROVIDER)
    if secret:
        raise ResourceError(
            f"{token} {name!r}: {', '.join(secret)} holds a secret, which no state may hold. Pass a reference to it."
        )
    return found


def run_program(project: Path, run: Run) -> dict[str, Any]:
    """Run `__main__.py` of the project and return its exports. Raises what the program raises, or ResourceError."""
    monitor, loop = Monitor(run), asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    set_all_config(dict(run.context.configuration))
    set_mocks(_NoMocks(), project=run.context.project, stack=stack.STACK, preview=False, monitor=monitor)
    set_root_resource(None)  # type: ignore[arg-type]  # `run_in_stack` makes the root anew, and its exports with it
    program: Callable[[], None] = lambda: _execute(project / "__main__.py")  # noqa: E731
    try:
        loop.run_until_complete(run_in_stack(program))
    except Exception as error:
        if run.failure is not None:  # what the SDK raises by then is an echo of it
            raise run.failure from error
        raise
    run.finish()
    return monitor.exports


def _execute(program: Path) -> None:
    runpy.run_path(str(program), run_name="__main__")


def secret_environment(emulator: EmulatorState, address: Address) -> dict[str, str]:
    """The administrators' credentials for the dynamic providers, which take them from the environment."""
    return {
        stack.ADMIN_VARIABLE: make_conninfo("", **address.conninfo()),
        "AWS_ACCESS_KEY_ID": emulator.admin.access_key_id,
        "AWS_SECRET_ACCESS_KEY": emulator.admin.secret_access_key,
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": emulator.endpoint_url,
        "AWS_REGION": emulator.region,
        "AWS_DEFAULT_REGION": emulator.region,
        "NO_PROXY": "127.0.0.1",
    }


def _context(project: Path, paths: Paths) -> Context:
    emulator, address = Emulator(paths).status(), PostgresServer(paths).status().address
    if emulator is None or address is None:
        raise DevError("The emulator or Postgres does not run. Run `sluice dev up`.")
    os.environ.update(secret_environment(emulator, address))
    name = stack.project_name(project)
    return Context(
        emulator=emulator,
        postgres=address.conninfo(),
        project=name,
        configuration={
            **{f"{name}:{key}": value for key, value in stack.configured(address).items()},
            f"{name}:region": emulator.region,
        },
        paths=paths,
    )


def main() -> None:
    """Run the program; exit 1 after a failure, which is also the last line of stdout."""
    parser = argparse.ArgumentParser(prog="python -m dev.program", description="Run the Pulumi program.")
    parser.add_argument("--project", type=Path, required=True, help="the folder of __main__.py")
    parser.add_argument("--home", type=Path, required=True, help="the environment's state folder")
    arguments = parser.parse_args()
    lines = _own_stdout()
    paths = Paths(arguments.home)
    try:
        context = _context(arguments.project, paths)
        run = Run(
            context, Ledger.load(paths.resources), lambda event: _say(lines, {"resource": _json(event)})
        )
        _say(lines, {"exports": run_program(arguments.project, run)})
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the program may raise anything; the caller shows it
        traceback.print_exc()
        _say(lines, {"failure": _failure(error)})
        sys.exit(1)


def _own_stdout() -> TextIO:
    """The real stdout for our lines; what the program prints joins stderr."""
    lines = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return lines


def _say(lines: TextIO, document: Mapping[str, Any]) -> None:
    print(json.dumps(document, sort_keys=True), file=lines, flush=True)


def _json(event: Event) -> dict[str, Any]:
    return asdict(event)


def _failure(error: BaseException) -> str:
    known = isinstance(error, DevError | pulumi.RunError)
    return str(error) if known and str(error) else f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    main()
