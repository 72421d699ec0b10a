"""SNS topics and their policies."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from dev.resources.context import Context
from dev.resources.handler import Created, Handler, Properties, State, Upsert, physical_name
from dev.resources.sqs import REGION_IS_ONE

# The wire's property -> the topic's attribute and the value that it has when it is not declared.
ATTRIBUTES = {"displayName": ("DisplayName", ""), "kmsMasterKeyId": ("KmsMasterKeyId", "")}


class Topic(Handler):
    """A standard topic; the id is its ARN."""

    type: ClassVar = "aws:sns/topic:Topic"
    carried: ClassVar = frozenset({"name", "tags", *ATTRIBUTES})
    inert: ClassVar = {
        "region": REGION_IS_ONE,
        "signatureVersion": "the emulator delivers to queues and HTTP endpoints of its own and signs nothing",
        "tracingConfig": "the emulator traces nothing",
    }
    replacing: ClassVar = frozenset({"name"})

    def create(self, context: Context, name: str, inputs: Properties) -> Created:
        """Create the topic, or take over the one of that name (SNS' own create does so)."""
        del name
        arn = context.sns.create_topic(Name=physical_name(inputs))["TopicArn"]
        return Created(arn, self._set(context, arn, inputs))

    def update(self, context: Context, state: State, inputs: Properties) -> dict[str, Any]:
        """Set the attributes and tags."""
        return self._set(context, state.id, inputs)

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


def _set_tags(context: Context, arn: str, new: dict[str, str]) -> None:
    old = {tag["Key"] for tag in context.sns.list_tags_for_resource(ResourceArn=arn).get("Tags", [])}
    gone = sorted(old - new.keys())
    if gone:
        context.sns.untag_resource(ResourceArn=arn, TagKeys=gone)
    if new:
        context.sns.tag_resource(
            ResourceArn=arn, Tags=[{"Key": k, "Value": v} for k, v in sorted(new.items())]
        )


class TopicPolicy(Upsert):
    """A topic's resource policy; the id is the topic's ARN. The emulator keeps it and does not evaluate it."""

    type: ClassVar = "aws:sns/topicPolicy:TopicPolicy"
    carried: ClassVar = frozenset({"arn", "policy"})
    inert: ClassVar = {"region": REGION_IS_ONE}
    replacing: ClassVar = frozenset({"arn"})

    def create(self, context: Context, name: str, inputs: Properties) -> Created:
        """Set the policy."""
        del name
        context.sns.set_topic_attributes(
            TopicArn=inputs["arn"], AttributeName="Policy", AttributeValue=inputs["policy"]
        )
        return Created(inputs["arn"], {**inputs, "owner": context.account, "region": context.region})

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
