"""`python -m bench.check`: what `sluice check` costs on 1,000 manifests, without and with their migration chains.

Each run is a process of its own, as a person or CI starts it, with its bytecode cached as an installed package has it.
The best run counts, since a busy machine only adds; the median is printed beside it. CPU is user and system time of the
whole process tree.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench.manifests import write_project

SLUICE = Path(sys.executable).parent / "sluice"


@dataclass(frozen=True)
class Run:
    """One process: wall and CPU seconds, and its peak memory in MiB."""

    wall: float
    cpu: float
    memory: float


def main() -> None:
    """Generate, plan, check, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--manifests", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = str(Path(folder, "bytecode"))
        root, empty = Path(folder, "project"), Path(folder, "empty")
        (empty / "datasets").mkdir(parents=True)
        write_project(root, arguments.manifests)
        print(f"{os.cpu_count()} processors, load average {os.getloadavg()[0]:.1f}")
        _sluice("check", empty)  # writes the bytecode
        _measure("start-up alone, no manifest", empty, arguments)
        _measure(f"{arguments.manifests:,} manifests, no chain yet", root, arguments)
        _sluice("plan", root)
        _measure(f"{arguments.manifests:,} manifests with chains", root, arguments)


def _measure(title: str, root: Path, arguments: argparse.Namespace) -> None:
    count = len(list((root / "datasets").iterdir()))
    _report(title, count, [_sluice("check", root) for _ in range(arguments.runs)])


def _sluice(command: str, root: Path) -> Run:
    started = time.perf_counter()
    with subprocess.Popen(
        [SLUICE, "--project", root, command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        output = process.stderr.read() if process.stderr else b""
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"sluice {command} failed:\n{output.decode()}")
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def _report(title: str, manifests: int, runs: list[Run]) -> None:
    best, median = min(run.wall for run in runs), statistics.median(run.wall for run in runs)
    cpu = min(run.cpu for run in runs)
    each = f"{cpu / manifests * 1e6:6.0f} us CPU each" if manifests else ""
    memory = max(run.memory for run in runs)
    print(f"{title:32} {best:6.3f} s wall (median {median:.3f})  {cpu:6.3f} s CPU  {memory:4.0f} MiB  {each}")


if __name__ == "__main__":
    main()
