"""`sluice dev` as it is typed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from dev import processes
from dev.resources.ledger import Ledger
from dev.state import HOME_VARIABLE, Paths
from tests.dev.test_environment import DATASETS, every_pid, make_project
from tests.support.waiting import until

SECONDS = 120


def command(project: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "compiler.cli.main", "--project", str(project), "dev", *arguments]


def environ() -> dict[str, str]:
    """Ours, with the state where the project is."""
    return {name: value for name, value in os.environ.items() if name != HOME_VARIABLE}


def sluice(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(project, *arguments),
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
        env=environ(),
    )


@pytest.mark.parametrize("name", ["up", "down", "status", "check", "letters"])
def test_help_of_each_command(tmp_path: Path, name: str) -> None:
    found = sluice(tmp_path, name, "--help")
    assert found.returncode == 0
    assert "Usage:" in found.stdout


def test_status_of_nothing(tmp_path: Path) -> None:
    make_project(tmp_path)
    found = sluice(tmp_path, "status")
    assert (found.returncode, found.stderr) == (0, "")
    assert "is not up" in found.stdout
    assert not (tmp_path / ".sluice").exists()


def test_down_of_nothing(tmp_path: Path) -> None:
    make_project(tmp_path)
    found = sluice(tmp_path, "down")
    assert found.returncode == 0, found.stderr
    assert not (tmp_path / ".sluice").exists()


def test_the_commands_tell_what_they_did(tmp_path: Path) -> None:
    project = make_project(tmp_path, DATASETS[:1])
    try:
        up = sluice(project, "up")
        assert up.returncode == 0, up.stderr
        assert "aws:sqs/queue:Queue" in up.stdout
        assert f"PGSERVICEFILE={tmp_path / '.sluice' / 'pg_service.conf'} psql service=sluice" in up.stdout
        again = json.loads(sluice(project, "up", "--format", "json").stdout)
        assert list(again["resources"]) == ["unchanged"]
        assert again["resources"]["unchanged"]["aws:sqs/queue:Queue"] == 2
        assert again["datasets"] == list(DATASETS[:1])
        status = sluice(project, "status", "--format", "json")
        assert status.returncode == 0
        found = json.loads(status.stdout)
        assert [(one["visible"], one["dead_letters"], one["rows"]) for one in found["datasets"]] == [
            (0, 0, 0)
        ]
        sink = next(iter(found["datasets"]))["sink"]
        assert sink["waits_for"] == {}
        assert sink["url"] in sluice(project, "status").stdout
        psutil.Process(sink["pid"]).kill()
        until(lambda: sluice(project, "status").returncode == 1)
        assert sink["name"] in sluice(project, "status").stderr
    finally:
        down = sluice(project, "down")
    assert "stopped and deleted" in down.stdout


@pytest.mark.parametrize("text", ["{", '{"sinks": [{}]}'])
def test_down_gets_past_a_damaged_file_and_leaves_no_process(tmp_path: Path, text: str) -> None:
    """What the file was about is found without it: nobody is told to run the command that just failed."""
    project, paths = make_project(tmp_path, ()), Paths(tmp_path / ".sluice").ensure()
    sink = processes.start(
        "sink alert_events",
        [sys.executable, "-c", "import signal; signal.pause()"],
        log=paths.log("sink-alert_events"),
        env=environ(),
        cwd=tmp_path,
    )
    try:
        (paths.root / "sinks.json").write_text(text)
        status = sluice(project, "status")
        assert status.returncode == 1
        assert "sinks.json: damaged. `sluice dev down` stops what runs and deletes the file" in status.stderr
        down = sluice(project, "down")
        assert (down.returncode, down.stderr) == (0, "")
        assert "sinks.json deleted, 1 processes stopped" in down.stdout
        assert not processes.is_alive(sink)
        assert not paths.root.exists()
    finally:
        processes.stop(sink)


def test_an_interrupted_up_is_cleaned_by_down(tmp_path: Path) -> None:
    project, paths = make_project(tmp_path, DATASETS[:1]), Paths(tmp_path / ".sluice")
    up = subprocess.Popen(
        command(project, "up"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=environ(),
    )
    try:
        until(lambda: paths.resources.exists() and len(Ledger.load(paths.resources).records) > 3)
        os.killpg(up.pid, signal.SIGINT)
        _, stderr = up.communicate(timeout=SECONDS)
        assert up.returncode == 130, stderr
        assert "sluice dev down" in stderr
        status = sluice(project, "status")
        assert status.returncode == 1
        assert "did not come to its end: it came as far as resources" in status.stderr
    finally:
        pids = every_pid(paths)
        down = sluice(project, "down")
    assert down.returncode == 0, down.stderr
    assert pids
    assert [pid for pid in pids if psutil.pid_exists(pid)] == []
    assert not paths.root.exists()
