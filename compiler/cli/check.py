"""`sluice check`: every problem of every manifest, in one run."""

from __future__ import annotations

import gc
import sys
from pathlib import Path

import click

from compiler.cli.common import FOUND_PROBLEMS, fail, project_root
from compiler.pipeline import check_problems
from compiler.problems import Problem, errors, ordered
from compiler.report import as_github, as_json, as_markdown, summary, write_text


@click.command(
    "check", epilog="Exit codes: 0 no problem (warnings pass), 1 problems, 2 the command line is wrong."
)
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "github", "markdown"]),
    default="text",
    show_default=True,
    help="For people; for programs; as annotations of GitHub Actions; for a comment on a pull request.",
)
@click.option(
    "--shadow", is_flag=True, help="Also run every chain on a short-lived Postgres of this machine."
)
@click.option(
    "--stack",
    metavar="STACK",
    help="Also run the program for that stack, without an engine, and check the resources that it declares.",
)
@click.option(
    "--base",
    metavar="REF",
    help="Also compare with a commit, such as origin/main: no dataset may be gone that was not sealed before, no version "
    "go backwards.",
)
@click.pass_context
def command(
    ctx: click.Context,
    paths: tuple[Path, ...],
    shadow: bool,  # noqa: FBT001 - click's
    stack: str | None,
    base: str | None,
    form: str,
) -> None:
    """Check manifests, their examples and their migrations.

    PATH is a manifest, a dataset's folder or a folder of such folders; by default all datasets of the project are
    checked. Every problem is told with its place, the rule, what was found and how to fix it. Nothing is changed and no
    network is used.

    With --shadow, where nothing else is wrong, each chain is run as well: every step must leave the table that its file
    declares, the last one the manifest's, and planning once more must come to nothing.

    With --stack, where nothing else is wrong, the program is run for Pulumi.STACK.yaml, and what it declares must keep the
    invariants: dead-letter queues, encryption, TLS, nothing open in a policy, no right that no manifest gives, no loss of
    data that nobody approved, protection, and the sizes and quotas of AWS.

    As text, problems go to stderr and the summary to stdout; in the other formats everything goes to stdout.
    """
    if stack is not None and (not stack or "/" in stack or "\\" in stack):
        raise click.BadParameter(
            f"{stack!r} is no stack's name. Pulumi.<name>.yaml, in the project's folder, has its configuration.",
            param_hint="--stack",
        )
    gc.disable()  # nothing here makes cycles worth collecting, and looking for them takes a third of the time
    root = project_root(ctx) if not paths else Path()
    checked = check_problems(root, paths)
    gc.freeze()  # nor is it worth looking for them once more at exit
    problems, count = checked.problems, checked.manifests
    if base is not None:
        problems = ordered([*problems, *_since(project_root(ctx), base)])
    if shadow and not errors(problems):
        problems = ordered([*problems, *_on_a_shadow(root, paths)])
    if stack and not errors(problems):
        problems = ordered([*problems, *_of_the_stack(project_root(ctx), stack)])
    _print(problems, count, form)
    if errors(problems):
        ctx.exit(FOUND_PROBLEMS)


def _print(problems: tuple[Problem, ...], count: int, form: str) -> None:
    match form:
        case "json":
            click.echo(as_json(problems, count), nl=False)
        case "github":
            click.echo(f"{as_github(problems)}{summary(problems, count)}")
        case "markdown":
            click.echo(as_markdown(problems, count), nl=False)
        case _:
            write_text(problems, sys.stderr)
            click.echo(summary(problems, count))


def _since(root: Path, base: str) -> tuple[Problem, ...]:
    from compiler.cli.check_base import base_problems  # git is asked only where a commit was named
    from compiler.cli.git import GitError

    try:
        return base_problems(root, base)
    except GitError as error:
        fail(str(error))


def _on_a_shadow(root: Path, paths: tuple[Path, ...]) -> tuple[Problem, ...]:
    from compiler.cli.check_shadow import shadow_problems  # with it comes the database driver

    return shadow_problems(root, paths)


def _of_the_stack(root: Path, stack: str) -> tuple[Problem, ...]:
    from compiler.cli.check_stack import stack_problems

    return stack_problems(root, stack)
