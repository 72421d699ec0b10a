"""Which AWS calls a resource type costs: those that only look, for previews, and those that a deployment makes besides.

Sources: the AWS provider's resources (what each one calls to read, create, change and delete) and AWS' service
authorization reference (which permission a call asks for, and which resource it names). The calls of dynamic resources are
those of their provider classes here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from compiler.emit.deploy_compute import COMPUTE_CALLS
from compiler.emit.deploy_places import Calls, Condition, Places, named
from compiler.emit.graph import Graph


def _bounded(places: Places) -> Mapping[str, Condition]:
    """Roles are made within the stack's boundary only, and it is never taken off."""
    boundary = places.stack.permissions_boundary
    if not boundary:
        return {}
    condition = {"StringEquals": {"iam:PermissionsBoundary": boundary}}
    return {"iam:CreateRole": condition, "iam:PutRolePermissionsBoundary": condition}


def _own_policies(places: Places) -> Mapping[str, Condition]:
    """Only the stack's own policies are attached."""
    condition = {"ArnEquals": {"iam:PolicyARN": sorted(places.policies)}}
    return {"iam:AttachRolePolicy": condition, "iam:DetachRolePolicy": condition}


def _own_key(places: Places) -> Mapping[str, Condition]:
    """Keys of the stack only, which it knows by its tag; it may give the tag, to its own, while it makes one."""
    tagged = {"StringEquals": {"aws:ResourceTag/sluice:stack": places.stack.name}}
    return {
        **dict.fromkeys(
            (*_KEY_READS, *_KEY_WRITES, *named("kms", "CreateAlias DeleteAlias UpdateAlias")), tagged
        ),
        "kms:TagResource": {"StringEquals": {"aws:RequestTag/sluice:stack": places.stack.name}},
    }


_KEY_READS = named("kms", "DescribeKey GetKeyPolicy GetKeyRotationStatus ListResourceTags")
_KEY_WRITES = named(
    "kms",
    "DisableKey EnableKey EnableKeyRotation PutKeyPolicy ScheduleKeyDeletion UntagResource UpdateKeyDescription",
)
_QUEUE_DOCUMENT = Calls(Places.queue, named("sqs", "GetQueueAttributes"), named("sqs", "SetQueueAttributes"))
_NOTHING = Calls(Places.own)

