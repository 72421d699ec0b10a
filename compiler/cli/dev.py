"""`sluice dev`: the whole environment on this machine."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_never

import click

from compiler.cli.common import fail, project_root, stop
from compiler.cli.dev_dataset import check, letters
from compiler.problems import ProblemsError

if TYPE_CHECKING:
    from dev.environment import Environment, Observer, Up
    from dev.resources.apply import Event
    from dev.status import Status

FORMAT = click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)
INTERRUPTED = 130


@click.group("dev")
def command() -> None:
    """Run everything on this machine: Postgres, an AWS emulator, the Pulumi program, the sinks.

    No Docker, no Pulumi CLI and no AWS account are needed. State is kept in .sluice/ (or in the folder that
    SLUICE_HOME names), readable by you alone.
    """


command.add_command(check)
command.add_command(letters)


@command.command(epilog="Exit codes: 0 everything runs, 1 it does not, 2 the command line is wrong.")
@FORMAT
@click.pass_context
def up(ctx: click.Context, form: str) -> None:
    """Bring the environment up, or to what the manifests declare now.

    What is right already is left alone; what crashed is started again. An emulator that was restarted has lost its
    queues with their messages; everything in it is made again. Queues and tables of a dataset that is gone are kept.
    """
    with _errors():
        found = _environment(project_root(ctx), quiet=form == "json").up()
    if form == "json":
        click.echo(json.dumps(_up_json(found), indent=2, sort_keys=True))
    else:
        _print_up(project_root(ctx), found)


@command.command()
@click.option("--keep-data", is_flag=True, help="Keep Postgres' data for the next up.")
@click.pass_context
def down(ctx: click.Context, keep_data: bool) -> None:  # noqa: FBT001 - click passes flags by name
    """Stop every process and delete the state, Postgres' data included.

    Each sink first finishes the batch that it holds. Messages that are still in a queue are gone, since the emulator
    keeps them in memory.
    """
    with _errors():
        _environment(project_root(ctx), quiet=False).down(keep_data=keep_data)
    click.echo(
        "Everything is stopped; Postgres' data are kept."
        if keep_data
        else "Everything is stopped and deleted."
    )


@command.command(
    epilog="Exit codes: 0 everything that should run does (or nothing is up), 1 something does not run, or the last up "
    "did not come to its end."
)
@FORMAT
@click.pass_context
def status(ctx: click.Context, form: str) -> None:
    """Show each process, what each sink waits for, and each dataset's plan, queue depths, rows and HTTP address.

    What the project declares and the environment does not have yet (a migration, a dataset) is told as well.
    """
    from dev.state import Paths
    from dev.status import status as look

    with _errors():
        found = look(Paths.of(project_root(ctx)), project_root(ctx))
    if form == "json":
        click.echo(
            json.dumps(
                {**asdict(found), "missing": found.missing, "broken_off": found.broken_off},
                indent=2,
                sort_keys=True,
            )
        )
    else:
        _print_status(found)
    ctx.exit(0 if found.is_whole else 1)


@contextmanager
def _errors() -> Iterator[None]:
    """Tell what went wrong and exit with 1."""
    from dev.state import DevError

    try:
        yield
    except ProblemsError as error:
        stop(error.problems)
    except DevError as error:
        fail(str(error))
    except KeyboardInterrupt:
        click.echo(
            "sluice: interrupted. Go on with `sluice dev up`, or clean up with `sluice dev down`.", err=True
        )
        sys.exit(INTERRUPTED)


def _environment(project: Path, *, quiet: bool) -> Environment:
    from dev.environment import Environment

    return Environment(project, observer=None if quiet else _observer())


def _observer() -> Observer:
    """Prints a line for each step once it has ended, and on a terminal a transient one while it runs."""
    from dev.environment import Observer

    class Lines(Observer):
        count = 0

        def began(self, what: str) -> None:
            self.count = 0
            self._transient(f"{what} …")

        def resource(self, event: Event) -> None:
            self.count += 1
            self._transient(
                f"resources … {self.count} {event.action} {event.type.rpartition(':')[2]} {event.name}"
            )

        def ended(self, what: str, found: str, seconds: float) -> None:
            self._transient("")
            click.echo(f"  {what:<11} {seconds:5.1f} s   {found}")

        def _transient(self, text: str) -> None:
            if sys.stdout.isatty():
                click.echo(f"\r\x1b[K  {text[:76]}" if text else "\r\x1b[K", nl=False)

    return Lines()


def _up_json(found: Up) -> dict[str, Any]:
    """No secret: outputs.json, which holds them, is named instead."""
    return {
        "seconds": round(found.seconds, 1),
        "resources": {action: dict(counts) for action, counts in _by_action(found).items()},
        "retained": [[event.type, event.name, event.id] for event in _retained(found)],
        "sinks_started": found.sinks_started,
        "sinks_stopped": found.sinks_stopped,
        "lost": found.lost,
        "datasets": sorted(found.outputs["datasets"]),
    }


def _by_action(found: Up) -> dict[str, Counter[str]]:
    actions: dict[str, Counter[str]] = {}
    for event in found.resources:
        actions.setdefault(str(event.action), Counter())[event.type] += 1
    return actions


def _retained(found: Up) -> list[Event]:
    from dev.resources.apply import Action

    return [event for event in found.resources if event.action is Action.RETAINED]


def _print_up(project: Path, found: Up) -> None:
    from dev.outputs import psql_line
    from dev.state import Paths

    if found.lost:
        click.echo(f"\n  A server had lost {found.lost} resources since the last up; they were made again.")
    click.echo()
    _print_types(found)
    for event in _retained(found):
        click.echo(f"\n  kept, though no longer declared: {event.type} {event.id}")
    click.echo(
        f"\nUp in {found.seconds:.1f} s: {', '.join(sorted(found.outputs['datasets'])) or 'no dataset'}."
    )
    click.echo(
        f"  {psql_line(Paths.of(project))}\n  sluice dev status · sluice publish NAME FILE · sluice dev down"
    )


def _print_types(found: Up) -> None:
    """Resources by type, a column for each action that occurred."""
    from rich.console import Console
    from rich.table import Table

    actions = _by_action(found)
    table = Table(box=None, padding=(0, 3, 0, 0), show_header=len(actions) > 0)
    table.add_column("resources by type")
    for action in actions:
        table.add_column(action, justify="right")
    for token in sorted({event.type for event in found.resources}):
        table.add_row(token, *(str(counts[token] or "") for counts in actions.values()))
    Console(highlight=False).print(table)


def _print_status(found: Status) -> None:
    if not found.up and not found.broken_off:
        click.echo("The embedded environment is not up. Bring it up: sluice dev up")
        return
    from rich.console import Console

    console = Console(highlight=False)
    console.print(_process_table(found))
    if found.datasets:
        console.print()
        console.print(_dataset_table(found))
        click.echo()
        for one in found.datasets:
            if one.sink.url:  # /healthz and /readyz are there as well
                click.echo(f"  {one.sink.url}/metrics   {one.sink.name}")
    for text in found.pending:
        click.echo(f"sluice: waiting: {text}", err=True)
    if found.broken_off:
        where = f": it came as far as {found.unfinished}" if found.unfinished else ""
        click.echo(
            f"sluice: the last up did not come to its end{where}. Run it again: sluice dev up", err=True
        )
    elif found.missing:
        click.echo(f"sluice: not running: {', '.join(found.missing)}. Mend it: sluice dev up", err=True)


def _process_table(found: Status) -> Any:
    from rich.table import Table

    table = Table(box=None, padding=(0, 3, 0, 0))
    for name in ("process", "state"):
        table.add_column(name)
    for name in ("pid", "port"):
        table.add_column(name, justify="right")
    for process in found.processes:
        table.add_row(process.name, process.state, _cell(process.pid), _cell(process.port))
    return table


def _dataset_table(found: Status) -> Any:
    from rich.table import Table

    table = Table(box=None, padding=(0, 3, 0, 0))
    table.add_column("dataset")
    table.add_column("plan")
    for name in ("visible", "in flight", "dead letters", "rows"):
        table.add_column(name, justify="right")
    for one in found.datasets:
        plan = one.plan_sha256.removeprefix("sha256:")[:12]
        numbers = (one.visible, one.in_flight, one.dead_letters, one.rows)
        table.add_row(one.dataset, plan, *map(_cell, numbers))
    return table


def _cell(value: int | None) -> str:
    match value:
        case None:
            return "-"
        case int():
            return str(value)
        case _:
            assert_never(value)
