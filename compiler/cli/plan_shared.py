"""What the ways to plan share: the folders of datasets, one that is compiled, and a chain's findings as problems."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from compiler.cli.common import DATASETS, stop
from compiler.pipeline import CompiledDataset, compile_datasets
from compiler.problems import Finding, Problem, errors


def dataset_folders(root: Path, names: Iterable[str]) -> tuple[Path, ...]:
    """The folders of the named datasets. Raises click.UsageError for a name that has none."""
    folders = tuple(root / DATASETS / name for name in names)
    for folder in folders:
        if not folder.is_dir():
            from compiler.suggest import fix_for, quoted

            known = [path.name for path in (root / DATASETS).iterdir() if path.is_dir()]
            question = fix_for(folder.name, known, "See sluice check.")
            raise click.UsageError(f"There is no dataset {quoted(folder.name)}. {question}")
    return folders


def problem_of(finding: Finding) -> Problem:
    """A chain's finding where it is told: in its own file."""
    return Problem(
        str(finding.file), finding.rule, finding.message, fix=finding.fix, severity=finding.severity
    )


def compiled(folder: Path) -> CompiledDataset:
    """The dataset of a folder; what is wrong with its manifest ends the run."""
    compilation = compile_datasets(Path(), (folder,))
    if errors(compilation.problems):
        stop(compilation.problems)
    return compilation.datasets[0]
