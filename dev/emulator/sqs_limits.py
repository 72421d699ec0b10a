"""The limits that SQS enforces and moto does not, as data and pure functions.

Source: Amazon SQS API Reference (SetQueueAttributes, SendMessage, SendMessageBatch) and Developer Guide, "Quotas".
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

MAX_BYTES = 1_048_576  # a message, and all messages of one batch together
MAX_ENTRIES = 10
MAX_MESSAGE_ATTRIBUTES = 10
MAX_REDRIVE_SOURCES = 10

# Attribute -> lowest and highest value.
RANGES: Mapping[str, tuple[int, int]] = {
    "DelaySeconds": (0, 900),
    "KmsDataKeyReusePeriodSeconds": (60, 86_400),
    "MaximumMessageSize": (1_024, MAX_BYTES),
    "MessageRetentionPeriod": (60, 1_209_600),
    "ReceiveMessageWaitTimeSeconds": (0, 20),
    "VisibilityTimeout": (0, 43_200),
}
BOOLEANS = frozenset({"ContentBasedDeduplication", "FifoQueue", "SqsManagedSseEnabled"})
DOCUMENTS = frozenset({"Policy", "RedriveAllowPolicy", "RedrivePolicy"})
OTHERS = frozenset({"DeduplicationScope", "FifoThroughputLimit", "KmsMasterKeyId"})
NAMES = frozenset(RANGES) | BOOLEANS | DOCUMENTS | OTHERS

# A body holds the characters of XML 1.0 only.
FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def bad_attribute(name: str, value: Any) -> bool:
    """Whether SQS refuses this value of a queue attribute that it knows; None and "" are "not set"."""
    if value is None or value == "":
        return False
    if name in RANGES:
        low, high = RANGES[name]
        return not str(value).isdecimal() or not low <= int(value) <= high
    if name in BOOLEANS:
        return str(value).lower() not in {"true", "false"}
    if name in DOCUMENTS:
        return _bad_document(name, value)
    return False


def _bad_document(name: str, value: Any) -> bool:
    try:
        document = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return True
    if not isinstance(document, dict):
        return True
    if name == "RedrivePolicy" and document:
        count = str(document.get("maxReceiveCount"))
        return not count.isdecimal() or not 1 <= int(count) <= 1_000
    return name == "RedriveAllowPolicy" and _bad_redrive_allow(document)


def _bad_redrive_allow(document: Mapping[str, Any]) -> bool:
    permission, sources = document.get("redrivePermission"), document.get("sourceQueueArns")
    if permission == "byQueue":
        return not isinstance(sources, list) or not 1 <= len(sources) <= MAX_REDRIVE_SOURCES
    return permission not in {"allowAll", "denyAll"} or bool(sources)


def size(body: str, attributes: Mapping[str, Any] | None) -> int:
    """The bytes that a message counts: its body in UTF-8, and each message attribute's name, type and value."""
    total = len(body.encode("utf-8", errors="surrogatepass"))
    for name, attribute in (attributes or {}).items():
        total += len(name.encode()) + len(str(attribute.get("DataType", "")).encode())
        total += len(_bytes(attribute.get("StringValue"))) + len(_bytes(attribute.get("BinaryValue")))
    return total


def _bytes(value: str | bytes | None) -> bytes:
    return value.encode() if isinstance(value, str) else value or b""


def message_problem(body: str, attributes: Mapping[str, Any] | None, limit: int) -> tuple[str, str] | None:
    """The error code and message with which SQS refuses a message on a queue with that MaximumMessageSize, or None."""
    if not body:
        return "MissingParameter", "The request must contain the parameter MessageBody."
    if len(attributes or {}) > MAX_MESSAGE_ATTRIBUTES:
        return (
            "InvalidParameterValue",
            f"Number of message attributes [{len(attributes or {})}] exceeds the allowed maximum [{MAX_MESSAGE_ATTRIBUTES}].",
        )
    if size(body, attributes) > limit:
        return (
            "InvalidParameterValue",
            f"One or more parameters are invalid. Reason: Message must be shorter than {limit} bytes.",
        )
    if FORBIDDEN.search(body):
        return "InvalidMessageContents", "Invalid binary character was found in the message body."
    return None
