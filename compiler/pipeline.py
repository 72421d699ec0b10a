"""The compiler on one page: every manifest of a project to datasets, or every problem of every one of them.

    discover    datasets/*/dataset.json
    load        bytes -> value with places -> RawManifest of the right shape      compiler/manifest/
    meaning     the rules of each manifest, and those of all together             compiler/rules/
    lower       RawManifest -> Dataset, complete and frozen                       compiler/lower.py
    prove       examples are what they are filed as, chains reach the manifest    compiler/examples.py, migrate/chain.py

Nothing is raised on the way; problems are values, ordered by place.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from compiler.dataset import Dataset
from compiler.examples import example_problems
from compiler.lower import lower, sealed
from compiler.manifest import Loaded, RawManifest, load, read
from compiler.manifest.assignment import assignment_problems
from compiler.manifest.tombstone import read_tombstone
from compiler.migrate.chain import chain_findings
from compiler.problems import Finding, Problem, ProblemsError, errors, ordered
from compiler.rules import CROSS_RULES, meaning_findings
from compiler.spread import spread

DATASETS = "datasets"
MANIFEST = "dataset.json"

Result = TypeVar("Result")


@dataclass(frozen=True)
class CompiledDataset:
    """A dataset and the folder that its files are in."""

    dataset: Dataset
    folder: Path


@dataclass(frozen=True)
class Compilation:
    """The datasets that have no error, by name, and the problems of all, by place."""

    datasets: tuple[CompiledDataset, ...]
    problems: tuple[Problem, ...]

    def require(self) -> tuple[CompiledDataset, ...]:
        """The datasets. Raises ProblemsError, with all problems, where one of them is an error."""
        if errors(self.problems):
            raise ProblemsError(self.problems)
        return self.datasets


@dataclass(frozen=True)
class Checked:
    """How many manifests were looked at, and the problems of all, by place."""

    manifests: int
    problems: tuple[Problem, ...]


def compile_datasets(root: Path, paths: Sequence[Path] = ()) -> Compilation:
    """Compile the manifests of the project at `root`, or only those that `paths` name.

    A path is a manifest, a dataset's folder, or a folder of such folders. Files are printed below `root` as it is given.
    """
    return _compilation([_compile(path, prove=False) for path in manifest_files(root, paths)])


def check_datasets(root: Path, paths: Sequence[Path] = ()) -> Compilation:
    """As compile_datasets, and prove the examples and the migration chains too."""
    found = _compilation([_compile(path, prove=True) for path in manifest_files(root, paths)])
    return Compilation(found.datasets, ordered([*found.problems, *_assignments(root, paths)]))


def check_problems(root: Path, paths: Sequence[Path] = ()) -> Checked:
    """What check_datasets finds, by several processes where there are many manifests; no dataset is kept."""
    outcomes = spread(_check, tuple(manifest_files(root, paths)))
    found = [*_shared_problems(outcomes), *_problems(outcomes), *_assignments(root, paths)]
    return Checked(len(outcomes), ordered(found))


def _assignments(root: Path, paths: Sequence[Path]) -> Iterator[Problem]:
    """What is wrong with the stacks' assignments; asked of a whole project only."""
    if not paths:
        yield from assignment_problems(root, [path.parent for path in manifest_files(root)])


def each_dataset(
    root: Path, paths: Sequence[Path], work: Callable[[CompiledDataset], Result]
) -> tuple[tuple[Result, ...], tuple[Problem, ...]]:
    """Compile as compile_datasets does, and have `work` done on each dataset without an error, in the order of names.

    Where there are many manifests several processes work, so `work` may read and must not write; its results are pickled.
    """
    done = spread(partial(_worked, work), tuple(manifest_files(root, paths)))
    outcomes = [outcome for outcome, _ in done]
    shared = _shared_problems(outcomes)
    wrong = {problem.file for problem in shared}
    results = sorted(
        (result for outcome, result in done if result and str(outcome.path) not in wrong),
        key=lambda result: result[0],
    )
    return tuple(result for _, result in results), ordered([*shared, *_problems(outcomes)])


def _compilation(outcomes: Sequence[_Outcome]) -> Compilation:
    shared = _shared_problems(outcomes)
    wrong = {problem.file for problem in shared}
    datasets = (one.dataset for one in outcomes if one.dataset and str(one.path) not in wrong)
    return Compilation(
        tuple(sorted(datasets, key=lambda one: one.dataset.name)), ordered([*shared, *_problems(outcomes)])
    )


