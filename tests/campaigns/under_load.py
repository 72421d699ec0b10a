"""`python -m tests.campaigns.under_load`: every kind of plan while sinks write, readers read and a user leaves things open.

    python -m tests.campaigns.under_load --rows 300000 --server 18
    python -m tests.campaigns.under_load --short   # nobody leaves a transaction open or reads the whole table

Each plan starts on a table of its own. Four sinks write batches of twenty with the plan before the change; the real
applier runs what comes before the new sinks; the sinks of the new plan take over; the applier runs the rest. No
statement may fail, and no row may be missing. What is printed is Markdown: how long the writers took, by plan, and how long one of them, or a
reader, had to wait while a step of each kind was at work.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import ceil
from typing import Any

import psycopg
from psycopg.sql import SQL

from compiler.migrate import run
from compiler.migrate.apply import apply_chain
from compiler.migrate.model import Hazard, Step
from dev.postgres import installed_versions, running_server
from tests.campaigns.plans import PLANS, datasets, hazards, kind, table
from tests.migrate.changing import grown
from tests.migrate.conftest import chain_of, writer
from tests.migrate.load import BATCH, TABLE, Pace, Seen, load, prepare
from tests.support.postgres import MAJORS, new_database

# An error of a running sink that the reviewer has agreed to: the column has its new name already.
MAY_PAUSE = Hazard.BLOCKED_WRITES


@dataclass(frozen=True)
class Part:
    """Steps that ran in one transaction, or one without, in seconds of the monotonic clock; the wait for its lock included."""

    steps: tuple[Step, ...]
    start: float
    end: float


@dataclass
class Run:
    """A plan that was run under load."""

    name: str
    idle: tuple[float, float] = (0, 0)
    busy: tuple[float, float] = (0, 0)
    parts: list[Part] = field(default_factory=list)
    seen: Seen = field(default_factory=Seen)

    @property
    def wrong(self) -> list[str]:
        """Errors that nobody may meet."""
        allowed = MAY_PAUSE in hazards(self.name)
        return [*self.seen.failed, *([] if allowed else self.seen.paused), *self.seen.reconnected]

    def writers(self, window: tuple[float, float]) -> list[float]:
        """How long their transactions took in the window, sorted."""
        return sorted(one.took for one in self.seen.of("writer", *window))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--server", type=int, choices=MAJORS, action="append")
    parser.add_argument("--plan", choices=PLANS, action="append", metavar="NAME")
    parser.add_argument("--idle", type=float, default=4.0, help="seconds without a plan, to compare with")
    parser.add_argument("--short", action="store_true", help="no open transactions, no long queries")
    arguments = parser.parse_args()
    pace = Pace(reads=(0.02,), held=()) if arguments.short else Pace()
    wrong = False
    for major in arguments.server or [max(MAJORS)]:
        started = time.monotonic()
        with running_server(installed_versions()[major], {"max_wal_size": "4GB"}) as server:
            runs = []
            for name in arguments.plan or PLANS:
                with new_database(server) as conninfo:
                    runs.append(under_load(conninfo, name, arguments.rows, pace, arguments.idle))
                print(
                    f"{name}: {', '.join(runs[-1].wrong) or 'no statement failed'}",
                    file=sys.stderr,
                    flush=True,
                )
        wrong = wrong or any(one.wrong for one in runs)
        print(f"\nPostgres {major}, {arguments.rows} rows, {time.monotonic() - started:.0f} s\n")
        print(by_plan(runs), by_kind(runs), sep="\n\n", flush=True)
    sys.exit(wrong)


def under_load(conninfo: dict[str, Any], name: str, rows: int, pace: Pace, idle: float) -> Run:
    """Run the plan of that name while everybody works."""
    before, after = datasets(name)
    chain, role = grown(chain_of(before), after), writer(before)
    prepare(conninfo, before, rows)
    found = Run(name)
    with load(conninfo, before, after, pace) as at_work:
        start = time.monotonic()
        time.sleep(idle)
        found.idle = (start, time.monotonic())
        with timed(found.parts):
            apply_chain(conninfo, chain, role, expand_only=True)
            at_work.rolled_out()
            end = apply_chain(conninfo, chain, role).fingerprint
        found.busy = (found.idle[1], time.monotonic())
    found.seen = at_work.seen
    if end != chain.end:
        found.seen.failed.append("another table than planned")
    expected = rows + BATCH * sum(one.who == "writer" for one in found.seen.statements)
    with psycopg.connect(**conninfo) as connection:
        if connection.execute(SQL(f"SELECT count(*) FROM {TABLE}")).fetchone() != (expected,):
            found.seen.failed.append("other rows than were written")
    return found


@contextmanager
def timed(parts: list[Part]) -> Iterator[None]:
    """Keep when each transaction's steps ran, tries for a lock included."""
    real = run.Runner._together, run.Runner._alone

    def together(runner, member, part):
        start = time.monotonic()
        real[0](runner, member, part)
        parts.append(Part(tuple(step for _, step in part), start, time.monotonic()))

    def alone(runner, member, number, step, *, begun):
        start = time.monotonic()
        real[1](runner, member, number, step, begun=begun)
        parts.append(Part((step,), start, time.monotonic()))

    run.Runner._together, run.Runner._alone = together, alone  # type: ignore[method-assign]
    try:
        yield
    finally:
        run.Runner._together, run.Runner._alone = real  # type: ignore[method-assign]


