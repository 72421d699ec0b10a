"""`sluice status`: which plan the running sinks have, and whether it is this commit's."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import assert_never

import click

from compiler.cli.common import FOUND_PROBLEMS, project_root
from compiler.cli.database import Chosen, chains, connected, stack_of
from compiler.emit.deployed import deployed
from compiler.migrate import session
from compiler.migrate.rollout import Rollout, State, rollout_of
from compiler.stack import StackConfig

ASK_SECONDS = 2.0

Look = Callable[[], list[Rollout]]


@click.command(
    "status",
    epilog="Exit codes: 0 it was shown, or with --expect-plan every running sink has this commit's plan; 1 one has not, or"
    " the database cannot be asked; 2 the command line is wrong.",
)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--stack", metavar="STACK", help="The environment: Pulumi.STACK.yaml.")
@click.option("--expect-plan", is_flag=True, help="Fail unless the running sinks have this commit's plan.")
@click.option(
    "--wait",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    default=0,
    help="With --expect-plan: ask again for so long, until they do.",
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_context
def command(
    ctx: click.Context,
    names: tuple[str, ...],
    stack: str | None,
    expect_plan: bool,  # noqa: FBT001 - click's
    wait: float,
    form: str,
) -> None:
    """Show which sinks of the datasets NAME (by default all of the stack) run, each with its plan.

    With --expect-plan, after a rollout: a rollout that ECS took back looks like a success to `pulumi up`. The proof is the
    database, where each sink enters the plan that it writes by, and shows every few seconds that it is alive. A
    sink that was killed counts for a minute more. A dataset with min_tasks 0 of which no sink runs passes as asleep.

    The database is the one that libpq's environment variables and service files name; where none of them is set, that
    of the embedded environment of `sluice dev up`.
    """
    if wait and not expect_plan:
        raise click.UsageError("--wait is for --expect-plan.")
    root = project_root(ctx)
    config = stack_of(root, stack)
    chosen = [one for one in chains(root, names) if config.selects(one.dataset.name)]
    with connected(root) as connection:
        session.become_owner(connection)
        plans = list(_plans(config, chosen))

        def look() -> list[Rollout]:
            return [rollout_of(connection, *plan, may_sleep=sleeps) for *plan, sleeps in plans]

        found = _awaited(look, wait)
    if form == "json":
        click.echo(json.dumps([_json(one) for one in found], indent=2))
    else:
        click.echo("".join(f"{line}\n" for one in found for line in _text(one)), nl=False)
    ctx.exit(FOUND_PROBLEMS if expect_plan and not all(one.is_done for one in found) else 0)


def _plans(config: StackConfig, chosen: list[Chosen]) -> Iterator[tuple[str, str, bool]]:
    """Each dataset's name, the plan of this commit in this environment, and whether its sinks may sleep."""
    for one in chosen:
        dataset, plan = deployed(config, one.dataset, one.folder, one.chain)
        yield dataset.name, plan.sha256, dataset.sink.min_tasks == 0


def _awaited(look: Look, seconds: float) -> list[Rollout]:
    """What is found, at the latest after so many seconds; sooner where all is done."""
    deadline = time.monotonic() + seconds
    found = look()
    while not all(one.is_done for one in found) and (left := deadline - time.monotonic()) > 0:
        time.sleep(min(ASK_SECONDS, left))
        found = look()
    return found


def _json(rollout: Rollout) -> dict[str, object]:
    return {**asdict(rollout), "state": str(rollout.state), "is_done": rollout.is_done}


def _text(rollout: Rollout) -> Iterator[str]:
    yield f"{rollout.dataset}: {_words(rollout)}"
    for sink in rollout.sinks:
        mine = "" if sink.plan_sha256 == rollout.plan_sha256 else "   not this commit's"
        yield (
            f"  {sink.instance}   plan {_short(sink.plan_sha256)}   up {sink.running_seconds} s,"
            f" seen {sink.seen_seconds} s ago{mine}"
        )


def _words(rollout: Rollout) -> str:
    plan = _short(rollout.plan_sha256)
    match rollout.state:
        case State.NEW:
            return f"all sinks that run have plan {plan}"
        case State.ROLLING:
            return f"sinks with plan {plan} and with another run: the rollout goes on, or is taken back"
        case State.OLD:
            return f"no sink has plan {plan}: the rollout did not begin, or was taken back (see the service's events)"
        case State.NONE:
            return f"no sink runs; plan {plan} is expected"
        case State.ASLEEP:
            return f"asleep, no sink need run; plan {plan} cannot be seen before one does"
        case other:
            assert_never(other)


def _short(plan_sha256: str) -> str:
    return plan_sha256.removeprefix("sha256:")[:12]
