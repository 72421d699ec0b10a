"""Resource type token -> handler."""

from __future__ import annotations

from collections.abc import Mapping

from dev.resources import declared, dynamic, iam, kms, postgresql, providers, s3, services, sns, sqs
from dev.resources.handler import Handler, ResourceError

HANDLERS: Mapping[str, Handler] = {
    handler.type: handler
    for handler in (
        *declared.DECLARED,
        dynamic.DynamicTable(),
        iam.Policy(),
        iam.Role(),
        iam.RolePolicy(),
        iam.RolePolicyAttachment(),
        kms.Alias(),
        kms.Key(),
        postgresql.Grant(),
        postgresql.GrantRole(),
        postgresql.Role(),
        providers.AwsProvider(),
        providers.PostgresProvider(),
        s3.Bucket(),
        s3.BucketEncryption(),
        s3.BucketObject(),
        s3.BucketPolicy(),
        s3.BucketPublicAccessBlock(),
        services.SERVICE,
        sns.Topic(),
        sns.TopicPolicy(),
        sqs.Queue(),
        sqs.QueuePolicy(),
        sqs.RedriveAllowPolicy(),
        sqs.RedrivePolicy(),
    )
}
DYNAMIC = dynamic.Dynamic()


def handler_of(token: str, handlers: Mapping[str, Handler] = HANDLERS) -> Handler:
    """The handler of a resource type. Raises ResourceError for a type that has none."""
    if token in handlers:
        return handlers[token]
    if token.startswith((f"{dynamic.PREFIX}:", f"{dynamic.PREFIX}/")):
        return DYNAMIC
    raise ResourceError(
        f"the embedded environment has no handler for the resource type {token}. "
        "Add one in dev/resources and name it in dev/resources/registry.py."
    )
