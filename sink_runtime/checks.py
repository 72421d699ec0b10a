"""What must be right before a sink receives, looked at one thing after another, each without harm.

    plan -> buffer -> delete -> login -> catalog -> grants -> dead letters -> topic

`--check` runs all of them. A start runs those of SQS, and its writers the rest, whenever they connect.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg

from sink_runtime.aws import Aws
from sink_runtime.exits import DENIED, DENIED_TEXT
from sink_runtime.faults import FatalError, Fault
from sink_runtime.plans import Loaded
from sink_runtime.postgres import served
from sink_runtime.postgres.database import Database
from sink_runtime.postgres.errors import DatabaseFault
from sink_runtime.postgres.login import login_of
from sink_runtime.settings import Settings
from sink_runtime.sqs.calls import endpoint_of
from sink_runtime.sqs.queue import MAX_MESSAGE_BYTES
from sink_runtime.sqs.wire import QueueFault, Wire

# No message has this receipt: whoever may delete is told so, and whoever may not is refused before it is looked at.
NO_RECEIPT = "sluice-start-up-probe"
# SQS takes no U+0001 in a body, and says so of the entry once it has found that the caller may send.
UNSENDABLE = "sluice start-up probe, which no queue takes \x01"
_NO_DATABASE = "3D000"
_CREATE_DATABASE = "Create the database, or name in SLUICE_DATABASE_NAME the one that is there."
_ATTRIBUTES = ["MaximumMessageSize", "VisibilityTimeout", "RedrivePolicy"]

FIXES: Mapping[str, str] = {
    "plan": "Name the plan that the compiler wrote: SLUICE_PLAN, or --plan. The role needs s3:GetObject on it.",
    "buffer": "Compare SLUICE_BUFFER_URL with the stack's outputs; the role needs sqs:GetQueueAttributes on it.",
    "delete": "Give the sink's role sqs:DeleteMessage on the buffer, and look for a policy that denies it.",
    "login": "See that Postgres can be reached from here, and that the secret holds the login's present password "
    "(with SLUICE_DATABASE_AUTH iam: that the role may rds-db:connect as SLUICE_DATABASE_USER, a member of rds_iam). "
    "verify-full needs the server's CA: PGSSLROOTCERT.",
    "catalog": "Apply the dataset's migrations (sluice migrate apply), or deploy the plan that fits the table.",
    "grants": "Deploy the stack again: it makes the grants. See which role the login is a member of.",
    "dead letters": "Compare SLUICE_DEAD_LETTER_URL with the stack's outputs; the role needs sqs:SendMessage on it.",
    "topic": "Compare SLUICE_TOPIC_ARN with the stack's outputs.",
}


@dataclass(frozen=True)
class Passed:
    """A check that found nothing to wait for; `warnings` are what a person should mend all the same."""

    text: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Check:
    """One check: `run` raises Fault, or FatalError where no waiting helps. `needs` must have passed before."""

    name: str
    run: Callable[[], Passed]
    needs: str | None = None

    def fix(self, fault: Exception) -> str:
        """What mends it where it fails so."""
        sqlstate = fault.diagnosis.sqlstate if isinstance(fault, DatabaseFault) else ""
        return _CREATE_DATABASE if sqlstate == _NO_DATABASE else FIXES[self.name]


class Checks:
    """The checks of one sink after its plan was read."""

    def __init__(self, found: Settings, loaded: Loaded, aws: Aws) -> None:
        self._settings = found
        self._plan = loaded.plan
        self._aws = aws
        self._database = Database(found, self._plan, login_of(found, aws))

    def of_queues(self) -> tuple[Check, ...]:
        """Those that a start makes before it receives; its writers check Postgres themselves."""
        return tuple(one for one in self.all() if one.name in ("buffer", "delete", "dead letters"))

    def all(self) -> tuple[Check, ...]:
        """Every check, in order."""
        return (
            Check("buffer", self._buffer),
            Check("delete", self._delete),
            Check("login", self._login),
            Check("catalog", lambda: self._served(grants=False), "login"),
            Check("grants", lambda: self._served(grants=True), "login"),
            Check("dead letters", self._dead_letters),
            Check("topic", self._topic),
        )

    def close(self) -> None:
        """Drop the connection to Postgres."""
        self._database.close()

    def _buffer(self) -> Passed:
        url, plan = self._settings.buffer_url, self._plan
        answer = self._wire(url, "buffer").call(
            "GetQueueAttributes", {"QueueUrl": url, "AttributeNames": _ATTRIBUTES}
        )
        found: dict[str, str] = answer.get("Attributes") or {}
        visibility = int(found.get("VisibilityTimeout", 0))
        if 2 * visibility < plan.visibility_timeout_seconds:
            # The heartbeat extends at a third of the plan's: what the queue shows earlier would be received twice.
            text = f"VisibilityTimeout is {visibility} s, less than half of the plan's {plan.visibility_timeout_seconds} s"
            raise Fault("buffer", text, alarm=True)
        warnings = [
            *_size(found, plan.max_message_bytes),
            *_visibility(visibility, plan.visibility_timeout_seconds),
            *_redrive(found, plan.max_receive_count, self._settings.dead_letter_url),
        ]
        return Passed(f"messages of up to {found.get('MaximumMessageSize')} bytes", tuple(warnings))

    def _delete(self) -> Passed:
        url = self._settings.buffer_url
        entry = {"Id": "0", "ReceiptHandle": NO_RECEIPT}
        try:
            self._wire(url, "buffer").call("DeleteMessageBatch", {"QueueUrl": url, "Entries": [entry]})
        except QueueFault as fault:
            if fault.is_denial:
                raise FatalError(DENIED_TEXT, DENIED) from fault
            if fault.alarm and "Receipt" in fault.code:  # refused as a whole, for what it was made wrong in
                return Passed("permitted")
            raise
        return Passed("permitted")

    def _login(self) -> Passed:
        self._database.connect()
        return Passed(f"at {self._settings.database_host}:{self._settings.database_port}")

    def _served(self, *, grants: bool) -> Passed:
        connection = self._database.current or self._database.connect()
        try:
            found = served.mismatches(connection, self._plan)
        except psycopg.Error as error:
            raise DatabaseFault.of(error, self._plan) from None
        texts = [one.text for one in found if one.is_grant is grants]
        if texts:
            raise Fault("plan", "; ".join(texts), alarm=True)
        return Passed(f"{self._plan.relation_schema}.{self._plan.relation}")

    def _dead_letters(self) -> Passed:
        """Send what SQS refuses by itself. The role may not read the queue's attributes, and need not."""
        url = self._settings.dead_letter_url
        entry = {"Id": "0", "MessageBody": UNSENDABLE}
        try:
            answer = self._wire(url, "dead_letters").call(
                "SendMessageBatch", {"QueueUrl": url, "Entries": [entry]}
            )
        except QueueFault as fault:
            if fault.code in ("InvalidMessageContents", "InvalidParameterValue"):
                return Passed("there", ("whether this role may send to it shows with the first letter",))
            raise
        if answer.get("Successful"):
            return Passed("takes messages", ("it took the start-up probe, which SQS itself refuses",))
        return Passed(
            f"takes messages; its limit must be {MAX_MESSAGE_BYTES} bytes, which this role cannot read"
        )

    def _topic(self) -> Passed:
        """No call: SNS has none that this role may make and that publishes nothing."""
        if not self._plan.publish_events:
            return Passed("the plan publishes no events")
        if self._settings.topic_arn is None:
            raise Fault("topic", "SLUICE_TOPIC_ARN is not set, and the plan publishes events", alarm=True)
        return Passed("named; whether it can be published to shows with the first event")

    def _wire(self, url: str, dependency: str) -> Wire:
        return self._aws.wire(url, endpoint_of, dependency)


