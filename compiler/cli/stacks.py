"""`sluice stacks`: which stack deploys which dataset, and which stacks a change touches."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from compiler.cli.common import fail, project_root, stop
from compiler.manifest.assignment import FOLDER, Assignment, assign, file_of, read_assignments
from compiler.pipeline import DATASETS, compile_datasets
from compiler.problems import errors
from compiler.suggest import counted

# Changes of these reach no stack: they are not part of what is deployed.
_ELSEWHERE = ("docs", "tests", "bench", "tools", "templates", "dev", ".github")
_FORMAT = click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)


@click.group("stacks")
def command() -> None:
    """Which stack deploys which dataset: stacks/STACK.json, committed.

    Where there is no folder stacks/, a stack deploys what the patterns in its Pulumi.STACK.yaml select. See docs/stacks.md.
    """


@command.command(
    "assign", epilog="Exit codes: 0 every dataset is in a stack, 1 problems, 2 the command line is wrong."
)
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 where something would be written.")
@click.pass_context
def assign_command(ctx: click.Context, check: bool) -> None:  # noqa: FBT001 - click's
    """Append each dataset that is in no stack to its owner's first stack with room (at most 50), or to a new one.

    Nothing that is assigned moves: a resource that changed its stack would be made anew.
    """
    root = project_root(ctx)
    present, problems = read_assignments(root)
    compilation = compile_datasets(root)
    found = (*problems, *compilation.problems)
    if errors(found):
        stop(found)
    owners = {one.dataset.name: one.dataset.owner for one in compilation.datasets}
    stacks, changed = assign(present, owners)
    for one in stacks:
        if one.stack in changed:
            _write(root, one, check=check)
    if not changed:
        click.echo("every dataset is in a stack")
    ctx.exit(1 if check and changed else 0)


def _write(root: Path, one: Assignment, *, check: bool) -> None:
    path = file_of(root, one.stack)
    if not check:
        path.parent.mkdir(exist_ok=True)
        path.write_text(one.text(), encoding="utf-8", newline="\n")
    click.echo(f"{'would write' if check else 'wrote'} {path}: {counted(len(one.datasets), 'dataset')}")


@command.command("affected")
@click.argument("base", metavar="BASE")
@_FORMAT
@click.pass_context
def affected(ctx: click.Context, base: str, form: str) -> None:
    """Print the stacks that the changes since the commit BASE touch, a line each: what CI has to preview or deploy.

    A change of a dataset touches the stack that has it, here or in BASE; a change of the program, of Sluice itself or of
    what it is installed from touches all; documentation and tests touch none.
    """
    from compiler.cli import git

    root = project_root(ctx)
    present, problems = read_assignments(root)
    if errors(problems):
        stop(problems)
    try:
        git.require_commit(root, base)
        stacks = [*present, *_of_commit(root, base)]
        found = sorted(_touched(root, git.changed_since(root, base), stacks))
    except git.GitError as error:
        fail(str(error))
    click.echo(json.dumps(found) if form == "json" else "\n".join(found), nl=bool(found) or form == "json")


def _touched(root: Path, paths: Iterable[str], stacks: list[Assignment]) -> Iterator[str]:
    every = {one.stack for one in stacks}
    touched: set[str] = set()
    for path in map(Path, paths):
        touched |= _by(root, path, stacks) & every if _is_of_a_stack(path) else _by_place(path, every)
    yield from touched


def _is_of_a_stack(path: Path) -> bool:
    return path.parts[0] in (DATASETS, FOLDER) or path.match("Pulumi.*.yaml")


def _by(root: Path, path: Path, stacks: list[Assignment]) -> set[str]:
    """The stacks that one dataset, one assignment or one stack's configuration belongs to."""
    match path.parts:
        case (places, name, *_) if places == DATASETS:
            return {one.stack for one in stacks if name in one.datasets}
        case (places, file) if places == FOLDER:
            return {file.removesuffix(".json")}
        case (file,):
            return {_assignment_of(root / file)}
        case _:
            return set()


def _assignment_of(path: Path) -> str:
    """The assignment that a stack's configuration names, or its own name."""
    import yaml

    own = path.name.removeprefix("Pulumi.").removesuffix(".yaml")
    try:
        config = (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("config", {})
    except (OSError, yaml.YAMLError, AttributeError):
        return own
    return str(config.get("sluice:assignment", own))


def _by_place(path: Path, every: set[str]) -> set[str]:
    is_prose = path.suffix == ".md" or path.name in {"LICENSE", ".gitignore"}
    return set() if is_prose or path.parts[0] in _ELSEWHERE else every


def _of_commit(root: Path, base: str) -> Iterator[Assignment]:
    """The assignments as the commit has them: a dataset that is gone touches the stack that had it."""
    from compiler.cli import git

    for path in git.names_of(root, base, FOLDER):
        if path.endswith(".json"):
            value = json.loads(git.content_of(root, base, path) or b"{}")
            yield Assignment(Path(path).stem, value.get("owner", ""), tuple(value.get("datasets", ())))
