"""`sluice dev check NAME` and `sluice dev letters NAME`: one dataset of the environment, looked at closely."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from compiler.cli.common import FOUND_PROBLEMS, fail, project_root

if TYPE_CHECKING:
    from dev.letters import Letter
    from dev.servers import Servers
    from dev.state import Paths

_MOST = 100


@click.command(
    "check",
    epilog="Exit codes: 0 the sink has everything, 1 it lacks something, 2 the command line is wrong.",
)
@click.argument("name")
@click.pass_context
def check(ctx: click.Context, name: str) -> None:
    """Look at everything that the sink of NAME needs, as that sink: a line for each check.

    Runs `python -m sink_runtime --check` with the sink's own environment and credentials, beside the sink that runs.
    """
    from dev.sink_check import check as run

    paths, both, outputs = _up(ctx, name)
    ctx.exit(FOUND_PROBLEMS if run(paths, both.emulator, outputs, name) else 0)


@click.command("letters")
@click.argument("name")
@click.option(
    "--limit", type=click.IntRange(1), default=_MOST, show_default=True, help="Show at most so many."
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_context
def letters(ctx: click.Context, name: str, limit: int, form: str) -> None:
    """Show the dead letters of NAME: why each record was refused, from whom it came, and the record.

    None is taken out of the queue. docs/runbook.md says what to do about each reason, and how to send one again.
    """
    from dev.letters import letters as look

    _, both, outputs = _up(ctx, name)
    found = look(both.emulator, outputs["datasets"][name]["dead_letter_url"], limit)
    if form == "json":
        click.echo(json.dumps([asdict(letter) for letter in found], indent=2, ensure_ascii=False))
        return
    for letter in found:
        for line in _lines(letter):
            click.echo(line)
    more = " at least" if len(found) == limit else ""
    click.echo(f"{name}:{more} {len(found)} dead letter{'' if len(found) == 1 else 's'}")


def _lines(letter: Letter) -> Iterator[str]:
    said = letter.particulars
    code = f" (SQLSTATE {said['sqlstate']})" if "sqlstate" in said else ""
    told = [said.get("pointer"), f"{said['text']}{code}" if "text" in said else None]
    yield ": ".join([letter.reason or "moved by SQS after its last receive", *filter(None, told)])
    origin = letter.origin
    if origin:
        yield f"  sent {origin.get('sent_at')} by {origin.get('sender')}, id {origin.get('id')} position {origin.get('position')}"
    yield f"  {letter.record if letter.record is not None else letter.body}"


def _up(ctx: click.Context, name: str) -> tuple[Paths, Servers, Mapping[str, Any]]:
    """The environment that is up, with that dataset in it; where there is none the run ends."""
    from compiler.suggest import did_you_mean
    from dev.emulator.launch import Emulator
    from dev.outputs import load_outputs
    from dev.postgres import PostgresServer
    from dev.servers import Servers
    from dev.state import DevError, Paths

    paths = Paths.of(project_root(ctx))
    try:
        outputs = load_outputs(project_root(ctx), paths)
        emulator, address = Emulator(paths).status(), PostgresServer(paths).status().address
    except DevError as error:
        fail(str(error))
    if emulator is None or address is None:
        fail("a server of the environment does not run.", "Mend it: sluice dev up")
    if name not in outputs["datasets"]:
        question = did_you_mean(name, outputs["datasets"]) or "See sluice dev status."
        fail(f'the embedded environment has no dataset "{name}".', question)
    return paths, Servers(emulator, address), outputs
