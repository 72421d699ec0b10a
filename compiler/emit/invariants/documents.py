"""Policies: what they allow is named, action by action and resource by resource."""

from __future__ import annotations

from collections.abc import Iterator

from compiler.emit.invariants.stack import Compiled, Violation
from compiler.emit.rights import (
    Document,
    identity_documents,
    listed,
    principals,
    resource_documents,
    trust_documents,
)

KEY = "aws:kms/key:Key"

# Actions that name no resource, by AWS' service authorization reference: only these may be allowed on "*".
WITHOUT_RESOURCE = frozenset(
    {
        "cloudwatch:PutMetricData",
        "ecr:GetAuthorizationToken",
        "ssmmessages:CreateControlChannel",
        "ssmmessages:CreateDataChannel",
        "ssmmessages:OpenControlChannel",
        "ssmmessages:OpenDataChannel",
        "xray:PutTelemetryRecords",
        "xray:PutTraceSegments",
    }
)


def no_allowed_action_is_a_wildcard(compiled: Compiled) -> Iterator[Violation]:
    """No `sqs:*` and no NotAction in what is allowed."""
    for document in _documents(compiled):
        for statement in document.allows:
            wide = [one for one in listed(statement.get("Action", [])) if "*" in one]
            if wide or "NotAction" in statement:
                yield _wide(document, f"allows {', '.join(wide) or 'all actions but some'}.")


def no_principal_is_everybody(compiled: Compiled) -> Iterator[Violation]:
    """No `*`, and no account of others without the roles that it is about."""
    for document in _documents(compiled):
        for statement in document.allows:
            if "NotPrincipal" in statement:
                yield _wide(document, "allows everybody but some.")
            for principal, condition in principals(statement):
                if "*" in principal or principal == "everybody":
                    yield _wide(document, "allows everybody.")
                elif principal.endswith(":root") and not _is_own_key(document, principal, compiled):
                    yield _wide(
                        document, f"allows the whole account {principal} under {condition or 'no condition'}."
                    )


def _is_own_key(document: Document, principal: str, compiled: Compiled) -> bool:
    """A key must let its own account administer it, or nobody ever could again."""
    return document.of.type == KEY and principal.split(":")[4] == compiled.stack.account


def no_resource_is_open(compiled: Compiled) -> Iterator[Violation]:
    """`*` only for actions that know no resource, and in a key's policy, where it means the key."""
    for document in _documents(compiled):
        if document.of.type == KEY:
            continue
        for statement in document.allows:
            named = {one for one in listed(statement.get("Action", [])) if one not in WITHOUT_RESOURCE}
            if named and ("*" in listed(statement.get("Resource", [])) or "NotResource" in statement):
                yield _wide(document, f"allows {', '.join(sorted(named))} on every resource.")


def _documents(compiled: Compiled) -> Iterator[Document]:
    yield from identity_documents(compiled.graph)
    yield from resource_documents(compiled.graph)
    yield from trust_documents(compiled.graph)


def _wide(document: Document, message: str) -> Violation:
    return Violation(
        "policy-wildcard", document.of.key, message, "Name the actions, principals and resources."
    )


DOCUMENTS = (no_allowed_action_is_a_wildcard, no_principal_is_everybody, no_resource_is_open)
