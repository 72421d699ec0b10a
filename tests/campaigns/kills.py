"""`python -m tests.campaigns.kills`: SIGKILL of the applier around and in each step of each plan, and of the postmaster.

    python -m tests.campaigns.kills --major 18

After each kill the next run must end at the same table, with nothing left over. The same plans, and so the same kinds of
steps, as under load.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from dev.postgres import installed_versions, running_server
from tests.campaigns.plans import PLANS, datasets, kind, table
from tests.migrate.changing import grown
from tests.migrate.conftest import chain_of, prepared_database
from tests.migrate.kills import (
    breakable_server,
    hold_ddl,
    kill_applier,
    kill_server,
    moments,
    start_over,
    wrong_after,
)
from tests.support.postgres import MAJORS, new_database


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--major", type=int, choices=MAJORS, action="append")
    parser.add_argument("--plan", choices=PLANS, action="append", metavar="NAME")
    arguments = parser.parse_args()
    plans = tuple(arguments.plan or PLANS)
    rows: list[tuple[Any, ...]] = []
    wrong: list[str] = []
    for major in arguments.major or MAJORS:
        for victim, what in (("applier", of_applier), ("postmaster", of_server)):
            started = time.monotonic()
            kills, steps, found = what(installed_versions()[major], plans)
            took = f"{time.monotonic() - started:.0f} s"
            by_moment = ", ".join(f"{count} {when}" for when, count in kills.items())
            rows.append((f"Postgres {major}", victim, kills.total(), by_moment, len(steps), len(found), took))
            wrong += [f"Postgres {major}, {victim}: {one}" for one in found]
    print(table(("server", "killed", "kills", "of them", "kinds of steps", "failures", "time"), rows))
    print(*wrong, sep="\n")
    sys.exit(bool(wrong))


def of_applier(binaries: Path, plans: tuple[str, ...]) -> tuple[Counter[str], set[str], list[str]]:
    """Each moment of each plan: how many of each sort, the kinds of steps, and what was wrong."""
    kills: Counter[str] = Counter()
    steps, wrong = set(), []
    with running_server(binaries) as server, new_database(server) as conninfo:
        database = prepared_database(conninfo)
        hold_ddl(database)
        for name in plans:
            before, after = datasets(name)
            chain = grown(chain_of(before), after)
            for moment in moments(chain):
                start_over(database, before)
                kill_applier(database, chain, before, moment)
                found = wrong_after(database, chain, before, moment)
                wrong += [f"{name}: {moment.title}: {one}" for one in found]
                kills[moment.when] += 1
                steps.add(kind(moment.step))
            print(f"{name}: {kills.total()} kills, {len(wrong)} failures", file=sys.stderr, flush=True)
    return kills, steps, wrong


def of_server(binaries: Path, plans: tuple[str, ...]) -> tuple[Counter[str], set[str], list[str]]:
    """The middle of each kind of step, once, and the last wait of a build."""
    kills: Counter[str] = Counter()
    steps, wrong = set(), []
    with breakable_server(binaries) as server:
        database = prepared_database(server.conninfo())
        hold_ddl(database)
        for name in plans:
            before, after = datasets(name)
            chain = grown(chain_of(before), after)
            for moment in moments(chain):
                if moment.when in {"before", "after"} or (moment.when, kind(moment.step)) in steps:
                    continue
                start_over(database, before)
                kill_server(server, database, chain, before, moment)
                wrong += [
                    f"{name}: {moment.title}: {one}" for one in wrong_after(database, chain, before, moment)
                ]
                kills[moment.when] += 1
                steps.add((moment.when, kind(moment.step)))
    return kills, {step for _, step in steps}, wrong


if __name__ == "__main__":
    main()
