"""mq-bridge, a Rust core with Python bindings: its SQS endpoint into its SQL endpoint, all of it in Rust.

`columns: auto` writes each field into the column of its name, one INSERT of many rows a batch. Its conflict clause is DO
UPDATE only (an `insert_query` could say DO NOTHING, but would lose `labels`: it takes scalar fields only); no key comes
twice here, so neither clause has anything to do.
"""

from __future__ import annotations

import os
import time

import mq_bridge

from bench.peers import surroundings


def main() -> None:
    """Run the route until killed."""
    access_key, secret_key = surroundings.credentials()
    route = mq_bridge.Route.from_config(
        {
            "input": {
                "aws": {
                    "queue_url": surroundings.queue(),
                    "endpoint_url": surroundings.endpoint(),
                    "region": surroundings.region(),
                    "access_key": access_key,
                    "secret_key": secret_key,
                    "max_messages": 10,
                    "wait_time_seconds": 20,
                }
            },
            "output": {"sqlx": sqlx()},
            "batch_size": surroundings.BATCH,
            "concurrency": int(os.environ.get("BENCH_CONCURRENCY", "20")),
        }
    )
    route.start()
    while True:
        time.sleep(3600)


def sqlx() -> dict[str, object]:
    """The SQL endpoint."""
    return {
        "url": surroundings.database_url(),
        "table": surroundings.TABLE,
        "columns": "auto",
        "key": ",".join(surroundings.KEY),
    }


if __name__ == "__main__":
    main()
