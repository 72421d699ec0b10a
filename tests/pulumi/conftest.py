"""A project of its own for each test: the real program and datasets, planned, in a folder that a test may change."""

from __future__ import annotations

import json
import runpy
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from compiler.emit.graph import Graph
from compiler.migrate.propose import propose, write
from compiler.pipeline import compile_datasets
from tests.pulumi.recording import EMBEDDED, record

ROOT = Path(__file__).resolve().parents[2]
FILES = ("Pulumi.yaml", "Pulumi.embedded.yaml", "__main__.py")


class Project:
    """A copy of the repository's program and datasets."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in FILES:
            shutil.copy(ROOT / name, folder / name)
        shutil.copytree(ROOT / "datasets", folder / "datasets", ignore=shutil.ignore_patterns("examples"))

    def manifest(self, name: str, change: Callable[[dict[str, Any]], None]) -> None:
        """Change a dataset's manifest in place."""
        path = self.folder / "datasets" / name / "dataset.json"
        value = json.loads(path.read_text())
        change(value)
        path.write_text(json.dumps(value))

    def plan(self) -> None:
        """Write the migrations that are missing, as `sluice plan` does."""
        for one in compile_datasets(self.folder).require():
            write(propose(one.dataset, one.folder))

    def record(
        self,
        configuration: dict[str, str] | None = None,
        stack: str = "embedded",
        references: dict[str, Any] | None = None,
    ) -> Graph:
        """Run the program and return what it declared."""
        program = str(self.folder / "__main__.py")
        return record(
            lambda: runpy.run_path(program, run_name="__main__"),
            EMBEDDED if configuration is None else configuration,
            stack=stack,
            references=references,
        )


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The real datasets with their migrations; the working folder is the project's."""
    made = Project(tmp_path)
    monkeypatch.chdir(tmp_path)
    made.plan()
    return made


@pytest.fixture(scope="session")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Graph]:
    """What the program declares for the real datasets in the embedded stack."""
    made = Project(tmp_path_factory.mktemp("project"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made.folder)
        made.plan()
        yield made.record()
