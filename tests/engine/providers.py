"""Providers that outlive the engine's runs: a test's own two, which each run takes instead of starting them anew.

A provider's start is most of its cost: the SDK's modules and the models of AWS' API. How the engine starts providers itself
is what the tests of the CLI, of secrets, of kills and of two stacks see.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

PACKAGES = ("aws", "postgresql")
VARIABLE = "PULUMI_DEBUG_PROVIDERS"  # of the engine: package:port, comma-separated


@contextmanager
def attached(environment: dict[str, str]) -> Iterator[dict[str, str]]:
    """Both providers under that environment; the environment by which an engine finds them."""
    with ExitStack() as stack:
        ports = {name: stack.enter_context(_serving(name, environment)) for name in PACKAGES}
        yield {**environment, VARIABLE: ",".join(f"{name}:{port}" for name, port in ports.items())}


@contextmanager
def _serving(name: str, environment: dict[str, str]) -> Iterator[int]:
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "dev.plugin", name], env=environment, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()