CALLS: Mapping[str, Calls] = {
    **COMPUTE_CALLS,
    "aws:iam/policy:Policy": Calls(
        Places.own,
        named("iam", "GetPolicy GetPolicyVersion ListPolicyTags ListPolicyVersions"),
        named(
            "iam",
            "CreatePolicy CreatePolicyVersion DeletePolicy DeletePolicyVersion TagPolicy UntagPolicy",
        ),
    ),
    "aws:iam/role:Role": Calls(
        Places.own,
        named("iam", "GetRole ListAttachedRolePolicies ListRolePolicies ListRoleTags"),
        named(
            "iam",
            "CreateRole DeleteRole ListInstanceProfilesForRole PutRolePermissionsBoundary TagRole UntagRole"
            " UpdateAssumeRolePolicy UpdateRole",
        ),
        conditions=_bounded,
    ),
    "aws:iam/rolePolicy:RolePolicy": Calls(
        Places.role, named("iam", "GetRolePolicy"), named("iam", "DeleteRolePolicy PutRolePolicy")
    ),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": Calls(
        Places.role,
        named("iam", "ListAttachedRolePolicies"),
        named("iam", "AttachRolePolicy DetachRolePolicy"),
        conditions=_own_policies,
    ),
    "aws:kms/alias:Alias": Calls(
        Places.alias,
        (),
        named("kms", "CreateAlias DeleteAlias UpdateAlias"),
        reads_anywhere=named("kms", "ListAliases"),
    ),
    "aws:kms/key:Key": Calls(
        Places.keys,
        _KEY_READS,
        (*_KEY_WRITES, "kms:CreateAlias", "kms:DeleteAlias", "kms:TagResource", "kms:UpdateAlias"),
        writes_anywhere=named("kms", "CreateKey"),
        conditions=_own_key,
    ),
    "aws:s3/bucket:Bucket": Calls(
        Places.own,
        named(
            "s3",
            "GetAccelerateConfiguration GetBucketAcl GetBucketCORS GetBucketLocation GetBucketLogging"
            " GetBucketObjectLockConfiguration GetBucketPolicy GetBucketRequestPayment GetBucketTagging"
            " GetBucketVersioning GetBucketWebsite GetEncryptionConfiguration GetLifecycleConfiguration"
            " GetReplicationConfiguration ListBucket",
        ),
        named("s3", "CreateBucket DeleteBucket PutBucketTagging"),
    ),
    "aws:s3/bucketObjectv2:BucketObjectv2": Calls(
        Places.plans,
        named("s3", "GetObject GetObjectTagging"),
        named("s3", "PutObject PutObjectTagging"),  # retained: a plan is never deleted
    ),
    "aws:s3/bucketPolicy:BucketPolicy": Calls(
        Places.bucket, named("s3", "GetBucketPolicy"), named("s3", "DeleteBucketPolicy PutBucketPolicy")
    ),
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": Calls(
        Places.bucket,
        named("s3", "GetBucketPublicAccessBlock"),
        named("s3", "PutBucketPublicAccessBlock"),
    ),
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": Calls(
        Places.bucket,
        named("s3", "GetEncryptionConfiguration"),
        named("s3", "PutEncryptionConfiguration"),
    ),
    "aws:sns/topic:Topic": Calls(
        Places.own,
        named("sns", "GetTopicAttributes ListTagsForResource"),
        named("sns", "CreateTopic DeleteTopic SetTopicAttributes TagResource UntagResource"),
    ),
    "aws:sns/topicPolicy:TopicPolicy": Calls(
        Places.topic, named("sns", "GetTopicAttributes"), named("sns", "SetTopicAttributes")
    ),
    "aws:sqs/queue:Queue": Calls(
        Places.own,
        named("sqs", "GetQueueAttributes GetQueueUrl ListQueueTags"),
        named("sqs", "CreateQueue DeleteQueue SetQueueAttributes TagQueue UntagQueue"),
    ),
    "aws:sqs/queuePolicy:QueuePolicy": _QUEUE_DOCUMENT,
    "aws:sqs/redriveAllowPolicy:RedriveAllowPolicy": _QUEUE_DOCUMENT,
    "aws:sqs/redrivePolicy:RedrivePolicy": _QUEUE_DOCUMENT,
    "pulumi-python:dynamic/sluice:SinkLogin": Calls(
        Places.secret,
        (),  # a preview of a dynamic resource asks nothing
        named(
            "secretsmanager",
            "CreateSecret DeleteSecret GetSecretValue PutSecretValue RestoreSecret TagResource UntagResource",
        ),
    ),
    "pulumi-python:dynamic/sluice:ControlSchema": _NOTHING,
    "pulumi-python:dynamic/sluice:DatasetSchemas": _NOTHING,
    "pulumi:pulumi:StackReference": _NOTHING,  # Pulumi's own backend answers
    "pulumi-python:dynamic/sluice:DatasetTable": _NOTHING,
    "pulumi:providers:aws": _NOTHING,  # sts:GetCallerIdentity, which needs no permission
    "pulumi:providers:postgresql": _NOTHING,
}
WITHOUT_AWS = ("postgresql:", "sluice:")
"""Type tokens that begin so make no AWS call: resources in Postgres, and components."""


def calls_of(kind: str) -> Calls | None:
    """The calls of a type; None where nobody has listed them."""
    return _NOTHING if kind.startswith(WITHOUT_AWS) else CALLS.get(kind)


def unknown(graph: Graph) -> list[str]:
    """The types of the graph whose calls nobody has listed, sorted."""
    kinds: Iterable[str] = {one.type for one in graph.resources}
    return sorted(kind for kind in kinds if calls_of(kind) is None)
