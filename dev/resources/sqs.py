"""SQS queues and what is attached to them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from dev.resources.context import Context
from dev.resources.handler import Created, Properties, Served, State, Upsert, physical_name

# The wire's property -> SQS' attribute; a property that is not given takes SQS' default.
ATTRIBUTES = {
    "delaySeconds": "DelaySeconds",
    "kmsDataKeyReusePeriodSeconds": "KmsDataKeyReusePeriodSeconds",
    "kmsMasterKeyId": "KmsMasterKeyId",
    "maxMessageSize": "MaximumMessageSize",
    "messageRetentionSeconds": "MessageRetentionPeriod",
    "receiveWaitTimeSeconds": "ReceiveMessageWaitTimeSeconds",
    "sqsManagedSseEnabled": "SqsManagedSseEnabled",
    "visibilityTimeoutSeconds": "VisibilityTimeout",
}
DEFAULTS = {
    "DelaySeconds": "0",
    "KmsDataKeyReusePeriodSeconds": "300",
    "KmsMasterKeyId": "",
    "MaximumMessageSize": "1048576",
    "MessageRetentionPeriod": "345600",
    "ReceiveMessageWaitTimeSeconds": "0",
    "SqsManagedSseEnabled": "true",
    "VisibilityTimeout": "30",
}
REGION_IS_ONE = "the embedded environment has one region, which the context's clients already name"


def _value(attribute: str, text: str) -> Any:
    """An attribute's text as the wire has it: a name as it is, anything else as the number or truth that it says."""
    return text if attribute == "KmsMasterKeyId" else json.loads(text)


class Queue(Served):
    """A standard queue. A queue of that name that is already there is taken over with its messages."""

    type: ClassVar = "aws:sqs/queue:Queue"
    carried: ClassVar = frozenset({"name", "tags", *ATTRIBUTES})
    inert: ClassVar = {"region": REGION_IS_ONE}
    replacing: ClassVar = frozenset({"name"})
    identity: ClassVar = frozenset({"name"})
    computed: ClassVar = frozenset({"arn", "url", "tagsAll", "region"})
    defaults: ClassVar = {
        "tags": {},
        **{key: _value(attribute, DEFAULTS[attribute]) for key, attribute in ATTRIBUTES.items()},
    }
    holds_data: ClassVar = True

    def create(self, context: Context, name: str, inputs: Properties) -> Created:
        """Create the queue or take it over; the id is its URL."""
        del name
        queue = physical_name(inputs)
        try:
            url = context.sqs.get_queue_url(QueueName=queue)["QueueUrl"]
            context.sqs.set_queue_attributes(QueueUrl=url, Attributes=_attributes(inputs))  # type: ignore[arg-type]
        except context.sqs.exceptions.QueueDoesNotExist:
            attributes: Any = _attributes(inputs)
            url = context.sqs.create_queue(QueueName=queue, Attributes=attributes)["QueueUrl"]
        _set_tags(context, url, inputs)
        return Created(url, _queue_outputs(context, url, inputs))

    def update(self, context: Context, state: State, inputs: Properties) -> dict[str, Any]:
        """Set every attribute; one that is no longer declared goes back to its default."""
        context.sqs.set_queue_attributes(QueueUrl=state.id, Attributes=_attributes(inputs))  # type: ignore[arg-type]
        _set_tags(context, state.id, inputs)
        return _queue_outputs(context, state.id, inputs)

    def read(self, context: Context, state: State) -> Properties | None:
        """The attributes and tags. The name is in the URL, which is all that is left to find the queue by."""
        found = _live(context, state.id)
        if found is None:
            return None
        tags = context.sqs.list_queue_tags(QueueUrl=state.id).get("Tags", {})
        # SQS and the emulator leave out some attributes that have their default.
        values = {key: _value(wire, found.get(wire, DEFAULTS[wire])) for key, wire in ATTRIBUTES.items()}
        if values["kmsMasterKeyId"]:  # which turns SQS' own key off, declared or not
            values["sqsManagedSseEnabled"] = state.inputs.get("sqsManagedSseEnabled", True)
        return {"name": state.id.rpartition("/")[2], "tags": tags, **values}

    def delete(self, context: Context, state: State) -> None:
        """Delete the queue with its messages."""
        try:
            context.sqs.delete_queue(QueueUrl=state.id)
        except context.sqs.exceptions.QueueDoesNotExist:
            return


