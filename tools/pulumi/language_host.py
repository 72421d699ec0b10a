"""The engine's language host for Python programs: starts the program, and says what became of it.

The engine runs `pulumi-language-python ADDRESS` and reads the port of this server from the first line of stdout; what
comes after it on stdout and stderr is shown to the user. Only what a program of this project needs is served:
packages are never installed from here, and no code is generated. The published host is a Go program that comes with
the Pulumi CLI, not with its Go modules; this one serves the same protocol (`pulumi/language.proto`).

The program runs in a process of its own (`program.py`) with the interpreter that Pulumi.yaml's `virtualenv` names, or
that of this host. Its job, which holds the stack's configuration with its secrets, goes to its stdin: a command line
and an environment can be read by others.
"""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import language_pb2 as messages
from pulumi.runtime.proto import language_pb2_grpc, plugin_pb2

PROGRAM = Path(__file__).with_name("program.py")
SAID_ITSELF = 32  # the program ends with it after it has told the engine what is wrong
LARGEST_MESSAGE_BYTES = 400 * 1024 * 1024  # the engine's own limit
PARENT_SECONDS = 1.0


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    """Serves one engine. Every process that it starts ends with it."""

    def __init__(self, engine: str) -> None:
        self._engine = engine
        self._children: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()

    def Handshake(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002 - the protocol's method
        """Take the engine's address, which newer engines give here."""
        self._engine = request.engine_address or self._engine
        return messages.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002 - the protocol's method
        """No version: this host belongs to the project, not to a release of Pulumi."""
        return plugin_pb2.PluginInfo()

    def About(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002 - the protocol's method
        """The interpreter, for `pulumi about`."""
        return messages.AboutResponse(executable=interpreter(request.info), version=platform.python_version())

    def GetRequiredPackages(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002 - the protocol's method
        """None: the engine looks for a plugin on the PATH when a resource first needs it."""
        return messages.GetRequiredPackagesResponse()

    def GetProgramDependencies(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002 - the protocol's method
        """Every distribution beside the interpreter, direct or not, for `pulumi about`."""
        listing = [interpreter(request.info), "-m", "pip", "list", "--format", "json"]
        found = json.loads(subprocess.run(listing, capture_output=True, check=True).stdout)
        return messages.GetProgramDependenciesResponse(
            dependencies=[messages.DependencyInfo(name=one["name"], version=one["version"]) for one in found]
        )

    def Run(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's method
        """Run the program to its end."""
        command = [interpreter(request.info), "-P", "-u", str(PROGRAM)]
        child = subprocess.Popen(command, cwd=request.pwd, stdin=subprocess.PIPE)
        context.add_callback(
            child.terminate
        )  # the engine hangs up when it is interrupted; harmless after the end
        with self._lock:
            self._children.add(child)
        child.communicate(json.dumps(self._job(request)).encode())
        with self._lock:
            self._children.discard(child)
        if child.returncode == SAID_ITSELF:
            return messages.RunResponse(bail=True)
        code = child.returncode
        return messages.RunResponse(error=f"The program ended with exit code {code}." if code else "")

    def Cancel(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002 - the protocol's method
        """End whatever runs."""
        self.end()
        return empty_pb2.Empty()

    def end(self) -> None:
        """Ask every process that this host started to end."""
        with self._lock:
            for child in self._children:
                child.terminate()

    def _job(self, request: Any) -> dict[str, Any]:
        return {
            "program": request.info.entry_point or ".",
            "arguments": list(request.args),
            "configuration": dict(request.config),
            "secret_keys": list(request.configSecretKeys),
            "settings": {
                "monitor": request.monitor_address,
                "engine": self._engine,
                "project": request.project,
                "stack": request.stack,
                "organization": request.organization,
                "parallel": request.parallel,
                "dry_run": request.dryRun,
                "root_directory": request.info.root_directory,
            },
        }


def interpreter(info: Any) -> str:
    """The Python that runs the program: of the virtual environment in Pulumi.yaml, if it names one."""
    options: Mapping[str, Any] = info.options
    if "virtualenv" not in options:
        return sys.executable
    return str(Path(info.root_directory) / options["virtualenv"] / "bin" / "python")


def main() -> None:
    """Serve until the engine that started this host is gone."""
    parent = os.getppid()
    host = LanguageHost(engine=sys.argv[-1])
    size = [("grpc.max_receive_message_length", LARGEST_MESSAGE_BYTES)]
    server = grpc.server(ThreadPoolExecutor(max_workers=8), options=size)
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(host, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    asked = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):  # the engine's way to end a plugin
        signal.signal(number, lambda *_: asked.set())
    print(port, flush=True)
    # An engine that is killed hangs up on nobody.
    while not asked.wait(PARENT_SECONDS) and os.getppid() == parent:
        pass
    host.end()
    server.stop(grace=None)


if __name__ == "__main__":
    main()