def _size(found: Mapping[str, str], expected: int) -> list[str]:
    limit = int(found.get("MaximumMessageSize", 0))
    if limit == expected:
        return []
    if limit < expected:
        return [
            f"MaximumMessageSize is {limit}, less than {expected}: larger messages are refused to producers"
        ]
    return [
        f"MaximumMessageSize is {limit}, more than {expected}: larger bodies are dead-lettered as body_too_large"
    ]


def _visibility(found: int, expected: int) -> list[str]:
    return [] if found == expected else [f"VisibilityTimeout is {found} s, the plan has {expected} s"]


def _redrive(found: Mapping[str, str], expected: int, dead_letter_url: str) -> list[str]:
    if not found.get("RedrivePolicy"):
        return ["no RedrivePolicy: a message that nobody can read or bury comes again for ever"]
    policy: dict[str, Any] = json.loads(found["RedrivePolicy"])
    warnings = []
    if int(policy.get("maxReceiveCount", 0)) != expected:
        warnings.append(f"maxReceiveCount is {policy.get('maxReceiveCount')}, the plan has {expected}")
    target = str(policy.get("deadLetterTargetArn", "")).rpartition(":")[2]
    if target != dead_letter_url.rpartition("/")[2]:
        warnings.append(f"its redrive goes to {target}, not to the queue of SLUICE_DEAD_LETTER_URL")
    return warnings
