"""`python -m tests.campaigns.random_pairs`: random tables and random changes of them, there and back, on each Postgres.

    python -m tests.campaigns.random_pairs --examples 500 --major 18

Each example is planned, written, read, applied and compared with the catalog, as the suite does with fewer. The first
that fails is shrunk and printed.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter

from hypothesis import HealthCheck, Phase, given, settings

from dev.postgres import installed_versions, running_server
from tests.migrate.conftest import Database, prepared_database
from tests.migrate.pairs import Pair, pairs
from tests.migrate.roundtrip import there_and_back
from tests.support.postgres import MAJORS, new_database


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=500)
    parser.add_argument("--major", type=int, choices=MAJORS, action="append")
    arguments = parser.parse_args()
    for major in arguments.major or MAJORS:
        started = time.monotonic()
        with (
            running_server(installed_versions()[major]) as server,
            new_database(server) as conninfo,
        ):
            done = run(prepared_database(conninfo), arguments.examples)
        print(
            f"Postgres {major}: {done.total()} changes there, {done[True]} of them back again, "
            f"{time.monotonic() - started:.0f} s",
            flush=True,
        )


def run(database: Database, examples: int) -> Counter[bool]:
    """How many changes led back, and how many did not."""
    done: Counter[bool] = Counter()

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(pair=pairs())
    def each(pair: Pair) -> None:
        done[there_and_back(database, pair)] += 1

    each()
    return done


if __name__ == "__main__":
    main()
