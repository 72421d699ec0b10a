"""`python -m tests.campaigns.rollout`: sinks of both plans against every catalog in between, for every plan, on each Postgres.

    python -m tests.campaigns.rollout --major 15

The suite takes every plan on the newest Postgres, and one of each shape on the others.
"""

from __future__ import annotations

import argparse
import sys
import time

import psycopg

from dev.postgres import installed_versions, running_server
from tests.migrate.cases import CASES
from tests.migrate.changing import clear
from tests.migrate.conftest import Database
from tests.sink.rollout import faults, running
from tests.sink.store import Store, bring_up, settings_of
from tests.support.datasets import alert_events
from tests.support.postgres import MAJORS, new_database


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--major", type=int, choices=MAJORS, action="append")
    arguments = parser.parse_args()
    wrong = []
    for major in arguments.major or MAJORS:
        started = time.monotonic()
        with running_server(installed_versions()[major]) as server, new_database(server) as conninfo:
            found = every_plan(conninfo)
        took = time.monotonic() - started
        print(f"Postgres {major}: {len(CASES)} plans, {len(found)} faults, {took:.0f} s", flush=True)
        wrong += [f"Postgres {major}: {one}" for one in found]
    print(*wrong, sep="\n")
    sys.exit(bool(wrong))


def every_plan(conninfo: dict[str, object]) -> list[str]:
    """The faults of every plan."""
    dataset = alert_events()
    bring_up(conninfo, dataset)
    database, found = Database(conninfo), []
    with psycopg.connect(**conninfo, autocommit=True) as admin:
        store = running(Store(admin, dataset, None, settings_of(conninfo)), dataset).store
        for name, case in CASES.items():
            clear(database)
            found += [f"{name}: {one}" for one in faults(database, store, name, case)]
    return found


if __name__ == "__main__":
    main()
