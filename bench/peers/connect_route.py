"""Redpanda Connect's own components (Go), as mq-bridge-connect packs them into a wheel.

`aws_sqs` and `sql_insert` run as one Benthos stream, batching included; what crosses to mq-bridge is an acknowledgement
(its `null` output), since it wants to own one end of every stream.
"""

from __future__ import annotations

import json
import os
import time

import mq_bridge
import mq_bridge_connect

from bench.peers import surroundings


def main() -> None:
    """Run the route until killed."""
    mq_bridge_connect.register()
    route = mq_bridge.Route.from_config(
        {
            "input": {"custom": {"name": "connect", "config": {"yaml": json.dumps(stream())}}},
            "output": {"null": None},
            "batch_size": surroundings.BATCH,
            "concurrency": int(os.environ.get("BENCH_CONCURRENCY", "4")),
        }
    )
    route.start()
    while True:
        time.sleep(3600)


def stream() -> dict[str, object]:
    """The stream in Redpanda Connect's own configuration; JSON is YAML."""
    return {
        "input": {
            "broker": {
                "copies": int(os.environ.get("BENCH_COPIES", "1")),
                "inputs": [{"aws_sqs": _sqs()}],
                "batching": {"count": int(os.environ.get("BENCH_BATCH", "500")), "period": "200ms"},
            }
        },
        "pipeline": {"threads": 2, "processors": [{"sql_insert": _insert()}]},
        "max_in_flight": 64,
        "logger": {"level": os.environ.get("BENCH_LOG", "WARN")},
    }


def _sqs() -> dict[str, object]:
    access_key, secret_key = surroundings.credentials()
    return {
        "url": surroundings.queue(),
        "endpoint": surroundings.endpoint(),
        "region": surroundings.region(),
        "credentials": {"id": access_key, "secret": secret_key},
        "max_number_of_messages": 10,
        "wait_time_seconds": 20,
        "max_outstanding_messages": 10_000,
        "delete_message": True,
    }


def _insert() -> dict[str, object]:
    fields = ", ".join(
        f"this.{name}.format_json(no_indent: true).string()" if name == "labels" else f"this.{name}"
        for name in surroundings.COLUMNS
    )
    return {
        "driver": "postgres",
        "dsn": surroundings.database_url(),
        "table": surroundings.TABLE,
        "columns": list(surroundings.COLUMNS),
        "args_mapping": f"root = [{fields}]",
        "suffix": "ON CONFLICT DO NOTHING",
    }


if __name__ == "__main__":
    main()
