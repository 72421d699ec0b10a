"""Sizes, times and redrive documents of a dataset's two queues: plain values, each with its reason."""

from __future__ import annotations

from compiler.canonical import Json
from sink_runtime.plan import SinkPlan

BUFFER_MESSAGE_BYTES: int = SinkPlan.max_message_bytes
"""1,040,384: what the sink wraps for the dead-letter queue must still fit into SQS' 1 MiB."""

DEAD_LETTER_MESSAGE_BYTES = 1_048_576
"""SQS' own limit, 1 MiB. Set explicitly: a queue made earlier may carry 262,144."""

DEAD_LETTER_RETENTION_SECONDS = 14 * 86_400
"""SQS' longest. A redriven message keeps its first enqueue time, so this must exceed the buffer's retention."""

RECEIVE_WAIT_SECONDS = 20
"""SQS' longest poll: an idle sink costs three requests a minute."""


DATA_KEY_SECONDS = 300
"""How long SQS works with one data key of a customer's key: KMS is asked, and paid, once in that time for each sender."""


def redrive(dead_letter_arn: str, max_receive_count: int) -> dict[str, Json]:
    """The buffer's redrive policy: a message that was received that often moves to the dead-letter queue."""
    return {"deadLetterTargetArn": dead_letter_arn, "maxReceiveCount": max_receive_count}


def redrive_from(buffer_arn: str) -> dict[str, Json]:
    """The dead-letter queue takes redriven messages from its own buffer only."""
    return {"redrivePermission": "byQueue", "sourceQueueArns": [buffer_arn]}


def redrive_from_none() -> dict[str, Json]:
    """The buffer is nobody's dead-letter queue."""
    return {"redrivePermission": "denyAll"}
