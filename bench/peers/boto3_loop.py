"""The loop that everybody writes first: receive ten, insert them with executemany, commit, delete them."""

from __future__ import annotations

import json
from typing import Any

import boto3
import psycopg
from psycopg import sql

from bench.peers import surroundings

_INSERT = sql.SQL("INSERT INTO {} ({}) VALUES ({}) ON CONFLICT DO NOTHING").format(
    sql.Identifier(*surroundings.TABLE.split(".")),
    sql.SQL(", ").join(map(sql.Identifier, surroundings.COLUMNS)),
    sql.SQL(", ").join(map(sql.Placeholder, surroundings.COLUMNS)),
)


def main() -> None:
    """Loop until killed."""
    url = surroundings.queue()
    sqs = boto3.client("sqs", region_name=surroundings.region(), endpoint_url=surroundings.endpoint())
    with psycopg.connect(surroundings.database_url()) as connection:
        while True:
            answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=20)
            if messages := answer.get("Messages"):
                with connection.cursor() as cursor:
                    cursor.executemany(_INSERT, [_row(message["Body"]) for message in messages])
                connection.commit()
                entries = [
                    {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                    for number, message in enumerate(messages)
                ]
                sqs.delete_message_batch(QueueUrl=url, Entries=entries)  # type: ignore[arg-type]


def _row(body: str) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(body)
    return {**record, "labels": json.dumps(record["labels"])}


if __name__ == "__main__":
    main()
