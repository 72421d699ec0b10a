"""What a process has cost so far, from /proc: it may still run, and be of any language."""

from __future__ import annotations

import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """User and system time of all its threads, to a hundredth of a second; children that have ended are not in it."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def memory_mib(pid: int, name: str = "VmHWM") -> float:
    """Its peak resident memory, or with `VmRSS` what is resident now."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    raise ProcessLookupError(f"{pid} has no {name}")


def thread_seconds(pid: int) -> dict[int, float]:
    """User and system time of each of its threads that still runs, by thread id."""
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        fields = (task / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        found[int(task.name)] = (int(fields[11]) + int(fields[12])) / _TICKS
    return found
