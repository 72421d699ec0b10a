"""What the story asks of the real parts: the queues, the table, the commits, the events."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from botocore.exceptions import ClientError
from psycopg import sql

from dev.emulator import client as aws
from dev.emulator.launch import Emulator
from dev.outputs import load_outputs
from dev.state import Paths

SUBSCRIBER = "demo_subscriber"


@dataclass(frozen=True)
class Commits:
    """What a dataset's output commits say: how many, the last sequence, and their counts added up."""

    count: int
    last_sequence: int
    inserted: int
    updated: int
    published: int


class World:
    """The embedded environment as its administrator sees it; `close` ends the database connection."""

    def __init__(self, project: Path) -> None:
        paths = Paths.of(project)
        status = Emulator(paths).status()
        if status is None:
            raise RuntimeError("the emulator does not run")
        self._state = status
        self.outputs = load_outputs(project)
        self.datasets: Mapping[str, Any] = self.outputs["datasets"]
        session = aws.session(status)
        self._sqs = session.client("sqs")
        self._sns = session.client("sns")
        self._secrets = session.client("secretsmanager")
        self._database = psycopg.connect(**self.outputs["postgres"], autocommit=True)

    def close(self) -> None:
        """End the database connection."""
        self._database.close()

    def rows(self, dataset: str) -> int:
        """How many rows the public relation has."""
        relation = sql.Identifier(*self.datasets[dataset]["relation"].split("."))
        return int(self._one(sql.SQL("SELECT count(*) FROM {}").format(relation))[0])

    def scores(self) -> dict[str, str]:
        """asset_id -> score, as text, of integrity_signals."""
        query = sql.SQL("SELECT asset_id::text, score::text FROM datasets.integrity_signals")
        return {row[0]: row[1] for row in self._database.execute(query)}

    def commits(self, dataset: str) -> Commits:
        """The dataset's output commits, added up."""
        query = sql.SQL(
            "SELECT count(*), coalesce(max(sequence), 0), coalesce(sum(inserted), 0), coalesce(sum(updated), 0),"
            " count(event_published_at) FROM sluice.output_commits WHERE dataset = {}"
        )
        return Commits(*map(int, self._one(query.format(sql.Literal(dataset)))))

    def plans(self, dataset: str) -> frozenset[str]:
        """The hashes of the sink plans by which the dataset was written."""
        query = sql.SQL("SELECT DISTINCT plan_sha256 FROM sluice.output_commits WHERE dataset = {}")
        return frozenset(row[0] for row in self._database.execute(query.format(sql.Literal(dataset))))

    def filled(self, dataset: str, column: str) -> int:
        """How many rows have a value in the column."""
        relation = sql.Identifier(*self.datasets[dataset]["relation"].split("."))
        query = sql.SQL("SELECT count({}) FROM {}").format(sql.Identifier(column), relation)
        return int(self._one(query)[0])

    def drained(self, dataset: str) -> bool:
        """Whether the buffer holds no message, visible or in flight."""
        return self._depth(self.datasets[dataset]["buffer_url"]) == 0

    def may_receive(self, dataset: str, producer: str) -> str:
        """What SQS answers when the producer's credentials try to receive: an error code, or "allowed"."""
        role = self.datasets[dataset]["producers"][producer]
        session = aws.session(self._state, aws.assume(self._state, role, "demo-receive"))
        try:
            session.client("sqs").receive_message(QueueUrl=self.datasets[dataset]["buffer_url"])
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "allowed"

    def dead_letters(self, dataset: str) -> list[tuple[str, str]]:
        """The reason and the particulars' text of each dead letter; the letters are taken out of the queue."""
        return sorted(
            (
                message["MessageAttributes"]["reason"]["StringValue"],
                str(json.loads(message["MessageAttributes"]["sluice"]["StringValue"])["text"]),
            )
            for message in self._take(self.datasets[dataset]["dead_letter_url"], attributes=["All"])
        )

    def dead_letter_depth(self, dataset: str) -> int:
        """How many letters the dead-letter queue holds."""
        return self._depth(self.datasets[dataset]["dead_letter_url"])

    def secret(self, arn: str) -> dict[str, str]:
        """The fields of a login secret."""
        found: dict[str, str] = json.loads(self._secrets.get_secret_value(SecretId=arn)["SecretString"])
        return found

    def subscribe(self) -> str:
        """A queue that receives every dataset's update events; returns its address."""
        url = str(self._sqs.create_queue(QueueName=SUBSCRIBER)["QueueUrl"])
        arn = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"][
            "QueueArn"
        ]
        for dataset in self.datasets.values():
            self._sns.subscribe(
                TopicArn=dataset["topic_arn"],
                Protocol="sqs",
                Endpoint=arn,
                Attributes={"RawMessageDelivery": "true"},
            )
        return url

    def events(self, url: str) -> list[dict[str, Any]]:
        """The update events that the subscriber has received since it was last asked."""
        return [json.loads(message["Body"]) for message in self._take(url)]

    def _take(self, url: str, attributes: list[str] | None = None) -> list[dict[str, Any]]:
        taken: list[dict[str, Any]] = []
        while True:
            answer = self._sqs.receive_message(
                QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=attributes or []
            )
            messages = answer.get("Messages", [])
            if not messages:
                return taken
            taken.extend(messages)
            entries = [{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(messages)]
            self._sqs.delete_message_batch(QueueUrl=url, Entries=entries)

    def _depth(self, url: str) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(int(answer[name]) for name in names)

    def _one(self, query: sql.Composed | sql.SQL) -> Any:
        row = self._database.execute(query).fetchone()
        if row is None:
            raise RuntimeError("no row")
        return row
