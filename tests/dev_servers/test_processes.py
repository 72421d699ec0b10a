"""Detached processes are known by identity, outlive their starter, and are ended for good."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from dev import processes
from dev.processes import ProcessRecord
from dev.state import DevError

PROJECT = Path(__file__).resolve().parents[2]
STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"])
print("child", child.pid, flush=True)
time.sleep(600)
"""


class Started:
    """Starts processes for one test and ends them after it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.records: list[ProcessRecord] = []

    def __call__(self, program: str, **environment: str) -> ProcessRecord:
        record = processes.start(
            "test",
            [sys.executable, "-u", "-c", program],
            log=self.folder / "test.log",
            env=environment,
            cwd=self.folder,
        )
        self.records.append(record)
        return record

    def says(self, record: ProcessRecord, text: str) -> str:
        def found() -> str | None:
            log = record.log.read_text()
            return log if text in log else None

        return processes.wait_ready(record, found, seconds=30)


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Started]:
    started = Started(tmp_path)
    yield started
    for record in started.records:
        processes.stop(record, first=signal.SIGKILL)


def test_a_child_runs_detached_with_its_own_environment(started: Started) -> None:
    program = (
        "import os, time; print(os.getsid(0) == os.getpid(), sorted(os.environ), 'ready'); time.sleep(600)"
    )
    record = started(program, ONLY="this")
    log = started.says(record, "ready")
    assert log.startswith("True")
    assert "ONLY" in log
    assert "HOME" not in log
    assert record.log.stat().st_mode & 0o777 == 0o600
    assert processes.is_alive(record)
    processes.stop(record)
    assert not processes.is_alive(record)
    processes.stop(record)


def test_a_record_survives_json(started: Started) -> None:
    record = started("import time; time.sleep(600)")
    assert ProcessRecord.from_json(json.loads(json.dumps(record.to_json()))) == record


def test_another_process_with_the_same_pid_is_left_alone(started: Started) -> None:
    record = started("import time; print('ready'); time.sleep(600)")
    started.says(record, "ready")
    recycled = dataclasses.replace(record, create_time=record.create_time - 60)
    assert not processes.is_alive(recycled)
    processes.stop(recycled)
    assert processes.is_alive(record)


def test_what_ignores_sigterm_is_killed_with_its_children(started: Started) -> None:
    record = started(STUBBORN)
    log = started.says(record, "up")
    child = int(next(line.split()[1] for line in log.splitlines() if line.startswith("child")))
    processes.stop(record, seconds=0.2)
    assert not processes.is_alive(record)
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE


def test_a_child_outlives_its_starter_and_is_stopped_by_another_process(tmp_path: Path) -> None:
    program = (
        "import json, sys; from pathlib import Path; from dev import processes;"
        "print(json.dumps(processes.start('x', [sys.executable, '-c', 'import time; time.sleep(600)'],"
        "log=Path(sys.argv[1]), env={}, cwd=Path('/')).to_json()))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "log"],
        cwd=PROJECT,
        check=True,
        capture_output=True,
        text=True,
    )
    record = ProcessRecord.from_json(json.loads(answer.stdout))
    assert processes.is_alive(record)
    processes.stop(record)
    assert not processes.is_alive(record)


def test_one_that_ends_while_it_starts_is_reported_with_its_last_words(started: Started) -> None:
    record = started("raise SystemExit('no such luck')")
    with pytest.raises(DevError, match=r"(?s)ended while it started.*no such luck"):
        processes.wait_ready(record, lambda: None, seconds=30)
    assert not processes.is_alive(record)  # a zombie is not alive


def test_one_that_never_gets_ready_is_reported(started: Started) -> None:
    with pytest.raises(DevError, match="not ready after"):
        processes.wait_ready(started("import time; time.sleep(600)"), lambda: None, seconds=0.1)


def test_a_program_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        processes.start("x", [str(tmp_path / "missing")], log=tmp_path / "log", env={}, cwd=tmp_path)


def test_the_pid_of_this_very_process_can_be_recorded(tmp_path: Path) -> None:
    assert processes.is_alive(processes.record_of(os.getpid(), name="self", log=tmp_path / "log"))
