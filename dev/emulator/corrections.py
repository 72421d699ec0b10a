"""Each difference of moto from AWS that matters to us, corrected here and nowhere else, each with its reason.

`apply` replaces the functions in moto's own classes, in the emulator's process only. A correction makes the emulator
do what AWS does; none widens what a policy permits. What moto leaves out and stays left out: permissions boundaries,
service control policies, iam:PassRole, allows in resource policies (a deny there counts), the queue policy that SNS
needs to deliver to a queue.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any

from moto.core.responses import BaseResponse
from moto.iam.access_control import IAMRequestBase, PermissionResult
from moto.iam.models import iam_backends
from moto.iam.responses import IamResponse
from moto.s3.models import FakeBucket
from moto.secretsmanager.responses import SecretsManagerResponse
from moto.sns.responses import SNSResponse
from moto.sqs.exceptions import (
    BatchEntryIdsNotDistinct,
    BatchRequestTooLong,
    InvalidAttributeName,
    InvalidAttributeValue,
    SQSException,
    TooManyEntriesInBatchRequest,
)
from moto.sqs.models import DEFAULT_SENDER_ID, Message, Queue, SQSBackend
from moto.sqs.responses import SQSResponse
from moto.sts.models import sts_backends

from dev.emulator import access, policy, sqs_limits

XML_CODE = re.compile(r"<Code>(.*?)</Code>")
XML_MESSAGE = re.compile(r"<Message>(.*?)</Message>", re.DOTALL)

_sender: ContextVar[str] = ContextVar("sender", default=DEFAULT_SENDER_ID)


def apply() -> None:
    """Correct moto in this process. To be called once, before the first request."""
    for correct in CORRECTIONS:
        correct()


def _replace(owner: type, name: str, make: Callable[[Any], Any]) -> None:
    """Put `make(original)` in the place of a class's function; an unknown name is an error, after an upgrade of moto."""
    setattr(owner, name, make(getattr(owner, name)))


def check_access_as_iam_does() -> None:
    """Moto ignores conditions that it does not know, treats a statement without Resource as an allow, asks for the
    batch actions by name, never ends a session, and evaluates neither session nor queue policies.
    """
    _replace(IAMRequestBase, "check_action_permitted", lambda _: access.check_action_permitted)


def read_bucket_policies_as_iam_does() -> None:
    """Moto ignores the condition of a bucket policy's statement: a deny without TLS denied everything."""
    _replace(FakeBucket, "get_permission", lambda _: _bucket_permission)


def _bucket_permission(self: Any, action: str, resource: str) -> PermissionResult:
    if self.policy is None:
        return PermissionResult.NEUTRAL
    request = policy.Request(access.PERMISSIONS.get(action, action), resource, context=access.TRANSPORT)
    match policy.decide([json.loads(self.policy)], request):
        case policy.Decision.ALLOW:
            return PermissionResult.PERMITTED
        case policy.Decision.DENY:
            return PermissionResult.DENIED
        case policy.Decision.SILENT:
            return PermissionResult.NEUTRAL


def name_resources() -> None:
    """Moto gives IAM, SNS and Secrets Manager calls the resource "*", and so a queue that does not exist: a policy that
    names one role, topic, secret or queue was always a refusal.
    """
    _replace(IamResponse, "_determine_resource", lambda _: _role_or_policy_arn)
    SNSResponse._determine_resource = _topic_arn  # type: ignore[attr-defined]  # noqa: SLF001
    SecretsManagerResponse._determine_resource = _secret_arn  # type: ignore[attr-defined]  # noqa: SLF001
    _replace(SQSResponse, "_determine_resource", lambda _: _queue_arn)


def _arn(self: Any, service: str, rest: str) -> str:
    return f"arn:{self.partition}:{service}:{self.region}:{self.current_account}:{rest}"


def _role_or_policy_arn(self: Any) -> str:
    role, policy_arn = self._get_param("RoleName"), self._get_param("PolicyArn")
    if role:
        known = iam_backends[self.current_account][self.partition].roles.values()
        found = next((str(one.arn) for one in known if one.name == role), None)
        return (
            found
            or f"arn:{self.partition}:iam::{self.current_account}:role{self._get_param('Path') or '/'}{role}"
        )
    name = self._get_param("PolicyName")
    if policy_arn or not name:
        return str(policy_arn or "*")
    return f"arn:{self.partition}:iam::{self.current_account}:policy{self._get_param('Path') or '/'}{name}"