def _live(context: Context, url: str) -> Mapping[str, str] | None:
    """Every attribute of a queue; None where there is no such queue."""
    try:
        found: Any = context.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    except context.sqs.exceptions.QueueDoesNotExist:
        return None
    return dict(found)


def _attributes(inputs: Properties) -> dict[str, str]:
    given = {attribute: _text(inputs[key]) for key, attribute in ATTRIBUTES.items() if key in inputs}
    by_key = {"SqsManagedSseEnabled": "false"} if "kmsMasterKeyId" in inputs else {}
    return {**DEFAULTS, **by_key, **given}


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _set_tags(context: Context, url: str, inputs: Properties) -> None:
    old = context.sqs.list_queue_tags(QueueUrl=url).get("Tags", {})
    new = dict(inputs.get("tags", {}))
    gone = sorted(old.keys() - new.keys())
    if gone:
        context.sqs.untag_queue(QueueUrl=url, TagKeys=gone)
    if new != old and new:
        context.sqs.tag_queue(QueueUrl=url, Tags=new)


def _queue_outputs(context: Context, url: str, inputs: Properties) -> dict[str, Any]:
    arn = context.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    return {
        **inputs,
        "arn": arn,
        "url": url,
        "tagsAll": dict(inputs.get("tags", {})),
        "region": context.region,
    }


class _QueueDocument(Upsert, Served):
    """One JSON attribute of a queue as a resource of its own; the id is the queue's URL."""

    property: ClassVar[str]
    attribute: ClassVar[str]
    replacing: ClassVar = frozenset({"queueUrl"})
    identity: ClassVar = frozenset({"queueUrl"})
    computed: ClassVar = frozenset({"region"})

    def create(self, context: Context, name: str, inputs: Properties) -> Created:
        """Set the attribute."""
        del name
        self._set(context, inputs["queueUrl"], inputs[self.property])
        return Created(inputs["queueUrl"], {**inputs, "region": context.region})

    def read(self, context: Context, state: State) -> Properties | None:
        """The document; without one, or without the queue, it is gone."""
        document = (_live(context, state.id) or {}).get(self.attribute)
        return {"queueUrl": state.id, self.property: document} if document else None

    def delete(self, context: Context, state: State) -> None:
        """Clear the attribute."""
        try:
            self._set(context, state.id, "")
        except context.sqs.exceptions.QueueDoesNotExist:
            return

    def _set(self, context: Context, url: str, document: str) -> None:
        attributes: Any = {self.attribute: document}
        context.sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)


class QueuePolicy(_QueueDocument):
    """A queue's resource policy. The emulator keeps it and evaluates identity policies only."""

    type: ClassVar = "aws:sqs/queuePolicy:QueuePolicy"
    property: ClassVar = "policy"
    attribute: ClassVar = "Policy"
    carried: ClassVar = frozenset({"queueUrl", "policy"})
    documents: ClassVar = frozenset({"policy"})
    inert: ClassVar = {"region": REGION_IS_ONE}


class RedrivePolicy(_QueueDocument):
    """Where a queue's messages go after too many receives."""

    type: ClassVar = "aws:sqs/redrivePolicy:RedrivePolicy"
    property: ClassVar = "redrivePolicy"
    attribute: ClassVar = "RedrivePolicy"
    carried: ClassVar = frozenset({"queueUrl", "redrivePolicy"})
    documents: ClassVar = frozenset({"redrivePolicy"})
    inert: ClassVar = {"region": REGION_IS_ONE}


class RedriveAllowPolicy(_QueueDocument):
    """Which queues may name this one as their dead-letter queue."""

    type: ClassVar = "aws:sqs/redriveAllowPolicy:RedriveAllowPolicy"
    property: ClassVar = "redriveAllowPolicy"
    attribute: ClassVar = "RedriveAllowPolicy"
    carried: ClassVar = frozenset({"queueUrl", "redriveAllowPolicy"})
    documents: ClassVar = frozenset({"redriveAllowPolicy"})
    inert: ClassVar = {"region": REGION_IS_ONE}
