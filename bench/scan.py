"""`python -m bench.scan`: how fast the embedded Postgres reads and writes whole tables, as migrations do.

    VALIDATE CONSTRAINT         a CHECK compared with the rows that are there
    CREATE INDEX CONCURRENTLY   a btree over a uuid and a text, built while the table is used
    rewrite                     a column's type changed, every row and the primary key written anew

MiB are the table's own, without its indexes, as `compiler.migrate.sizes` counts them. The slowest of the runs is what
`BYTES_PER_SECOND` there must stay below. The server writes to disk as it would in earnest (fsync on).
"""

from __future__ import annotations

import argparse
import os
import time

from psycopg import Connection, connect
from psycopg.sql import SQL

from dev.postgres import running_server
from dev.postgres_program import default_binaries

_TABLE = """
CREATE TABLE scanned (org_id uuid, event_key text, state text NOT NULL, amount numeric(12,2), quantity bigint, labels jsonb,
    occurred_at timestamptz NOT NULL, PRIMARY KEY (org_id, event_key))"""
_FILL = """
INSERT INTO scanned SELECT md5((n % 1000)::text)::uuid, 'event-' || md5(n::text), (ARRAY['created', 'changed', 'removed'])[n % 3 + 1],
    n % 100000 / 100.0, n % 5000, jsonb_build_object('team', 'team-' || n % 50, 'host', md5((n * 7)::text)), now() - n * interval '1 s'
FROM generate_series(1, {}::bigint) AS n"""
_CHECK = "ALTER TABLE scanned ADD CONSTRAINT bounded CHECK (state IN ('created', 'changed', 'removed') AND amount >= 0) NOT VALID"
# what is measured -> the statement, and what makes the next run the same
_WORK = {
    "VALIDATE CONSTRAINT": (
        "ALTER TABLE scanned VALIDATE CONSTRAINT bounded",
        ("ALTER TABLE scanned DROP CONSTRAINT bounded", _CHECK),
    ),
    "CREATE INDEX CONCURRENTLY": (
        "CREATE INDEX CONCURRENTLY by_org ON scanned (org_id, event_key)",
        ("DROP INDEX by_org",),
    ),
    "rewrite": (
        "ALTER TABLE scanned ALTER COLUMN quantity TYPE numeric",
        ("ALTER TABLE scanned ALTER COLUMN quantity TYPE bigint",),
    ),
}


def main() -> None:
    """Fill, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} processors, load average {os.getloadavg()[0]:.1f}")
    with (
        running_server(default_binaries(), {"fsync": "on", "full_page_writes": "on"}) as address,
        connect(**address.conninfo(), autocommit=True) as connection,
    ):
        _measure(connection, arguments.rows, arguments.runs)


def _measure(connection: Connection, rows: int, runs: int) -> None:
    for statement in (_TABLE, SQL(_FILL).format(rows), "VACUUM ANALYZE scanned", "CHECKPOINT", _CHECK):
        connection.execute(statement)
    found = connection.execute("SELECT pg_table_size('scanned')").fetchone()
    size = int(found[0]) if found else 0
    print(f"{rows:,} rows, {size / 2**20:,.0f} MiB, Postgres {connection.info.server_version // 10_000}")
    for title, (statement, again) in _WORK.items():
        seconds = [_run(connection, statement, again) for _ in range(runs)]
        best, worst = min(seconds), max(seconds)
        rates = f"{size / best / 2**20:5.0f} MiB/s (slowest {size / worst / 2**20:.0f})"
        print(f"{title:28} {best:6.2f} s (slowest {worst:.2f})  {rates}")


def _run(connection: Connection, statement: str, again: tuple[str, ...]) -> float:
    started = time.perf_counter()
    connection.execute(SQL(statement))
    elapsed = time.perf_counter() - started
    for one in again:
        connection.execute(SQL(one))
    return elapsed


if __name__ == "__main__":
    main()