def _problems(outcomes: Iterable[_Outcome]) -> Iterator[Problem]:
    return (problem for one in outcomes for problem in one.problems)


@dataclass(frozen=True)
class _Outcome:
    """What became of one manifest file; `manifest` is there when its shape is right, `dataset` when all is."""

    path: Path
    problems: tuple[Problem, ...]
    manifest: RawManifest | None
    dataset: CompiledDataset | None


def _check(path: Path) -> _Outcome:
    return _slim(_compile(path, prove=True))


def _worked(
    work: Callable[[CompiledDataset], Result], path: Path
) -> tuple[_Outcome, tuple[str, Result] | None]:
    outcome = _compile(path, prove=False)
    compiled = outcome.dataset
    return _slim(outcome), (compiled.dataset.name, work(compiled)) if compiled else None


def _slim(outcome: _Outcome) -> _Outcome:
    """Cut down to what the parent process needs: it is sent there.

    No rule over several manifests reads a record, and records are most of a manifest.
    """
    kept = outcome.manifest
    manifest = RawManifest({**kept.value, "record": {}}, kept.folder) if kept else None
    return _Outcome(outcome.path, outcome.problems, manifest, None)


def _compile(path: Path, *, prove: bool) -> _Outcome:
    loaded = load(path, str(path))
    problems = tuple(_own_problems(loaded))
    if not loaded.manifest or errors(problems):
        return _Outcome(path, problems, loaded.manifest, None)
    tombstone, wrong = read_tombstone(path.parent)
    if wrong:
        return _Outcome(path, (*problems, *wrong), loaded.manifest, None)
    dataset = CompiledDataset(sealed(lower(loaded.manifest), tombstone), loaded.manifest.folder)
    if prove:
        problems += tuple(_proof_problems(dataset, loaded))
    return _Outcome(path, problems, loaded.manifest, dataset)


def manifest_files(root: Path, paths: Sequence[Path] = ()) -> Iterator[Path]:
    """The manifests to look at, in order. A dataset's folder without one yields the path where it should be."""
    found = (file for place in paths or (root / DATASETS,) for file in _below(place))
    yield from sorted(dict.fromkeys(found))


def _below(place: Path) -> Iterator[Path]:
    if place.name.endswith(".json"):
        yield place
    elif (place / MANIFEST).exists() or place.parent.name == DATASETS:
        yield place / MANIFEST
    elif (place / DATASETS).is_dir():
        yield from _below(place / DATASETS)
    else:
        with os.scandir(place) as children:
            yield from (Path(child.path, MANIFEST) for child in children if _is_dataset_folder(child))


def _is_dataset_folder(child: os.DirEntry[str]) -> bool:
    return not child.name.startswith((".", "_")) and child.is_dir()


def _own_problems(loaded: Loaded) -> Iterator[Problem]:
    yield from loaded.problems
    yield from map(loaded.source.problem, loaded.findings)
    if loaded.manifest:
        yield from (_placed(loaded, finding) for finding in meaning_findings(loaded.manifest))
    elif loaded.remainder:
        found = meaning_findings(loaded.remainder)
        yield from (_placed(loaded, one) for one in found if loaded.doubtful.isdisjoint(one.pointer[:1]))


def _shared_problems(outcomes: Iterable[_Outcome]) -> list[Problem]:
    """The rules of all manifests together, told where each of them has its file."""
    paths = {id(one.manifest): one.path for one in outcomes if one.manifest}
    manifests = tuple(one.manifest for one in outcomes if one.manifest)
    found = ((paths[id(manifest)], finding) for rule in CROSS_RULES for manifest, finding in rule(manifests))
    return [_placed(load(path, str(path)), finding) for path, finding in found]


def _proof_problems(compiled: CompiledDataset, loaded: Loaded) -> Iterator[Problem]:
    folder = compiled.folder
    yield from example_problems(compiled.dataset, folder, str(folder))
    yield from (_placed(loaded, finding) for finding in chain_findings(compiled.dataset, folder))


def _placed(loaded: Loaded, finding: Finding) -> Problem:
    return _elsewhere(finding) if finding.file else loaded.source.problem(finding)


def _elsewhere(finding: Finding) -> Problem:
    """A finding in another file than the manifest, with its place where that is JSON."""
    file = str(finding.file)
    if finding.pointer and file.endswith(".json"):
        return read(Path(file), file).source.problem(finding)
    return Problem(file, finding.rule, finding.message, fix=finding.fix, severity=finding.severity)
