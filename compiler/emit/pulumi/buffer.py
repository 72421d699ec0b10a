"""A dataset's buffer and dead-letter queue, and the topic of its update events."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pulumi
import pulumi_aws as aws
from pulumi import ResourceOptions

from compiler import names
from compiler.dataset import Dataset
from compiler.emit import iam, queues
from compiler.emit.pulumi.deployment import Deployment, after
from compiler.emit.pulumi.producers import foreign_senders

_DAY_SECONDS = 86_400


@dataclass(frozen=True)
class Queues:
    """The two queues of one dataset, as resources, with the ARNs that they are given.

    `ready` are what a sink must find attached to them.
    """

    buffer: aws.sqs.Queue
    dead_letter: aws.sqs.Queue
    buffer_arn: str
    dead_letter_arn: str
    ready: tuple[pulumi.Resource, ...] = ()

    @property
    def exports(self) -> dict[str, pulumi.Input[str]]:
        """Where both are."""
        return {
            "buffer_url": self.buffer.url,
            "buffer_arn": self.buffer_arn,
            "dead_letter_url": self.dead_letter.url,
            "dead_letter_arn": self.dead_letter_arn,
        }


def queues_of(dataset: Dataset, deployment: Deployment, here: ResourceOptions) -> Queues:
    """Both queues with redrive between them: encrypted, reached over TLS only, and kept where the stack says so."""
    made = Queues(
        buffer=_queue(
            f"{dataset.name}-buffer",
            names.buffer_queue(deployment.prefix, dataset.name),
            dataset,
            deployment,
            here,
            message_bytes=queues.BUFFER_MESSAGE_BYTES,
            retention_seconds=dataset.buffer.retention_days * _DAY_SECONDS,
        ),
        dead_letter=_queue(
            f"{dataset.name}-dlq",
            names.dead_letter_queue(deployment.prefix, dataset.name),
            dataset,
            deployment,
            here,
            message_bytes=queues.DEAD_LETTER_MESSAGE_BYTES,
            retention_seconds=queues.DEAD_LETTER_RETENTION_SECONDS,
        ),
        buffer_arn=deployment.arns.queue(names.buffer_queue(deployment.prefix, dataset.name)),
        dead_letter_arn=deployment.arns.queue(names.dead_letter_queue(deployment.prefix, dataset.name)),
    )
    redrive = _redrive(dataset, made, here)
    in_arns, senders = deployment.arns, foreign_senders(dataset, deployment)
    _policy(f"{dataset.name}-dlq", made.dead_letter, iam.queue_policy(in_arns, made.dead_letter_arn), here)
    _policy(f"{dataset.name}-buffer", made.buffer, iam.queue_policy(in_arns, made.buffer_arn, senders), here)
    return replace(made, ready=(redrive,))


def topic_of(dataset: Dataset, deployment: Deployment, here: ResourceOptions) -> str | None:
    """The ARN of the topic of the dataset's update events; None, and no topic, where it publishes none."""
    if not dataset.publish_events:
        return None
    name = names.topic(deployment.prefix, dataset.name)
    arn = deployment.arns.topic(name)
    topic = aws.sns.Topic(f"{dataset.name}-commits", name=name, tags=deployment.tags(dataset), opts=here)
    aws.sns.TopicPolicy(
        f"{dataset.name}-commits", arn=topic.arn, policy=iam.text(iam.tls_only_topic_policy(arn)), opts=here
    )
    return arn


def _queue(
    resource: str,
    name: str,
    dataset: Dataset,
    deployment: Deployment,
    here: ResourceOptions,
    *,
    message_bytes: int,
    retention_seconds: int,
) -> aws.sqs.Queue:
    return aws.sqs.Queue(
        resource,
        name=name,
        max_message_size=message_bytes,
        message_retention_seconds=retention_seconds,
        receive_wait_time_seconds=queues.RECEIVE_WAIT_SECONDS,
        visibility_timeout_seconds=dataset.buffer.visibility_timeout_seconds,
        # One of the two: SQS refuses both.
        sqs_managed_sse_enabled=None if deployment.key else True,
        kms_master_key_id=deployment.key,
        kms_data_key_reuse_period_seconds=queues.DATA_KEY_SECONDS if deployment.key else None,
        tags=deployment.tags(dataset),
        opts=deployment.kept(here, dataset),
    )


def _redrive(dataset: Dataset, made: Queues, here: ResourceOptions) -> aws.sqs.RedrivePolicy:
    """The dead-letter queue admits its buffer before the buffer names it: SQS checks the pair."""
    admitted = aws.sqs.RedriveAllowPolicy(
        f"{dataset.name}-dlq",
        queue_url=made.dead_letter.url,
        redrive_allow_policy=iam.text(queues.redrive_from(made.buffer_arn)),
        opts=here,
    )
    aws.sqs.RedriveAllowPolicy(
        f"{dataset.name}-buffer",
        queue_url=made.buffer.url,
        redrive_allow_policy=iam.text(queues.redrive_from_none()),
        opts=here,
    )
    return aws.sqs.RedrivePolicy(
        f"{dataset.name}-buffer",
        queue_url=made.buffer.url,
        redrive_policy=iam.text(queues.redrive(made.dead_letter_arn, dataset.buffer.max_receive_count)),
        opts=after(here, admitted),
    )


def _policy(resource: str, queue: aws.sqs.Queue, document: iam.Document, here: ResourceOptions) -> None:
    aws.sqs.QueuePolicy(resource, queue_url=queue.url, policy=iam.text(document), opts=here)
