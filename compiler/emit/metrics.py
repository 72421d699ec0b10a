"""CloudWatch metrics that alarms, scaling and the dashboard look at. None of them needs anything of the sink itself.

SQS' metrics come once a minute, end six hours after a queue was last used, and may be 15 minutes late when it is used
again: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
"""

from __future__ import annotations

from dataclasses import dataclass

PERIOD_SECONDS = 60
"""SQS and ECS send one value a minute."""

VISIBLE = "ApproximateNumberOfMessagesVisible"
IN_FLIGHT = "ApproximateNumberOfMessagesNotVisible"
OLDEST = "ApproximateAgeOfOldestMessage"
SENT = "NumberOfMessagesSent"
DELETED = "NumberOfMessagesDeleted"


@dataclass(frozen=True)
class Metric:
    """One metric, by a statistic over a minute. `id` is its name within an expression."""

    id: str
    namespace: str
    name: str
    statistic: str
    dimensions: tuple[tuple[str, str], ...] = ()


def of_queue(identity: str, queue: str, name: str, statistic: str = "Maximum") -> Metric:
    """A metric of an SQS queue."""
    return Metric(identity, "AWS/SQS", name, statistic, (("QueueName", queue),))


def running_tasks(identity: str, cluster: str, service: str) -> Metric:
    """How many tasks of a service run: each sends one sample of its CPU a minute. (Container Insights counts them, too,
    and is charged by the metric.)
    """
    dimensions = (("ClusterName", cluster), ("ServiceName", service))
    return Metric(identity, "AWS/ECS", "CPUUtilization", "SampleCount", dimensions)
