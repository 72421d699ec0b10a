"""Where the sink's CPU goes while it drains a queue; the sink itself is not changed for it.

threads    user and system time of each, from /proc: exact
libraries  by `perf`, where it is installed: Python's interpreter, the kernel, libcurl, the schema validator, ...
lines      by py-spy, of threads that hold the interpreter's lock: what the Python code costs, own and with callees
"""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

from bench.processes import thread_seconds
from bench.sink.contenders import OURS
from bench.sink.measure import Load, draining
from bench.sink.world import World
from bench.sqs.client import Server

SAMPLES_A_SECOND = 250
_THREAD = re.compile(r"thread \((\d+)\): (.*)")


def profile(world: World, server: Server, load: Load, top: int) -> None:
    """Drain by this sink under py-spy, then again under perf, and print."""
    lines, seconds = _under_py_spy(world, server, load)
    stacks = [(stack.split(";"), int(count)) for stack, _, count in (line.rpartition(" ") for line in lines)]
    print(f"\nprofile, {load.title}: {load.rows:,} rows")
    _print_threads(stacks, seconds, load)
    if shutil.which("perf"):
        _print_libraries(_under_perf(world, server, load))
    own, whole = Counter[str](), Counter[str]()
    for frames, count in stacks:
        own[frames[-1]] += count
        for frame in {_function(frame) for frame in frames[1:]}:
            whole[frame] += count
    _print("Python's own time, by line", own, top, own.total())
    _print("Python's time with what it calls", whole, top, own.total())


def _under_py_spy(world: World, server: Server, load: Load) -> tuple[list[str], dict[int, float]]:
    found, log = world.folder / "profile.txt", world.folder / "py-spy.log"
    command = [str(Path(sys.executable).parent / "py-spy"), "record", "--format", "raw", "--threads", "--gil"]
    command += ["--nonblocking", "--rate", str(SAMPLES_A_SECOND), "--output", str(found)]
    with draining(OURS, world, server, load) as (running, wait), log.open("wb") as output:
        before = thread_seconds(running.pid)
        with subprocess.Popen([*command, "--pid", str(running.pid)], stdout=output, stderr=output) as spy:
            server.control("release")
            wait()
            spent = {
                thread: cpu - before.get(thread, 0.0) for thread, cpu in thread_seconds(running.pid).items()
            }
            spy.send_signal(signal.SIGINT)
            spy.wait(30)
    if not found.exists():
        raise SystemExit(log.read_text(encoding="utf-8"))
    return found.read_text(encoding="utf-8").splitlines(), spent


def _under_perf(world: World, server: Server, load: Load) -> str:
    data = world.folder / "perf.data"
    with draining(OURS, world, server, load) as (running, wait):
        command = ["perf", "record", "-F", "500", "-p", str(running.pid), "-o", str(data)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as perf:
            server.control("release")
            wait()
            perf.send_signal(signal.SIGINT)
            perf.wait(30)
    command = ["perf", "report", "-i", str(data), "--sort", "dso", "--percent-limit", "0.5", "--stdio"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _print_threads(stacks: list[tuple[list[str], int]], seconds: dict[int, float], load: Load) -> None:
    names = {int(found[1]): found[2] for frames, _ in stacks if (found := _THREAD.match(frames[0]))}
    kinds: Counter[str] = Counter()
    for thread, cpu in seconds.items():
        kinds[names.get(thread, "others").rstrip("-0123456789")] += int(cpu * 1e6)
    print(f"\n  threads, us of CPU a row (under py-spy): {sum(kinds.values()) / load.rows:.1f}")
    for kind, micros in kinds.most_common():
        print(f"  {micros / load.rows:7.1f}  {kind}")


def _print_libraries(report: str) -> None:
    print("\n  libraries")
    for line in report.splitlines():
        if line.strip() and not line.startswith("#"):
            print(f"  {line.strip()}")


def _print(title: str, counted: Counter[str], top: int, total: int) -> None:
    print(f"\n  {title}")
    for name, count in counted.most_common(top):
        print(f"  {count / max(total, 1):7.1%}  {name}")


def _function(frame: str) -> str:
    """`name (file.py:12)` without its line."""
    return frame.rpartition(":")[0] + ")" if ".py:" in frame else frame
