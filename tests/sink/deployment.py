"""A dataset's AWS half on the emulator, and sinks as processes of their own, as a container would run them."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from compiler.emit.iam import read_login, sink_policy
from dev.emulator.client import EmulatorSession, process_environment
from dev.emulator.credentials import Grant
from dev.emulator.state import EmulatorState
from dev.state import Paths
from sink_runtime import settings as names
from tests.sink.messages import Message
from tests.sink.store import PASSWORD, Store, login
from tests.support.emulator import Role
from tests.support.waiting import until

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Sink:
    """A running sink process."""

    process: subprocess.Popen[bytes]
    log: Path

    def lines(self) -> list[dict[str, Any]]:
        """Its log so far."""
        found = self.log.read_text().splitlines()
        return [json.loads(line) for line in found if line.startswith("{")]

    def events(self, name: str) -> list[dict[str, Any]]:
        return [line for line in self.lines() if line["event"] == name]

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@dataclass
class Deployment:
    """Queues, topic with one subscribed queue, secret, role and plan object of a store's dataset."""

    store: Store
    sqs: Any
    buffer: str
    dead_letter: str
    inbox: str
    topic: str
    role: str
    environment: dict[str, str]
    folder: Path
    sinks: list[Sink] = field(default_factory=list)

    def send(self, *messages: Message) -> None:
        for message in messages:
            envelope = {"dataset": message.dataset, "records": list(message.records)} | message.envelope
            body = json.dumps(envelope) if message.body is None else message.body.decode()
            self.sqs.send_message(QueueUrl=self.buffer, MessageBody=body)

    def start(self, **environment: str) -> Sink:
        """Start a sink; it may not be ready yet."""
        log = self.folder / f"sink-{len(self.sinks)}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "sink_runtime"],
                env=self.environment | environment,
                cwd=ROOT,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.sinks.append(Sink(process, log))
        return self.sinks[-1]

    def counts(self, queue: str) -> tuple[int, int]:
        """Messages that are visible, and that are in flight."""
        asked = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=asked)["Attributes"]
        return int(found[asked[0]]), int(found[asked[1]])

    def await_drained(self) -> None:
        until(lambda: self.counts(self.buffer) == (0, 0), self.tell)

    def tell(self) -> str:
        """What a failed wait shows."""
        return "\n".join(sink.log.read_text() for sink in self.sinks)

    def read_all(self, queue: str, expected: int) -> list[dict[str, Any]]:
        """Receive and delete until so many messages were there."""
        return self.read_until(queue, lambda found: len(found) >= expected)

    def read_until(self, queue: str, enough: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
        """Receive and delete until what was there is enough."""
        found: list[dict[str, Any]] = []

        def receive() -> bool:
            answer = self.sqs.receive_message(
                QueueUrl=queue,
                MaxNumberOfMessages=10,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["All"],
            )
            for message in answer.get("Messages", ()):
                self.sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
                found.append(message)
            return enough(found)

        until(receive, lambda: f"{len(found)} messages\n{self.tell()}")
        return found


def deploy(
    store: Store,
    emulator: EmulatorState,
    paths: Paths,
    admin: EmulatorSession,
    make_role: Callable[..., Role],
    folder: Path,
) -> Deployment:
    unique = secrets.token_hex(6)
    sqs = admin.client("sqs")
    dead_letter = sqs.create_queue(QueueName=f"{unique}-dlq", Attributes={"MaximumMessageSize": "1048576"})[
        "QueueUrl"
    ]
    redrive = json.dumps(
        {"deadLetterTargetArn": _arn(sqs, dead_letter), "maxReceiveCount": store.plan.max_receive_count}
    )
    buffer = sqs.create_queue(
        QueueName=f"{unique}-buffer",
        Attributes={
            "VisibilityTimeout": str(store.plan.visibility_timeout_seconds),
            "RedrivePolicy": redrive,
            "MaximumMessageSize": "1040384",
        },
    )["QueueUrl"]
    inbox = sqs.create_queue(QueueName=f"{unique}-inbox")["QueueUrl"]
    topic = admin.client("sns").create_topic(Name=unique)["TopicArn"]
    admin.client("sns").subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=_arn(sqs, inbox), Attributes={"RawMessageDelivery": "true"}
    )
    secret = admin.client("secretsmanager").create_secret(
        Name=unique, SecretString=json.dumps({"username": login(store.dataset), "password": PASSWORD})
    )["ARN"]
    plan_uri = _upload(admin, store, unique, emulator.region)
    role = make_role(
        *sink_policy(
            buffer=_arn(sqs, buffer),
            dead_letter=_arn(sqs, dead_letter),
            topic=topic,
            plans=f"arn:aws:s3:::{unique}/plans/{store.plan.dataset}/*",
            login=read_login(secret),
        )["Statement"]
    )
    aws = process_environment(paths, emulator, Grant(role.arn, f"sink-{unique}"))
    environment = {
        "PATH": os.environ["PATH"],
        **aws,
        names.ENVIRONMENT: "test",
        names.HTTP_PORT: "0",  # several sinks run here at once
        names.PLAN: plan_uri,
        names.BUFFER_URL: buffer,
        names.DEAD_LETTER_URL: dead_letter,
        names.TOPIC_ARN: topic,
        names.DATABASE_HOST: store.settings.database_host,
        names.DATABASE_PORT: str(store.settings.database_port),
        names.DATABASE_NAME: store.settings.database_name,
        names.DATABASE_SSLMODE: "disable",
        names.DATABASE_SECRET_ARN: secret,
    }
    return Deployment(store, sqs, buffer, dead_letter, inbox, topic, role.arn, environment, folder)


def seconds_waited(lines: list[dict[str, Any]]) -> float:
    """Seconds between the first and the last time that the sink said it waits."""
    moments = [datetime.fromisoformat(line["timestamp"]) for line in lines]
    return (moments[-1] - moments[0]).total_seconds() if moments else 0.0


def _arn(sqs: Any, url: str) -> str:
    arn: str = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    return arn


def _upload(admin: EmulatorSession, store: Store, bucket: str, region: str) -> str:
    s3 = admin.client("s3")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": region})
    key = f"plans/{store.plan.dataset}/{store.plan.sha256.removeprefix('sha256:')}.json"
    s3.put_object(Bucket=bucket, Key=key, Body=store.plan.to_bytes())
    return f"s3://{bucket}/{key}"
