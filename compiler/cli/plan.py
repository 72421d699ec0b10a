"""`sluice plan`: the migrations and the history that the manifests need."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from compiler.cli.common import DATASETS, FOUND_PROBLEMS, project_root, stop
from compiler.cli.plan_report import reported
from compiler.migrate.approve import ApproveError
from compiler.migrate.chain import ChainError
from compiler.migrate.planner import Refused
from compiler.migrate.propose import Proposal, approve, propose, write
from compiler.pipeline import CompiledDataset, compile_datasets, each_dataset
from compiler.problems import Finding, Problem, errors


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
    "--approve",
    "approvals",
    multiple=True,
    metavar="NNNN.STEP",
    help="Approve the hazard of a step, by the file's number and the step's; the SQL as it is now. May be repeated.",
)
@click.option("--because", "why", metavar="TEXT", help="Why the hazard is accepted; it stands in the file.")
@click.pass_context
def command(
    ctx: click.Context,
    names: tuple[str, ...],
    check: bool,  # noqa: FBT001 - click's
    form: str,
    approvals: tuple[str, ...],
    why: str | None,
) -> None:
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

    --format markdown is for a review: each step with its lock, its hazard and its SQL, and what becomes of the records.
    """
    root = project_root(ctx)
    if approvals or why is not None:
        _approve(ctx, root, names, approvals, why)
        return
    results, found = each_dataset(root, dataset_folders(root, names), _proposed)
    proposals = [result for result in results if isinstance(result, Proposal)]
    problems = (*found, *(one for result in results if not isinstance(result, Proposal) for one in result))
    if not check:
        for proposal in proposals:
            write(proposal)
    click.echo(reported(proposals, form, check=check), nl=False)
    if errors(problems):
        stop(problems)
    refused = any(isinstance(proposal.plan, Refused) for proposal in proposals)
    ctx.exit(FOUND_PROBLEMS if refused or (check and any(p.files for p in proposals)) else 0)


def _approve(
    ctx: click.Context, root: Path, names: tuple[str, ...], approvals: tuple[str, ...], why: str | None
) -> None:
    if len(names) != 1 or not approvals or why is None:
        raise click.UsageError(
            "Approve steps of one dataset at a time: NAME --approve NNNN.STEP --because TEXT."
        )
    (folder,) = dataset_folders(root, names)
    try:
        steps = [(int(file), int(step)) for file, step in (one.split(".") for one in approvals)]
    except ValueError:
        raise click.UsageError("A step is named by its file's number and its own: 0003.1.") from None
    compilation = compile_datasets(root, (folder,))
    if errors(compilation.problems):
        stop(compilation.problems)
    try:
        changed = approve(compilation.datasets[0].dataset, folder, steps, why)
    except ChainError as error:
        stop([problem_of(finding) for finding in error.findings])
    except ApproveError as error:
        raise click.UsageError(str(error)) from None
    for file in changed:
        click.echo(f"wrote {file.path}")
    ctx.exit(0)


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


def _proposed(compiled: CompiledDataset) -> Proposal | tuple[Problem, ...]:
    """What planning came to, or what is wrong with the chain."""
    try:
        return propose(compiled.dataset, compiled.folder)
    except ChainError as error:
        return tuple(map(problem_of, error.findings))