def _topic_arn(self: Any) -> str:
    subscription = self._get_param("SubscriptionArn")
    if subscription:  # a subscription's permission is that of its topic
        return str(subscription).rpartition(":")[0]
    name = self._get_param("Name")
    topic = self._get_param("TopicArn") or self._get_param("TargetArn") or self._get_param("ResourceArn")
    return str(topic or (_arn(self, "sns", name) if name else "*"))


def _secret_arn(self: Any) -> str:
    asked = self._get_param("SecretId") or self._get_param("Name")
    if not asked:
        return "*"
    known = self.backend.secrets.get(asked)
    if known is not None:
        return str(known.arn)
    return str(asked) if str(asked).startswith("arn:") else _arn(self, "secretsmanager", f"secret:{asked}")


def _queue_arn(self: Any) -> str:
    name = self._get_param("QueueName")
    if not name and not self._get_param("QueueUrl"):
        return "*"
    return _arn(self, "sqs", name or self._get_queue_name())


def refuse_in_the_protocol_of_the_request() -> None:
    """Moto refuses in XML also where the request is JSON: clients then see the code "403" and no message."""
    _replace(BaseResponse, "call_action", _json_refusals)


def _json_refusals(original: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def call_action(self: Any) -> Any:
        status, headers, body = original(self)
        is_json = str(self.headers.get("Content-Type", "")).startswith("application/x-amz-json")
        if is_json and int(status) >= 400 and isinstance(body, str) and body.startswith("<"):
            code, message = XML_CODE.search(body), XML_MESSAGE.search(body)
            name = code[1] if code else "InternalFailure"
            kind = "AccessDeniedException" if name == "AccessDenied" else name
            headers["x-amzn-query-error"] = f"{name};Sender"
            body = json.dumps({"__type": kind, "message": message[1] if message else body})
        return status, headers, body

    return call_action


def keep_policy_and_redrive_allow_policy() -> None:
    """Moto forgets a queue's Policy with any SetQueueAttributes that does not name it, takes RedriveAllowPolicy
    without giving it back, and takes any value of any attribute.
    """
    Queue.BASE_ATTRIBUTES.append("RedriveAllowPolicy")
    Queue.redrive_allow_policy = None  # type: ignore[attr-defined]
    _replace(Queue, "_set_attributes", _set_attributes)


def _set_attributes(original: Callable[..., None]) -> Callable[..., None]:
    def set_attributes(self: Any, attributes: Mapping[str, Any], now: float | None = None) -> None:
        for name, value in attributes.items():
            if name not in sqs_limits.NAMES:
                raise InvalidAttributeName(name)
            if sqs_limits.bad_attribute(name, value):
                raise InvalidAttributeValue(name)
        kept = {"Policy": self.policy} if hasattr(self, "_policy_json") else {}
        original(self, {**kept, **attributes}, now)
        self.redrive_allow_policy = self.redrive_allow_policy or None

    return set_attributes


def enforce_message_limits() -> None:
    """Moto counts characters where SQS counts bytes, leaves message attributes out, refuses a whole batch for one
    large entry, and takes characters, empty bodies and repeated entry ids that SQS refuses.
    """
    _replace(SQSBackend, "send_message", _send_message)
    _replace(SQSBackend, "send_message_batch", _send_message_batch)
    _replace(SQSBackend, "delete_message_batch", _checked_entries)
    _replace(SQSBackend, "change_message_visibility_batch", _checked_entries)


def _send_message(original: Callable[..., Any]) -> Callable[..., Any]:
    def send_message(
        self: Any, queue_name: str, message_body: str, message_attributes: Any = None, **rest: Any
    ) -> Any:
        limit = self.get_queue(queue_name).maximum_message_size
        problem = sqs_limits.message_problem(message_body, message_attributes, limit)
        if problem is not None:
            raise SQSException(*problem)
        return original(self, queue_name, message_body, message_attributes=message_attributes, **rest)

    return send_message


def _send_message_batch(original: Callable[..., Any]) -> Callable[..., Any]:
    def send_message_batch(self: Any, queue_name: str, entries: dict[str, dict[str, Any]]) -> Any:
        limit = self.get_queue(queue_name).maximum_message_size
        _check_entries(list(entries.values()))
        total = sum(
            sqs_limits.size(entry["MessageBody"], entry["MessageAttributes"]) for entry in entries.values()
        )
        if total > sqs_limits.MAX_BYTES:
            raise BatchRequestTooLong(total)
        failed = []
        for index, entry in list(entries.items()):
            problem = sqs_limits.message_problem(entry["MessageBody"], entry["MessageAttributes"], limit)
            if problem is not None:
                failed.append(
                    {"Id": entry["Id"], "SenderFault": True, "Code": problem[0], "Message": problem[1]}
                )
                del entries[index]
        sent, others = original(self, queue_name, entries)
        return sent, failed + others

    return send_message_batch


def _checked_entries(original: Callable[..., Any]) -> Callable[..., Any]:
    def checked(self: Any, queue_name: str, entries: list[dict[str, Any]]) -> Any:
        _check_entries(entries)
        return original(self, queue_name, entries)

    return checked


def _check_entries(entries: list[dict[str, Any]]) -> None:
    if len(entries) > sqs_limits.MAX_ENTRIES:
        raise TooManyEntriesInBatchRequest(len(entries))
    seen: set[str] = set()
    for entry in entries:
        if entry["Id"] in seen:
            raise BatchEntryIdsNotDistinct(entry["Id"])
        seen.add(entry["Id"])


def fill_sender_id() -> None:
    """Moto gives every message one constant SenderId. AWS asserts it from the credentials that signed the request:
    `ROLEID:session` for an assumed role, the user's id for a user. A message that SNS delivers keeps the constant.
    """
    _replace(SQSResponse, "send_message", _as_sender)
    _replace(SQSResponse, "send_message_batch", _as_sender)
    _replace(Message, "__init__", _with_sender)


def _as_sender(original: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def send(self: Any) -> Any:
        token = _sender.set(_sender_id(self.current_account, self.partition, self.get_access_key()))
        try:
            return original(self)
        finally:
            _sender.reset(token)

    return send


def _sender_id(account: str, partition: str, access_key: str) -> str:
    session = sts_backends[account][partition].get_assumed_role_from_access_key(access_key)
    if session is not None:
        return session.user_id
    user = iam_backends[account][partition].get_user_from_access_key_id(access_key)
    return user.id if user is not None else DEFAULT_SENDER_ID


def _with_sender(original: Callable[..., None]) -> Callable[..., None]:
    def initialise(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self.sender_id = _sender.get()

    return initialise


def guard_queues_between_threads() -> None:
    """Moto rebuilds a queue's list in a delete while another thread appends to it, and a message is lost; two
    receivers at once get the same message. One lock a queue makes each step whole; a long poll waits without it.
    """
    _replace(Queue, "delete_message", _with_lock)
    _replace(SQSBackend, "receive_message", _receive_message)


def _with_lock(original: Callable[..., Any]) -> Callable[..., Any]:
    def locked(self: Any, *args: Any) -> Any:
        with self._messages_lock:
            return original(self, *args)

    return locked


def _receive_message(original: Callable[..., Any]) -> Callable[..., Any]:
    def receive_message(
        self: Any,
        queue_name: str,
        count: int,
        wait_seconds_timeout: int,
        visibility_timeout: int,
        message_attribute_names: list[str] | None = None,
    ) -> Any:
        deadline = time.monotonic() + wait_seconds_timeout
        while True:
            queue = self.get_queue(queue_name)
            with queue._messages_lock:  # noqa: SLF001
                found = original(self, queue_name, count, 0, visibility_timeout, message_attribute_names)
            left = deadline - time.monotonic()
            if found or left <= 0:
                return found
            queue.wait_for_messages(
                min(1.0, left)
            )  # a second: a message becomes visible again without a signal

    return receive_message


CORRECTIONS: tuple[Callable[[], None], ...] = (
    check_access_as_iam_does,
    read_bucket_policies_as_iam_does,
    name_resources,
    refuse_in_the_protocol_of_the_request,
    keep_policy_and_redrive_allow_policy,
    enforce_message_limits,
    fill_sender_id,
    guard_queues_between_threads,
)
