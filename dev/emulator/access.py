"""Whether the caller of one request may do what it asks, by the policies that moto holds."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from moto.core.exceptions import _RESTError
from moto.iam.access_control import AssumedRoleAccessKey, IAMPolicy
from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends
from moto.sqs.models import sqs_backends
from moto.sts.models import AssumedRole, sts_backends

from dev.emulator import policy

# AWS asks for the permission of the single action where a batch action is called; S3 names some permissions unlike
# the call.
PERMISSIONS: Mapping[str, str] = {
    "s3:HeadBucket": "s3:ListBucket",
    "s3:ListBuckets": "s3:ListAllMyBuckets",
    "sns:PublishBatch": "sns:Publish",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:SendMessageBatch": "sqs:SendMessage",
}
# Loopback stands in for TLS: no other machine can listen, so that "deny without TLS" permits what it would on AWS.
TRANSPORT: Mapping[str, str] = {"aws:SecureTransport": "true"}
# Condition keys whose value is a parameter of the call.
GIVEN: Mapping[str, str] = {
    "iam:PermissionsBoundary": "PermissionsBoundary",
    "iam:PolicyARN": "PolicyArn",
    "sts:ExternalId": "ExternalId",
}
QUEUE_ARN = re.compile(r"arn:[^:]+:sqs:([^:]+):(\d+):(.+)")


def check_action_permitted(self: Any, resource: str) -> None:
    """Raise moto's refusal unless the caller's policies permit the action on the resource.

    Takes the place of `moto.iam.access_control.IAMRequestBase.check_action_permitted`; `self` is such a request.
    """
    action = PERMISSIONS.get(self._action, self._action)
    if action == "sts:GetCallerIdentity":
        return
    key = self._access_key
    session = _session(key) if isinstance(key, AssumedRoleAccessKey) else None
    if session is not None and session.expiration.replace(tzinfo=UTC) < datetime.now(UTC):
        raise _refusal("ExpiredToken", "The security token included in the request is expired")
    request = policy.Request(action, resource, _names(key), {**TRANSPORT, **_context(key, self._data)})
    identity = [IAMPolicy(document)._policy_json for document in key.collect_policies()]  # noqa: SLF001
    permitted = policy.decide(identity, request) is policy.Decision.ALLOW and all(
        policy.decide([document], request) is policy.Decision.ALLOW
        for document in _must_allow(session, request)
    )
    denied = policy.decide(_may_deny(resource), request) is policy.Decision.DENY
    if denied or not permitted:
        self._action = f"{self._action} on resource: {resource}"
        self._raise_access_denied()


def _session(key: Any) -> AssumedRole:
    sessions: list[AssumedRole] = sts_backends[key.account_id][key.partition].assumed_roles
    return next(session for session in sessions if session.access_key_id == key._access_key_id)  # noqa: SLF001


def _names(key: Any) -> frozenset[str]:
    """What a Principal element may call the caller: its ARN, its role's, its account."""
    account = f"arn:{key.partition}:iam::{key.account_id}:root"
    return frozenset(f"AWS:{name}" for name in (key.arn, _principal_arn(key), account, key.account_id))


def _principal_arn(key: Any) -> str:
    return _session(key).role_arn if isinstance(key, AssumedRoleAccessKey) else key.arn


def _context(key: Any, data: Mapping[str, Any]) -> dict[str, str]:
    context = {"aws:PrincipalArn": _principal_arn(key), "aws:PrincipalAccount": key.account_id}
    given = {name: data[parameter][0] for name, parameter in GIVEN.items() if data.get(parameter)}
    return context | given


def _must_allow(session: AssumedRole | None, request: policy.Request) -> list[policy.Document]:
    """The documents that must allow beside the identity's own: the session's, and a role's trust policy."""
    documents = [json.loads(session.policy)] if session is not None and session.policy else []
    if request.action == "sts:AssumeRole":
        documents.append(trust_policy(request.resource))
    return documents


def trust_policy(role_arn: str) -> policy.Document:
    """The trust policy of a role; an empty one, which allows nobody, where there is no such role."""
    try:
        role = iam_backends[role_arn.split(":")[4]]["aws"].get_role_by_arn(role_arn)
    except (IndexError, NotFoundException):
        return {}
    document: policy.Document = json.loads(role.assume_role_policy_document)
    return document


def _may_deny(resource: str) -> list[policy.Document]:
    """The resource's own policy, of which only the denials count: our identities are all of one account."""
    found = QUEUE_ARN.fullmatch(resource)
    queue = sqs_backends[found[2]][found[1]].queues.get(found[3]) if found else None
    return [json.loads(queue.policy)] if queue is not None and queue.policy else []


def _refusal(code: str, message: str) -> _RESTError:
    error = _RESTError(code, message)
    error.code = 403
    return error
