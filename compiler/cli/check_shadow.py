"""`sluice check --shadow`: every chain is run on a Postgres of our own, and must come to the manifest's table."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from psycopg import Connection

from compiler.cli.plan_shared import problem_of
from compiler.cli.shadow import run, shadow
from compiler.dataset import Dataset
from compiler.migrate import catalog
from compiler.migrate.chain import ChainError, read_chain, version_folder
from compiler.migrate.difference import differences
from compiler.migrate.errors import MigrateError
from compiler.migrate.model import Chain
from compiler.migrate.planner import Nothing
from compiler.migrate.propose import propose
from compiler.migrate.relations import relation_at
from compiler.pipeline import CompiledDataset, compile_datasets
from compiler.problems import Problem
from compiler.table import table_of

_RULE = "shadow"
_REPORT = "Please report it with the chain."


def shadow_problems(root: Path, paths: Sequence[Path]) -> tuple[Problem, ...]:
    """What the chains do on a real server that they should not, for manifests that have no other problem."""
    datasets = compile_datasets(root, paths).datasets
    with shadow(one.dataset.schema for one in datasets) as connection:
        return tuple(problem for one in datasets for problem in _problems(connection, one))


def _problems(connection: Connection[Any], one: CompiledDataset) -> Iterator[Problem]:
    place = str(version_folder(one.folder, one.dataset.version))
    chain: Chain | None = None
    try:
        for version in _versions(one):
            chain = read_chain(one.folder, one.dataset.name, version)
            if chain is not None:
                place = str(version_folder(one.folder, version))
                run(connection, chain)
        if chain is not None:
            yield from _arrived(connection, one.dataset, place)
            yield from _planned(one, place)
    except ChainError as error:
        yield from map(problem_of, error.findings)
    except MigrateError as error:
        yield Problem(place, _RULE, f"On a shadow database: {error.message}", fix=error.fix)


def _versions(one: CompiledDataset) -> list[int]:
    """The versions that have a chain, up to the manifest's, which comes last."""
    place = one.folder / "migrations"
    names = [path.name for path in place.iterdir()] if place.is_dir() else []
    older = {int(name[1:]) for name in names if re.fullmatch(r"v[1-9][0-9]*", name)}
    return [*sorted(version for version in older if version < one.dataset.version), one.dataset.version]


def _arrived(connection: Connection[Any], dataset: Dataset, place: str) -> Iterator[Problem]:
    table = table_of(dataset)
    live = catalog.read(connection, relation_at(table))
    found = differences(table.shape.document.value, live.shape.document.value if live else None)
    wrong = (*found, *(live.odd if live else ()))
    if wrong:
        text = (
            f"On a shadow database the chain comes to another table than the manifest's: {'; '.join(wrong)}."
        )
        yield Problem(place, _RULE, text, fix=_REPORT)


def _planned(one: CompiledDataset, place: str) -> Iterator[Problem]:
    proposal = propose(one.dataset, one.folder)
    if not isinstance(proposal.plan, Nothing) or proposal.paths:
        yield Problem(place, _RULE, "A second plan is not empty.", fix=_REPORT)
