"""The ceiling: COPY on one connection straight into the table, a transaction a batch, no queue, no conflict handling.

The rows are text before the clock starts; prints seconds, CPU seconds and peak MiB and ends.
"""

from __future__ import annotations

import json
import os
import sys
import time
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import sql

from bench.peers import surroundings
from bench.processes import memory_mib
from bench.sqs.records import record

_COPY = sql.SQL("COPY {} ({}) FROM STDIN").format(
    sql.Identifier(*surroundings.TABLE.split(".")),
    sql.SQL(", ").join(map(sql.Identifier, surroundings.COLUMNS)),
)


def main() -> None:
    """Copy as many rows as the first argument says."""
    rows = int(sys.argv[1])
    now = datetime.now(UTC).isoformat()
    batches = [
        "".join(
            _line(json.loads(record(number, now)))
            for number in range(first, min(first + surroundings.BATCH, rows))
        )
        for first in range(0, rows, surroundings.BATCH)
    ]
    with psycopg.connect(surroundings.database_url()) as connection:
        started, cpu = time.perf_counter(), time.process_time()
        for batch in batches:
            with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
                copy.write(batch)
            connection.commit()
        print(time.perf_counter() - started, time.process_time() - cpu, memory_mib(os.getpid()))


def _line(fields: dict[str, Any]) -> str:
    values = {**fields, "labels": json.dumps(fields["labels"])}
    return "\t".join(str(values[name]) for name in surroundings.COLUMNS) + "\n"


if __name__ == "__main__":
    main()
