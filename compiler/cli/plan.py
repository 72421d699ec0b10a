"""`sluice plan`: the migrations and the history that the manifests need."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click

from compiler.cli.common import FOUND_PROBLEMS, project_root, stop
from compiler.cli.plan_report import reported, together
from compiler.cli.plan_shared import compiled, dataset_folders, problem_of
from compiler.migrate.approve import ApproveError
from compiler.migrate.chain import ChainError
from compiler.migrate.planner import Change, Refused
from compiler.migrate.propose import NewFile, Proposal, approve, propose, write_files
from compiler.migrate.sizes import Size
from compiler.pipeline import CompiledDataset, each_dataset
from compiler.problems import Problem, errors


@click.command(
    "plan",
    epilog="Exit codes: 0 all is written, 1 problems, refusals, or with --check something to write, 2 the command "
    "line is wrong.",
)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 where something would be written.")
@click.option(
    "--format", "form", type=click.Choice(["text", "markdown", "json"]), default="text", show_default=True
)
@click.option(
    "--sizes",
    is_flag=True,
    help="Say how large the live tables are that a step scans, builds on or rewrites. Reads from the database of "
    "PGHOST, PGDATABASE, PGUSER, …, or of `sluice dev up`; the files stay the same.",
)
@click.option(
    "--approve",
    "approvals",
    multiple=True,
    metavar="NNNN.STEP",
    help="Approve the hazard of a step, by the file's number and the step's; the SQL as it is now. May be repeated.",
)
@click.option(
    "--edited",
    metavar="NNNN",
    help="Prove on a Postgres of this machine that a file whose SQL was edited leads to the same table, and mark it.",
)
@click.option(
    "--because",
    "why",
    metavar="TEXT",
    help="Why the hazard is accepted, or the SQL edited; it stands in the file.",
)
@click.option(
    "--rebase",
    is_flag=True,
    help="After a merge of two plans from one base: keep the other branch's files, drop ours, and plan anew from there.",
)
@click.option(
    "--onto",
    metavar="REF",
    help="The branch that --rebase keeps the files of; by default origin/main, or main.",
)
@click.option(
    "--undo",
    "undone",
    metavar="NNNN",
    help="After a revert in git: bring back this migration, which a database has, and plan the way from there.",
)
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> None:
    """Write the migrations that the manifests need.

    For each dataset NAME (by default all) whose manifest is right: the migration files of its version, the table that
    they end in, and the history of its record schemas. Review them, and commit them with the manifest. What is written
    follows from the files alone; no database and no network is used.

    A change of a table that is in use becomes the next migrations: one to run before the new sinks (expand), and one
    after them (contract) for what old sinks still need: columns that go, stricter CHECKs, another key. What cannot be
    planned so is refused by name: a new version is a table of its own.

    A step that may do harm, such as one that loses data, has a hazard, and is not applied before somebody has approved
    it: --approve 0003.1 --because "Nobody reads the column."

    Nothing is written where records that an earlier record schema of the version admitted are refused now.

    The SQL of a planned file may be edited by hand where it leads to the same table: --edited 0003 --because "Why" runs the
    chain on a short-lived Postgres of this machine, and marks the file; check refuses an edited file without that mark.

    Applied migrations never leave a chain. Where two branches planned from one base, the later one plans again:
    NAME --rebase. Where a commit with a migration was reverted, and a database has it: NAME --undo NNNN.

    --format markdown is for a review: each step with its lock, its hazard and its SQL, and what becomes of the records.
    """
    root, asked = project_root(ctx), _Asked(**given)
    if asked.is_retake:
        _retake(root, asked)
    elif asked.edited is not None:
        _edited(root, asked)
    elif asked.approvals or asked.why is not None:
        _approve(root, asked)
    else:
        ctx.exit(_plan(root, asked))


@dataclass(frozen=True)
class _Asked:
    """The command line."""

    names: tuple[str, ...]
    check: bool
    form: str
    sizes: bool
    approvals: tuple[str, ...]
    edited: str | None
    why: str | None
    rebase: bool
    onto: str | None
    undone: str | None

    @property
    def is_retake(self) -> bool:
        """Whether to plan from the chain of another commit."""
        return self.rebase or self.onto is not None or self.undone is not None


def _plan(root: Path, asked: _Asked) -> int:
    gc.disable()  # nothing here makes cycles worth collecting, and looking for them takes a third of the time
    results, found = _results(root, asked)
    gc.freeze()  # nor is it worth looking for them once more at exit
    planned = [result for result in results if isinstance(result, _Planned)]
    problems = (*found, *(one for result in results if isinstance(result, tuple) for one in result))
    for one in planned:
        write_files(one.files)
    click.echo(together((one.report for one in planned), asked.form), nl=False)
    if errors(problems):
        stop(problems)
    return FOUND_PROBLEMS if any(one.refused or (asked.check and one.incomplete) for one in planned) else 0


@dataclass(frozen=True)
class _Planned:
    """What is told of a proposal, and the files to write: none with `--check`, where they may yet be `incomplete`."""

    report: str
    files: tuple[NewFile, ...]
    incomplete: bool
    refused: bool


_Result = _Planned | tuple[Problem, ...]


def _results(root: Path, asked: _Asked) -> tuple[tuple[_Result, ...], tuple[Problem, ...]]:
    """What each dataset came to, and the problems of the manifests."""
    folders = dataset_folders(root, asked.names)
    if not asked.sizes:  # other processes send what is told; whole proposals are large
        return each_dataset(root, folders, partial(_planned, asked))
    proposed, found = each_dataset(root, folders, _proposed)
    return tuple(_with_sizes(root, asked, proposed)), found


def _planned(asked: _Asked, compiled: CompiledDataset) -> _Result:
    found = _proposed(compiled)
    return _told(asked, found) if isinstance(found, Proposal) else found


def _told(asked: _Asked, found: Proposal, size: Size | None = None) -> _Planned:
    return _Planned(
        reported(found, asked.form, check=asked.check, size=size),
        () if asked.check else found.files,
        incomplete=bool(found.paths),
        refused=isinstance(found.plan, Refused),
    )


def _with_sizes(
    root: Path, asked: _Asked, results: Iterable[Proposal | tuple[Problem, ...]]
) -> Iterator[_Result]:
    """What is told where each table is looked at in the database."""
    from compiler.cli.database import connected
    from compiler.migrate.relations import relation_at
    from compiler.migrate.sizes import size

    with connected(root) as connection:
        connection.execute("SELECT pg_catalog.set_config('default_transaction_read_only', 'on', false)")
        for one in results:
            if not isinstance(one, Proposal):
                yield one
                continue
            live = size(connection, relation_at(one.plan.table)) if isinstance(one.plan, Change) else None
            yield _told(asked, one, live)


def _retake(root: Path, asked: _Asked) -> None:
    one_way = asked.rebase != (asked.undone is not None)
    if len(asked.names) != 1 or not one_way or (asked.onto is not None and not asked.rebase):
        raise click.UsageError(
            "Plan one dataset so at a time: NAME --rebase [--onto REF], or NAME --undo NNNN."
        )
    from compiler.cli import plan_git

    (folder,) = dataset_folders(root, asked.names)
    if asked.undone is not None:
        plan_git.undo(folder, asked.undone, asked.form)
    else:
        plan_git.rebase(folder, asked.onto, asked.form)


def _edited(root: Path, asked: _Asked) -> None:
    if len(asked.names) != 1 or asked.approvals or asked.edited is None or asked.why is None:
        raise click.UsageError("Prove one edited file at a time: NAME --edited NNNN --because TEXT.")
    from compiler.cli import plan_edited

    (folder,) = dataset_folders(root, asked.names)
    plan_edited.prove(folder, asked.edited, asked.why)


def _approve(root: Path, asked: _Asked) -> None:
    if not asked.approvals:
        raise click.UsageError("--because TEXT is the reason of an --approve NNNN.STEP or an --edited NNNN.")
    if asked.why is None:
        raise click.UsageError("--approve needs the reason, which stands in the file: --because TEXT.")
    if len(asked.names) != 1:
        raise click.UsageError(
            "Approve steps of one dataset at a time: NAME --approve NNNN.STEP --because TEXT."
        )
    (folder,) = dataset_folders(root, asked.names)
    try:
        steps = [(int(file), int(step)) for file, step in (one.split(".") for one in asked.approvals)]
    except ValueError:
        raise click.UsageError("A step is named by its file's number and its own: 0003.1.") from None
    try:
        changed = approve(compiled(folder).dataset, folder, steps, asked.why)
    except ChainError as error:
        stop([problem_of(finding) for finding in error.findings])
    except ApproveError as error:
        raise click.UsageError(str(error)) from None
    for file in changed:
        click.echo(f"wrote {file.path}")


def _proposed(compiled: CompiledDataset) -> Proposal | tuple[Problem, ...]:
    """What planning came to, or what is wrong with the chain."""
    try:
        return propose(compiled.dataset, compiled.folder)
    except ChainError as error:
        return tuple(map(problem_of, error.findings))