# --- what is printed ------------------------------------------------------------------------------------------------


def by_plan(runs: list[Run]) -> str:
    head = ("plan", "applied in", "batches", "p50", "p99", "longest", "idle p50", "idle p99", "failed")
    return table(head, [_plan(one) for one in runs])


def _plan(one: Run) -> tuple[Any, ...]:
    busy, idle = one.writers(one.busy), one.writers(one.idle)
    mark = "".join(f" (**{hazard}**)" for hazard in sorted(set(hazards(one.name))))
    return (
        f"{one.name}{mark}",
        f"{sum(part.end - part.start for part in one.parts):.1f} s",
        len(busy),
        *(
            _ms(value)
            for value in (_at(busy, 0.5), _at(busy, 0.99), _at(busy, 1), _at(idle, 0.5), _at(idle, 0.99))
        ),
        len(one.wrong),
    )


def by_kind(runs: list[Run]) -> str:
    """The longest times of one statement within those of a transaction with a step of the kind."""
    times: dict[tuple[str, str], list[tuple[float, float, float]]] = defaultdict(list)
    for one in runs:
        for part in one.parts:
            waits = (
                max(
                    (s.within(part.start, part.end) for s in one.seen.statements if s.who == who), default=0.0
                )
                for who in ("writer", "reader")
            )
            found = (part.end - part.start, *waits)
            for name in {(kind(step), _mark(step)) for step in part.steps}:
                times[name].append(found)  # type: ignore[arg-type]
    head = ("step", "lock", "times", "longest step", "longest write", "longest read")
    idle = [[s.took for one in runs for s in one.seen.of(who, *one.idle)] for who in ("writer", "reader")]
    return table(
        head,
        [
            ("none: no plan is running", "", "", "", *(_ms(max(found, default=0.0)) for found in idle)),
            *(
                (name, mark, len(many), *(_ms(max(one[place] for one in many)) for place in range(3)))
                for (name, mark), many in sorted(times.items())
            ),
        ],
    )


def _mark(step: Step) -> str:
    hazard = "" if step.hazard is Hazard.NONE else f", **{step.hazard}**"
    return f"{step.lock}, {step.effort}{hazard}"


def _at(values: list[float], share: float) -> float:
    """The value that so large a share of the sorted ones does not exceed; 0 where there are none."""
    return values[max(0, ceil(len(values) * share) - 1)] if values else 0.0


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


if __name__ == "__main__":
    main()
