"""`sluice plan --rebase` and `--undo`: plans that start from the chain of another commit."""

from __future__ import annotations

from pathlib import Path

import click

from compiler.cli.common import FOUND_PROBLEMS, fail, stop
from compiler.cli.git import GitError, commit_of, last_with, main_branch
from compiler.cli.plan_report import reported, together
from compiler.cli.plan_shared import compiled, problem_of
from compiler.migrate.chain import ChainError, version_folder
from compiler.migrate.files import NAME
from compiler.migrate.planner import Refused
from compiler.migrate.retake import Commit, Retaken, retake
from compiler.pipeline import CompiledDataset


def rebase(folder: Path, onto: str | None, form: str) -> None:
    """Keep the chain of the branch `onto`, drop our own files, and plan their change anew."""
    one = compiled(folder)
    try:
        ref = onto or main_branch(folder)
        commit = commit_of(folder, ref, one.dataset.version)
    except GitError as error:
        fail(str(error))
    _finish(one, _retaken(one, commit), ref, form)


def undo(folder: Path, given: str, form: str) -> None:
    """Bring migration `given` and those after it back from git's history, and plan from there to the manifest."""
    one = compiled(folder)
    try:
        number = int(given)
    except ValueError:
        raise click.UsageError("A migration is named by its number: --undo 0003.") from None
    present = _present(one)
    if any(int(name[:4]) >= number for name in present):
        raise click.UsageError(
            f"Migration {number:04d}, or one after it, is there: there is nothing to bring back."
        )
    try:
        ref = last_with(folder, one.dataset.version, number)
        commit = commit_of(folder, ref, one.dataset.version)
    except GitError as error:
        fail(str(error))
    others = [name for name, data in present.items() if commit.chain.get(name) != data]
    if others:
        fail(
            f"{', '.join(others)} in {ref} is another file, or none.",
            "Bring back the commit that was applied; the chain before it is no longer this one.",
        )
    _finish(one, _retaken(one, commit), ref, form)


def _present(one: CompiledDataset) -> dict[str, bytes]:
    place = version_folder(one.folder, one.dataset.version)
    paths = sorted(place.iterdir()) if place.is_dir() else []
    return {path.name: path.read_bytes() for path in paths if NAME.fullmatch(path.name)}


def _retaken(one: CompiledDataset, commit: Commit) -> Retaken:
    try:
        return retake(one.dataset, one.folder, commit)
    except ChainError as error:
        stop([problem_of(finding) for finding in error.findings])


def _finish(one: CompiledDataset, found: Retaken, ref: str, form: str) -> None:
    if form == "text":
        for verb, names in (("restored", found.restored), ("dropped", found.dropped)):
            for name in names:
                place = version_folder(one.folder, one.dataset.version) / name
                click.echo(f"{verb} {place}{f' as {ref} has it' if verb == 'restored' else ''}")
        for words in found.void:
            click.echo(f"the approval of {words} is void: no step has that SQL now")
    click.echo(together([reported(found.proposal, form)], form), nl=False)
    if isinstance(found.proposal.plan, Refused):
        raise SystemExit(FOUND_PROBLEMS)
