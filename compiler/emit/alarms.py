"""When somebody is told of a dataset, and why then: each alarm's arithmetic, as plain values.

Missing data are decided for each. A queue's metrics end when it is empty and nobody has used it for six hours, so there
silence is no alarm; of a service they end when no task runs, which is what its alarm is about.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from compiler import names
from compiler.dataset import Dataset
from compiler.emit import metrics
from compiler.emit.metrics import Metric
from compiler.emit.queues import DEAD_LETTER_RETENTION_SECONDS

_DAY_SECONDS = 86_400

NOTICE_DAYS = 2
"""How long before a dead letter may be deleted its alarm rings."""

IN_FLIGHT_MESSAGES = 100_000
"""SQS hands out no more at about 120,000 messages in flight."""

STALLED_MINUTES = 5
"""A sink commits at least every few seconds while messages wait, restarts and rollouts included."""


NOT_COMMITTING = "not_committing"
"""The alarm that a rollout is watched by: a new sink that does no work is rolled back."""


class Missing(StrEnum):
    """What an alarm makes of minutes without data, in CloudWatch's words."""

    GOOD = "notBreaching"
    BAD = "breaching"


@dataclass(frozen=True)
class Alarm:
    """One alarm: it rings where the value breaks the threshold for so many minutes in a row.

    `kind` ends its name; `expression` is over the metrics' ids, None where the one metric itself is compared. `below`: it
    rings under the threshold, not over it.
    """

    kind: str
    description: str
    metrics: tuple[Metric, ...]
    expression: str | None
    threshold: int
    minutes: int
    missing: Missing = Missing.GOOD
    below: bool = False


def alarms_of(dataset: Dataset, prefix: str, cluster: str) -> tuple[Alarm, ...]:
    """The four that every dataset has, and those that its manifest asks for; `cluster` is the ECS cluster's name."""
    buffer = names.buffer_queue(prefix, dataset.name)
    dead = names.dead_letter_queue(prefix, dataset.name)
    return (
        _oldest_age(dataset, buffer),
        not_committing(dataset, buffer),
        _dead_letters(dead),
        _dead_letters_age(dataset, dead),
        *_optional(dataset, prefix, buffer, cluster),
    )


def _oldest_age(dataset: Dataset, buffer: str) -> Alarm:
    """SQS leaves out what was received more than three times: such messages end in the dead-letter queue, with its alarm."""
    return Alarm(
        "oldest_age",
        "The oldest message waits for longer than the manifest's alarms.oldest_age_seconds.",
        (metrics.of_queue("age", buffer, metrics.OLDEST),),
        None,
        dataset.alarms.oldest_age_seconds,
        minutes=1,
    )


def not_committing(dataset: Dataset, buffer: str) -> Alarm:
    """Messages wait all the time and none is deleted, which is what a sink does with each that is committed or buried.

    It is SQS that says so: a sink that is gone, hangs, may not delete or has no log is seen as well. `waiting` is the least
    of a minute, so that a message that is fetched at once does not count; a minute in which nothing was deleted has no
    value of its own. A dataset that sleeps (min_tasks 0) is given the time that it takes to wake.
    """
    asleep = dataset.sink.min_tasks == 0
    target = math.ceil(dataset.sink.latency_target_seconds / metrics.PERIOD_SECONDS)
    return Alarm(
        NOT_COMMITTING,
        "Messages wait in the buffer and no sink commits any.",
        (
            metrics.of_queue("waiting", buffer, metrics.VISIBLE, "Minimum"),
            metrics.of_queue("done", buffer, metrics.DELETED, "Sum"),
        ),
        "IF((waiting > 0) AND (FILL(done, 0) == 0), 1, 0)",
        0,
        minutes=max(STALLED_MINUTES, target) if asleep else STALLED_MINUTES,
    )


def _dead_letters(dead: str) -> Alarm:
    """What somebody looks at just now counts too, so that looking does not end the alarm."""
    return Alarm(
        "dead_letters",
        "The dead-letter queue is not empty: records were refused, or received too often.",
        (
            metrics.of_queue("waiting", dead, metrics.VISIBLE),
            metrics.of_queue("looked_at", dead, metrics.IN_FLIGHT),
        ),
        "waiting + looked_at",
        0,
        minutes=1,
    )


def _dead_letters_age(dataset: Dataset, dead: str) -> Alarm:
    """Of a dead letter SQS tells the age since it was moved, and deletes it 14 days after it was *first* sent, of which the
    buffer may have taken its whole retention.
    """
    left = DEAD_LETTER_RETENTION_SECONDS // _DAY_SECONDS - dataset.buffer.retention_days - NOTICE_DAYS
    return Alarm(
        "dead_letters_age",
        f"A dead letter may be deleted by SQS in {NOTICE_DAYS} days: replay, export or purge it.",
        (metrics.of_queue("age", dead, metrics.OLDEST),),
        None,
        left * _DAY_SECONDS,
        minutes=1,
    )


def _optional(dataset: Dataset, prefix: str, buffer: str, cluster: str) -> Iterator[Alarm]:
    asked = dataset.alarms
    if asked.depth is not None:
        yield Alarm(
            "depth",
            "More messages wait than the manifest's alarms.depth.",
            (metrics.of_queue("waiting", buffer, metrics.VISIBLE),),
            None,
            asked.depth,
            minutes=3,
        )
    if asked.in_flight:
        yield Alarm(
            "in_flight",
            "SQS soon hands out no more messages: its limit is about 120,000 in flight.",
            (metrics.of_queue("in_flight", buffer, metrics.IN_FLIGHT),),
            None,
            IN_FLIGHT_MESSAGES,
            minutes=1,
        )
    if asked.tasks_below_minimum:
        service = names.service(prefix, dataset.name)
        yield Alarm(
            "tasks_below_minimum",
            "Fewer sinks run than the manifest's sink.min_tasks.",
            (metrics.running_tasks("tasks", cluster, service),),
            None,
            dataset.sink.min_tasks,
            minutes=5,
            missing=Missing.BAD,
            below=True,
        )
    if asked.publish_failures:
        yield Alarm(
            "publish_failures",
            "Update events cannot be published; they wait in the outbox.",
            (publish_failures(dataset, prefix),),
            None,
            0,
            minutes=5,
        )


PUBLISH_FAILURE_PATTERN = '{ ($.event = "waiting") && ($.waits_for = "topic") }'
"""The sink's log line of an attempt to publish that failed; it tries several times a minute. SNS' own metrics tell of
deliveries to subscribers, not of calls that it refused.
"""


def publish_failures(dataset: Dataset, prefix: str) -> Metric:
    """The count of such lines, which a filter on the log group makes."""
    return Metric("failures", names.metric_namespace(prefix), f"{dataset.name}_publish_failures", "Sum")
