"""Queues, topics and buckets: dead letters have a place, data are encrypted, moved over TLS and not deleted by a mistake."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from compiler import names
from compiler.emit.graph import Graph, Recorded
from compiler.emit.invariants.stack import Compiled, Violation
from compiler.emit.rights import Statement, listed

QUEUE = "aws:sqs/queue:Queue"
TOPIC = "aws:sns/topic:Topic"
BUCKET = "aws:s3/bucket:Bucket"
KEY = "aws:kms/key:Key"
TABLE = "pulumi-python:dynamic/sluice:DatasetTable"
EXTENDING_SECONDS = 10  # the read timeout of the sink's calls to SQS
KEPT = (QUEUE, BUCKET, KEY, TABLE)

# Where a resource's policy stands, and by which input it names the resource.
POLICIES: Mapping[str, tuple[str, str]] = {
    QUEUE: ("aws:sqs/queuePolicy:QueuePolicy", "queueUrl"),
    TOPIC: ("aws:sns/topicPolicy:TopicPolicy", "arn"),
    BUCKET: ("aws:s3/bucketPolicy:BucketPolicy", "bucket"),
}


def every_buffer_has_its_dead_letter_queue(compiled: Compiled) -> Iterator[Violation]:
    """Each queue either redrives to a declared queue that admits it and keeps longer, or is such a queue itself."""
    queues = {one.arn: one for one in compiled.graph.of_type(QUEUE)}
    redrives = {queue.arn: target for queue, target in _redrives(compiled.graph, queues)}
    targets = set(redrives.values())
    for arn, queue in queues.items():
        if arn in targets:
            continue
        target = queues.get(redrives.get(arn, ""))
        if target is None:
            yield _no_dead_letters(
                queue, "has no dead-letter queue: a message that no sink can take comes for ever."
            )
        elif not _admits(compiled.graph, target, arn):
            yield _no_dead_letters(queue, f"redrives to {target.name}, which does not admit exactly it.")
        elif _retention(target) <= _retention(queue):
            yield _no_dead_letters(
                queue, f"keeps its messages as long as {target.name}, which counts from the first send."
            )


def _no_dead_letters(queue: Recorded, message: str) -> Violation:
    fix = "Declare the pair by compiler/emit/pulumi/buffer.py."
    return Violation("no-dead-letter-queue", queue.key, message, fix)


def _redrives(graph: Graph, queues: Mapping[str, Recorded]) -> Iterator[tuple[Recorded, str]]:
    for one in graph.of_type("aws:sqs/redrivePolicy:RedrivePolicy"):
        for queue in queues.values():
            if one.inputs["queueUrl"].endswith(f"/{queue.inputs['name']}"):
                yield queue, json.loads(one.inputs["redrivePolicy"])["deadLetterTargetArn"]


def _admits(graph: Graph, target: Recorded, arn: str) -> bool:
    wanted = {"redrivePermission": "byQueue", "sourceQueueArns": [arn]}
    return any(
        json.loads(one.inputs["redriveAllowPolicy"]) == wanted
        for one in graph.of_type("aws:sqs/redriveAllowPolicy:RedriveAllowPolicy")
        if one.inputs["queueUrl"].endswith(f"/{target.inputs['name']}")
    )


def _retention(queue: Recorded) -> int:
    return int(queue.inputs.get("messageRetentionSeconds", 345_600))  # SQS' default


def data_at_rest_is_encrypted(compiled: Compiled) -> Iterator[Violation]:
    """Queues by SQS or by a key, buckets by a rule of theirs. A topic's messages hold counts, and none rests there."""
    for queue in compiled.graph.of_type(QUEUE):
        if not (queue.inputs.get("sqsManagedSseEnabled") is True or queue.inputs.get("kmsMasterKeyId")):
            fix = "Set sqs_managed_sse_enabled, or kms_master_key_id."
            yield Violation("not-encrypted", queue.key, "is not encrypted at rest.", fix)
    encrypted = {
        one.inputs["bucket"]
        for one in compiled.graph.of_type(
            "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
        )
    }
    for bucket in compiled.graph.of_type(BUCKET):
        if bucket.inputs["bucket"] not in encrypted:
            fix = "Declare a BucketServerSideEncryptionConfiguration."
            yield Violation("not-encrypted", bucket.key, "does not say how it is encrypted at rest.", fix)


def nothing_is_reached_without_tls(compiled: Compiled) -> Iterator[Violation]:
    """Each queue, topic and bucket has a policy that denies plain connections to it."""
    for kind, (policy, reference) in POLICIES.items():
        documents = compiled.graph.of_type(policy)
        for resource in compiled.graph.of_type(kind):
            own = [one for one in documents if _is_of(one.inputs[reference], resource)]
            if not any(_denies_plain(one, resource) for one in own):
                fix = "Give it the statement DenyWithoutTls of compiler/emit/iam.py."
                yield Violation("no-tls", resource.key, "may be reached without TLS.", fix)


def _is_of(name: str, resource: Recorded) -> bool:
    own = str(resource.inputs.get("name") or resource.inputs.get("bucket"))
    return own in (name, name.rpartition("/")[2], name.rpartition(":")[2])


def _denies_plain(policy: Recorded, resource: Recorded) -> bool:
    return any(
        _is_tls_only(statement) and resource.arn in listed(statement["Resource"])
        for statement in listed(json.loads(policy.inputs["policy"])["Statement"])
    )


def _is_tls_only(statement: Statement) -> bool:
    plain: dict[str, Any] = {"Bool": {"aws:SecureTransport": "false"}}
    found = (statement["Effect"], statement["Principal"], statement["Condition"])
    return found == ("Deny", "*", plain)


def what_holds_data_is_protected(compiled: Compiled) -> Iterator[Violation]:
    """Where the stack says `protect`, queues, tables, buckets and keys are, and outlive their resource, but for those of a
    dataset that is sealed.
    """
    if not compiled.stack.protect:
        return
    sealed = tuple(f"{one.name}-" for one in compiled.datasets if one.tombstone is not None)
    for one in compiled.graph.of_type(*KEPT):
        if not (one.protect and one.retain) and not (sealed and one.name.startswith(sealed)):
            fix = "Give it the options of `Deployment.kept` in the program."
            yield Violation("not-protected", one.key, "holds data and is not protected and retained.", fix)


def what_is_in_hand_stays_hidden(compiled: Compiled) -> Iterator[Violation]:
    """A buffer hides a message as long as the sink's plan says, and a third of that, at which the sink extends it, leaves
    a batch time to gather and the extending call time to fail once.
    """
    queues = {str(one.inputs["name"]): one for one in compiled.graph.of_type(QUEUE)}
    for dataset in compiled.datasets:
        queue = queues.get(names.buffer_queue(compiled.stack.prefix, dataset.name))
        if queue is None:
            continue
        planned = dataset.buffer.visibility_timeout_seconds
        found = int(queue.inputs.get("visibilityTimeoutSeconds", 30))  # SQS' default
        least = 3 * max(dataset.sink.linger_ms / 1000, EXTENDING_SECONDS)
        if found != planned or found < least:
            message = (
                f"hides a message for {found} s; the plan has {planned} s, and a batch needs {least:g} s."
            )
            fix = "Take the queue's timeout from the manifest, and raise buffer.visibility_timeout_seconds."
            yield Violation("visible-too-soon", queue.key, message, fix)


QUEUES = (
    what_is_in_hand_stays_hidden,
    every_buffer_has_its_dead_letter_queue,
    data_at_rest_is_encrypted,
    nothing_is_reached_without_tls,
    what_holds_data_is_protected,
)
