"""Sizes that AWS refuses, and counts against an account's quotas, before a deployment finds out half-way.

Sources: "IAM and AWS STS quotas", "Amazon SQS policy quotas", "Amazon SNS", "Amazon S3" and "AWS KMS" quotas of AWS' documentation.
Quotas that AWS raises on request are warnings, and count what this stack alone takes.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping

from compiler.emit.invariants.stack import Compiled, Violation
from compiler.emit.rights import (
    ATTACHMENT,
    POLICY,
    ROLE,
    ROLE_POLICY,
    Document,
    listed,
    resource_documents,
    trust_documents,
)
from compiler.problems import Severity

MANAGED_POLICY_CHARACTERS = 6_144
INLINE_POLICIES_CHARACTERS = 10_240  # all inline policies of one role together
TRUST_POLICY_CHARACTERS = 2_048
MANAGED_POLICIES_PER_ROLE = 10
RESOURCE_POLICY_BYTES: Mapping[str, int] = {
    "aws:sqs/queuePolicy:QueuePolicy": 8_192,
    "aws:sns/topicPolicy:TopicPolicy": 30_720,
    "aws:s3/bucketPolicy:BucketPolicy": 20_480,
    "aws:kms/key:Key": 32_768,
}
QUEUE_POLICY_STATEMENTS = 20
QUEUE_POLICY_PRINCIPALS = 50
REDRIVE_SOURCES = 10
TAGS = 50
QUOTAS: Mapping[str, int] = {
    ROLE: 1_000,
    POLICY: 1_500,
    "aws:s3/bucket:Bucket": 10_000,
    "aws:sns/topic:Topic": 100_000,
    "aws:kms/key:Key": 100_000,
}
_SPLIT = "Deploy fewer datasets with this stack, or bind fewer principals."


def identity_policies_fit(compiled: Compiled) -> Iterator[Violation]:
    """Managed policies alone, inline ones by their role, trust policies; IAM does not count white space."""
    inline: Counter[str] = Counter()
    for one in compiled.graph.of_type(ROLE_POLICY):
        inline[f"{ROLE} {one.inputs['role']}"] += _characters(one.inputs["policy"])
    managed = {one.key: _characters(one.inputs["policy"]) for one in compiled.graph.of_type(POLICY)}
    trust = {
        document.of.key: _characters(document.of.inputs["assumeRolePolicy"])
        for document in trust_documents(compiled.graph)
    }
    for sizes, limit, what in (
        (managed, MANAGED_POLICY_CHARACTERS, "policy"),
        (inline, INLINE_POLICIES_CHARACTERS, "inline policies"),
        (trust, TRUST_POLICY_CHARACTERS, "trust policy"),
    ):
        yield from (_too_large(key, what, size, limit) for key, size in sorted(sizes.items()) if size > limit)


def _characters(document: str) -> int:
    return len(json.dumps(json.loads(document), separators=(",", ":"), ensure_ascii=False))


def resource_policies_fit(compiled: Compiled) -> Iterator[Violation]:
    """Bytes of every resource's policy; statements and principals of a queue's."""
    for document in resource_documents(compiled.graph):
        size, limit = len(json.dumps(document.value).encode()), RESOURCE_POLICY_BYTES[document.of.type]
        exact = len(document.of.inputs["policy"].encode())
        if min(size, exact) > limit:
            yield _too_large(document.of.key, "policy", exact, limit)
        if document.of.type == "aws:sqs/queuePolicy:QueuePolicy":
            yield from _queue_policy(document)


def _queue_policy(document: Document) -> Iterator[Violation]:
    named = [
        name
        for statement in document.statements
        for names in (statement["Principal"].values() if isinstance(statement["Principal"], dict) else ["*"])
        for name in listed(names)
    ]
    for count, limit, what in (
        (len(document.statements), QUEUE_POLICY_STATEMENTS, "statements"),
        (len(named), QUEUE_POLICY_PRINCIPALS, "principals"),
    ):
        if count > limit:
            yield Violation("too-many", document.of.key, f"has {count} {what}; SQS takes {limit}.", _SPLIT)


def _too_large(key: str, what: str, size: int, limit: int) -> Violation:
    return Violation(
        "policy-too-large", key, f"has {what} of {size:,} characters; AWS takes {limit:,}.", _SPLIT
    )


def lists_fit(compiled: Compiled) -> Iterator[Violation]:
    """Policies attached to one role, sources of one dead-letter queue, tags of one resource."""
    attached = Counter(str(one.inputs["role"]) for one in compiled.graph.of_type(ATTACHMENT))
    for role, count in sorted(attached.items()):
        if count > MANAGED_POLICIES_PER_ROLE:
            message = f"is given {count} managed policies; IAM takes {MANAGED_POLICIES_PER_ROLE} unless AWS raises it."
            yield Violation("too-many", f"{ROLE} {role}", message, _SPLIT, Severity.WARNING)
    for one in compiled.graph.of_type("aws:sqs/redriveAllowPolicy:RedriveAllowPolicy"):
        sources = json.loads(one.inputs["redriveAllowPolicy"]).get("sourceQueueArns", [])
        if len(sources) > REDRIVE_SOURCES:
            message = f"admits {len(sources)} queues; SQS takes {REDRIVE_SOURCES}."
            yield Violation("too-many", one.key, message, _SPLIT)
    for one in compiled.graph.resources:
        if len(one.inputs.get("tags") or {}) > TAGS:
            yield Violation("too-many", one.key, f"has more than {TAGS} tags.", "Remove some.")


def counts_are_within_quotas(compiled: Compiled) -> Iterator[Violation]:
    """What this stack alone takes of an account's default quotas."""
    counts = Counter(one.type for one in compiled.graph.resources)
    for kind, quota in QUOTAS.items():
        if counts[kind] > quota:
            message = f"is declared {counts[kind]:,} times; an account has {quota:,} unless AWS raises it."
            fix = "Have the quota raised, or spread the datasets over accounts."
            yield Violation("over-quota", kind, message, fix, Severity.WARNING)


LIMITS = (identity_policies_fit, resource_policies_fit, lists_fit, counts_are_within_quotas)
