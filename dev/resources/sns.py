"""SNS topics and their policies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from dev.resources.context import Context
from dev.resources.handler import Created, Properties, Served, State, Upsert, physical_name
from dev.resources.sqs import REGION_IS_ONE

# The wire's property -> the topic's attribute and the value that it has when it is not declared.
ATTRIBUTES = {"displayName": ("DisplayName", ""), "kmsMasterKeyId": ("KmsMasterKeyId", "")}


class Topic(Served):
    """A standard topic; the id is its ARN."""

    type: ClassVar = "aws:sns/topic:Topic"
    carried: ClassVar = frozenset({"name", "tags", *ATTRIBUTES})
    inert: ClassVar = {
        "region": REGION_IS_ONE,
        "signatureVersion": "the emulator delivers to queues and HTTP endpoints of its own and signs nothing",
        "tracingConfig": "the emulator traces nothing",
    }
    replacing: ClassVar = frozenset({"name"})
    identity: ClassVar = frozenset({"name"})
    computed: ClassVar = frozenset({"arn", "owner", "tagsAll", "region"})
    defaults: ClassVar = {"tags": {}, **{key: default for key, (_, default) in ATTRIBUTES.items()}}

    def create(self, context: Context, name: str, inputs: Properties) -> Created:
        """Create the topic, or take over the one of that name (SNS' own create does so)."""
        del name
        arn = context.sns.create_topic(Name=physical_name(inputs))["TopicArn"]
        return Created(arn, self._set(context, arn, inputs))

    def update(self, context: Context, state: State, inputs: Properties) -> dict[str, Any]:
        """Set the attributes and tags."""
        return self._set(context, state.id, inputs)

    def read(self, context: Context, state: State) -> Properties | None:
        """The attributes and tags."""
        found = _live(context, state.id)
        if found is None:
            return None
        values = {key: found.get(attribute, default) for key, (attribute, default) in ATTRIBUTES.items()}
        return {"name": state.id.rpartition(":")[2], "tags": _tags(context, state.id), **values}

    def delete(self, context: Context, state: State) -> None:
        """Delete the topic with its subscriptions."""
        try:
            context.sns.delete_topic(TopicArn=state.id)
        except context.sns.exceptions.NotFoundException:
            return

    def _set(self, context: Context, arn: str, inputs: Properties) -> dict[str, Any]:
        for key, (attribute, default) in ATTRIBUTES.items():
            value = str(inputs.get(key, default))
            context.sns.set_topic_attributes(TopicArn=arn, AttributeName=attribute, AttributeValue=value)
        _set_tags(context, arn, dict(inputs.get("tags", {})))
        tags = dict(inputs.get("tags", {}))
        return {**inputs, "arn": arn, "owner": context.account, "tagsAll": tags, "region": context.region}


def _live(context: Context, arn: str) -> Mapping[str, str] | None:
    """Every attribute of a topic; None where there is no such topic."""
    try:
        return context.sns.get_topic_attributes(TopicArn=arn)["Attributes"]
    except context.sns.exceptions.NotFoundException:
        return None


def _tags(context: Context, arn: str) -> dict[str, str]:
    found = context.sns.list_tags_for_resource(ResourceArn=arn).get("Tags", [])
    return {tag["Key"]: tag["Value"] for tag in found}


def _set_tags(context: Context, arn: str, new: dict[str, str]) -> None:
    gone = sorted(_tags(context, arn).keys() - new.keys())
    if gone:
        context.sns.untag_resource(ResourceArn=arn, TagKeys=gone)
    if new:
        context.sns.tag_resource(
            ResourceArn=arn, Tags=[{"Key": k, "Value": v} for k, v in sorted(new.items())]
        )


class TopicPolicy(Upsert, Served):
    """A topic's resource policy; the id is the topic's ARN. The emulator keeps it and does not evaluate it."""

    type: ClassVar = "aws:sns/topicPolicy:TopicPolicy"
    carried: ClassVar = frozenset({"arn", "policy"})
    inert: ClassVar = {"region": REGION_IS_ONE}
    replacing: ClassVar = frozenset({"arn"})
    identity: ClassVar = frozenset({"arn"})
    computed: ClassVar = frozenset({"owner", "region"})
    documents: ClassVar = frozenset({"policy"})

    def create(self, context: Context, name: str, inputs: Properties) -> Created:
        """Set the policy."""
        del name
        context.sns.set_topic_attributes(
            TopicArn=inputs["arn"], AttributeName="Policy", AttributeValue=inputs["policy"]
        )
        return Created(inputs["arn"], {**inputs, "owner": context.account, "region": context.region})

    def read(self, context: Context, state: State) -> Properties | None:
        """The policy; every topic has one."""
        found = _live(context, state.id)
        return None if found is None else {"arn": state.id, "policy": found["Policy"]}

    def delete(self, context: Context, state: State) -> None:
        """Put the default policy back, as the provider does: the topic's own account may use it."""
        try:
            context.sns.set_topic_attributes(
                TopicArn=state.id, AttributeName="Policy", AttributeValue=_default_policy(context, state.id)
            )
        except context.sns.exceptions.NotFoundException:
            return


def _default_policy(context: Context, arn: str) -> str:
    """The policy that SNS gives a new topic."""
    verbs = "Publish RemovePermission SetTopicAttributes DeleteTopic ListSubscriptionsByTopic GetTopicAttributes AddPermission Subscribe"
    statement = {
        "Sid": "__default_statement_ID",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": [f"SNS:{verb}" for verb in verbs.split()],
        "Resource": arn,
        "Condition": {"StringEquals": {"AWS:SourceOwner": context.account}},
    }
    return json.dumps({"Version": "2008-10-17", "Id": "__default_policy_ID", "Statement": [statement]})
