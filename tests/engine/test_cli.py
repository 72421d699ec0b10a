"""The plain CLI, as a user has it: Pulumi.yaml and __main__.py, with the language host of this project."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest

from dev.stack import STACK
from tests.engine.project import Project

DATASET = "monitoring_events"


def test_preview_up_preview_destroy(project: Project) -> None:
    preview = project.pulumi("preview", "--diff")
    assert "CREATE TABLE" in preview
    assert project.resources() == {}

    project.pulumi("up", "--yes", "--skip-preview")
    outputs = json.loads(project.pulumi("stack", "output", "--json"))
    assert set(outputs["datasets"]) == {DATASET}
    with psycopg.connect(**project.postgres) as connection:
        found = connection.execute("SELECT count(*) FROM datasets.monitoring_events").fetchone()
        assert found == (0,)
    assert "unchanged" in project.pulumi("preview", "--expect-no-changes")

    project.pulumi("destroy", "--yes", "--skip-preview")
    assert project.resources() == {}


def test_what_the_program_refuses_is_told_once_and_changes_nothing(project: Project) -> None:
    manifest = project.folder / "datasets" / DATASET / "dataset.json"
    manifest.write_text(manifest.read_text().replace('"owner"', '"ownr"', 1))
    told = project.pulumi("up", "--yes", "--skip-preview", code=1)
    assert told.count('There is no field "ownr"') == 1
    assert "Traceback" not in told
    assert [urn for urn in project.resources() if "pulumi:Stack" not in urn] == []


def test_secrets_of_the_configuration_are_on_no_command_line(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The language host hands the job to the program on stdin."""
    program = project.folder / "__main__.py"
    program.write_text(
        "import pathlib, pulumi, sys\n"
        "assert pulumi.Config('sluice').require_secret('word')\n"
        "own = pathlib.Path('/proc/self')\n"
        f"pathlib.Path({str(tmp_path / 'seen')!r}).write_bytes((own / 'cmdline').read_bytes() + (own / 'environ').read_bytes())\n"
    )
    project.pulumi("config", "set", "--secret", "sluice:word", "sesame-of-the-test", "--stack", STACK)
    project.pulumi("preview")
    assert b"sesame-of-the-test" not in (tmp_path / "seen").read_bytes()
