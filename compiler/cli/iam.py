"""`sluice iam`: what deploying a stack takes, and what a change gives to whom."""

from __future__ import annotations

import json

import click

from compiler.cli.common import fail, project_root, stop
from compiler.cli.graph import GraphError, recorded, stack_of
from compiler.emit.deploy_calls import unknown
from compiler.emit.deploy_policy import StatementTooLongError, deploy_policy, split
from compiler.emit.iam import MANAGED_POLICY_CHARACTERS, text
from compiler.problems import ProblemsError


@click.group("iam")
def command() -> None:
    """Show what a stack's resources mean to IAM. Nothing is changed, and no network is used."""


@command.command("deploy-policy", epilog="Exit codes: 0 printed, 1 problems, 2 the command line is wrong.")
@click.argument("stack", metavar="STACK")
@click.option("--read-only", is_flag=True, help="What `pulumi preview` and `refresh` need, and nothing more.")
@click.option(
    "--by-prefix", is_flag=True, help="Name resources by the stack's prefix: datasets to come are in it too."
)
@click.option(
    "--split",
    "in_parts",
    is_flag=True,
    help="A JSON array of as many policies as are needed, each within the size of a managed policy.",
)
@click.pass_context
def deploy(
    ctx: click.Context,
    stack: str,
    read_only: bool,  # noqa: FBT001 - click's
    by_prefix: bool,  # noqa: FBT001
    in_parts: bool,  # noqa: FBT001
) -> None:
    """Print the least policy for deploying STACK, as JSON.

    It follows from the resources that the program declares for Pulumi.STACK.yaml, each by its ARN. Pulumi's own backend
    (a bucket of states, a key for secrets) and the connection to Postgres are not in it.
    """
    root = project_root(ctx)
    try:
        config, _ = stack_of(root, stack)
        graph = recorded(root, stack)
    except ProblemsError as error:
        stop(error.problems)
    except GraphError as error:
        fail(f"for the stack {stack} the program fails: {error}")
    if missing := unknown(graph):
        fail(
            f"nobody has listed the calls of {', '.join(missing)}.",
            "Add them to compiler/emit/deploy_calls.py.",
        )
    document = deploy_policy(graph, config, read_only=read_only, by_prefix=by_prefix)
    shorter = "" if by_prefix else " --by-prefix takes less room."
    if in_parts:
        try:
            click.echo(json.dumps(split(document), indent=2))
        except StatementTooLongError as error:
            fail(f"{error}{shorter}")
        return
    click.echo(json.dumps(document, indent=2))
    size = len(text(document))
    if size > MANAGED_POLICY_CHARACTERS:
        click.echo(
            f"It has {size:,} characters, and one managed policy takes {MANAGED_POLICY_CHARACTERS:,}."
            f" --split prints it as several policies, all of them to be attached.{shorter}",
            err=True,
        )


@command.command("diff", epilog="Exit codes: 0 printed, 1 problems, 2 the command line is wrong.")
@click.argument("base", metavar="BASE")
@click.option("--stack", required=True, metavar="STACK", help="The stack to compare: Pulumi.STACK.yaml.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "markdown"]),
    default="text",
    show_default=True,
    help="For people; for programs; for a comment on a pull request.",
)
@click.pass_context
def diff(ctx: click.Context, base: str, stack: str, form: str) -> None:
    """Print what each principal gains and loses against the git commit BASE.

    Both programs are run without an engine: the one here, and the one of BASE with its own manifests, stack file and
    compiler. A stack that BASE does not have counts as empty.
    """
    from compiler.cli.iam_diff import compared, shown

    try:
        found = compared(project_root(ctx), base, stack)
    except GraphError as error:
        fail(str(error))
    click.echo(shown(found, base, stack, form), nl=False)
