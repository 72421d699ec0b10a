"""Start `dev.program` as a child process and follow what it says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dev import processes
from dev.resources.apply import Action, Event
from dev.state import DevError, Paths

PACKAGES = Path(__file__).resolve().parents[1]
# Settings of the user's own that would lead the program elsewhere.
FOREIGN = ("AWS_", "PG", "PULUMI_", "SLUICE_", "MOTO_")
STOP_SECONDS = 5.0


def run(project: Path, paths: Paths, report: Callable[[Event], None]) -> dict[str, Any]:
    """Run the project's program on the running servers and return its exports.

    `report` gets each resource as it is dealt with. Raises DevError with the failure, which names the resource.
    """
    argv = [sys.executable, "-m", "dev.program", "--project", str(project), "--home", str(paths.root)]
    failure, exports = None, None
    with _child(argv, project, paths.log("program")) as child:
        for document in _documents(child):
            failure = document.get("failure", failure)
            exports = document.get("exports", exports)
            if "resource" in document:
                report(_event(document["resource"]))
    if failure is not None:
        raise DevError(str(failure))
    if child.returncode != 0 or exports is None:
        log = paths.log("program")
        raise DevError(
            f"The Pulumi program ended with {child.returncode}. The end of {log}:\n{processes.last_lines(log)}"
        )
    return dict(exports)


@contextmanager
def _child(argv: list[str], project: Path, log: Path) -> Iterator[subprocess.Popen[str]]:
    """The child in our own process group, so that Ctrl-C reaches it too; ended when this ends."""
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        child = subprocess.Popen(
            argv,
            cwd=project,
            env=child_environment(os.environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=output,
            text=True,
            encoding="utf-8",
        )
    finally:
        os.close(output)
    try:
        yield child
        child.wait()
    finally:
        _end(child)


def _end(child: subprocess.Popen[str]) -> None:
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
    if child.stdout is not None:
        child.stdout.close()


def child_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The caller's environment without the settings of other tools, and with our packages to be found."""
    kept = {name: value for name, value in environ.items() if not name.startswith(FOREIGN)}
    found = [str(PACKAGES), *filter(None, [kept.get("PYTHONPATH")])]
    return {**kept, "PYTHONPATH": os.pathsep.join(found), "PYTHONUTF8": "1"}


def _documents(child: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
    for line in child.stdout or ():
        yield json.loads(line)


def _event(document: Mapping[str, Any]) -> Event:
    return Event(**{**document, "action": Action(document["action"])})
