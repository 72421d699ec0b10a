"""Timing `sluice` as a process of its own, with its bytecode cached as an installed package has it.

The best run counts, since a busy machine only adds; the median is printed beside it. CPU is user and system time of the
whole process tree.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SLUICE = Path(sys.executable).parent / "sluice"


@dataclass(frozen=True)
class Run:
    """One process: wall and CPU seconds, and its peak memory in MiB."""

    wall: float
    cpu: float
    memory: float


@contextmanager
def workshop() -> Iterator[Path]:
    """A temporary folder; bytecode is written there, once, by a first run of the empty project in it."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = str(Path(folder, "bytecode"))
        (Path(folder, "empty") / "datasets").mkdir(parents=True)
        print(f"{os.cpu_count()} processors, load average {os.getloadavg()[0]:.1f}")
        yield Path(folder)


def sluice(root: Path, *command: str, exit_code: int = 0) -> Run:
    """One `sluice` process. Ends the benchmark where it exits otherwise than expected."""
    started = time.perf_counter()
    with subprocess.Popen(
        [SLUICE, "--project", root, *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        output = process.stderr.read() if process.stderr else b""
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != exit_code:
        raise SystemExit(f"sluice {' '.join(command)} exited with {process.returncode}:\n{output.decode()}")
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def report(title: str, manifests: int, runs: list[Run]) -> None:
    """The best run, and the median."""
    best, median = min(run.wall for run in runs), statistics.median(run.wall for run in runs)
    cpu = min(run.cpu for run in runs)
    each = f"{cpu / manifests * 1e6:6.0f} us CPU each" if manifests else ""
    memory = max(run.memory for run in runs)
    print(f"{title:32} {best:6.3f} s wall (median {median:.3f})  {cpu:6.3f} s CPU  {memory:4.0f} MiB  {each}")
