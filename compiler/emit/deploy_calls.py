"""Which AWS calls a resource type costs: those that only look, for previews, and those that a deployment makes besides.

Sources: the AWS provider's resources (what each one calls to read, create, change and delete) and AWS' service
authorization reference (which permission a call asks for, and which resource it names). The calls of dynamic resources are
those of their provider classes here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from compiler.emit.graph import Graph, Recorded
from compiler.emit.rights import POLICY, ROLE
from compiler.stack import StackConfig

Condition = Mapping[str, Any]


class Places:
    """Where the resources of one stack are: ARNs by the names that others refer to them by."""

    def __init__(self, graph: Graph, stack: StackConfig) -> None:
        self.graph = graph
        self.stack = stack
        self._roles = {str(one.inputs["name"]): one.arn for one in graph.of_type(ROLE)}
        bound = (principal.aws_arn for _, principal in stack.principals)
        self._bound = {arn.rpartition("/")[2]: arn for arn in bound if arn}
        self.policies = [one.arn for one in graph.of_type(POLICY)]

    def own(self, resource: Recorded) -> list[str]:
        """The resource itself."""
        return [resource.arn]

    def queue(self, resource: Recorded) -> list[str]:
        """The queue that a resource belongs to."""
        name = resource.inputs["queueUrl"].rpartition("/")[2]
        return [self._regional("sqs", name)]

    def topic(self, resource: Recorded) -> list[str]:
        """The topic that a resource belongs to."""
        return [str(resource.inputs["arn"])]

    def bucket(self, resource: Recorded) -> list[str]:
        """The bucket itself, or that a resource belongs to."""
        return [f"arn:{self._partition}:s3:::{resource.inputs['bucket']}"]

    def plans(self, resource: Recorded) -> list[str]:
        """Every plan of the object's dataset: the next one has another key."""
        folder = str(resource.inputs["key"]).rpartition("/")[0]
        return [f"{self.bucket(resource)[0]}/{folder}/*"]

    def role(self, resource: Recorded) -> list[str]:
        """The role that a resource belongs to: the stack's own or a bound one."""
        name = str(resource.inputs["role"])
        known = self._roles.get(name) or self._bound.get(name)
        return [known or f"arn:{self._partition}:iam::{self.stack.account}:role/{name}"]

    def keys(self, resource: Recorded) -> list[str]:
        """Any key: its id is chosen when it is made."""
        del resource
        return [self._regional("kms", "key/*")]

    def alias(self, resource: Recorded) -> list[str]:
        """The alias itself."""
        return [self._regional("kms", str(resource.inputs["name"]))]

    def secret(self, resource: Recorded) -> list[str]:
        """A secret by its name, before it is there and after; Secrets Manager adds six characters."""
        arn = self._regional("secretsmanager", f"secret:{resource.inputs['secret_name']}")
        return [arn, f"{arn}-??????"]

    def _regional(self, service: str, rest: str) -> str:
        return f"arn:{self._partition}:{service}:{self.stack.region}:{self.stack.account}:{rest}"

    @property
    def _partition(self) -> str:
        from compiler.emit.arns import Arns

        return Arns(self.stack.region, self.stack.account).partition


@dataclass(frozen=True)
class Calls:
    """The permissions of one resource type on `where`, under a condition for some; those `anywhere` name no resource."""

    where: Callable[[Places, Recorded], list[str]]
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    reads_anywhere: tuple[str, ...] = ()
    writes_anywhere: tuple[str, ...] = ()
    conditions: Callable[[Places], Mapping[str, Condition]] = lambda _: {}


def _service(service: str, names: str) -> tuple[str, ...]:
    return tuple(f"{service}:{name}" for name in names.split())


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
            (*_KEY_READS, *_KEY_WRITES, *_service("kms", "CreateAlias DeleteAlias UpdateAlias")), tagged
        ),
        "kms:TagResource": {"StringEquals": {"aws:RequestTag/sluice:stack": places.stack.name}},
    }


_KEY_READS = _service("kms", "DescribeKey GetKeyPolicy GetKeyRotationStatus ListResourceTags")
_KEY_WRITES = _service(
    "kms",
    "DisableKey EnableKey EnableKeyRotation PutKeyPolicy ScheduleKeyDeletion UntagResource UpdateKeyDescription",
)
_QUEUE_DOCUMENT = Calls(
    Places.queue, _service("sqs", "GetQueueAttributes"), _service("sqs", "SetQueueAttributes")
)
_NOTHING = Calls(Places.own)

CALLS: Mapping[str, Calls] = {
    "aws:iam/policy:Policy": Calls(
        Places.own,
        _service("iam", "GetPolicy GetPolicyVersion ListPolicyTags ListPolicyVersions"),
        _service(
            "iam",
            "CreatePolicy CreatePolicyVersion DeletePolicy DeletePolicyVersion TagPolicy UntagPolicy",
        ),
    ),
    "aws:iam/role:Role": Calls(
        Places.own,
        _service("iam", "GetRole ListAttachedRolePolicies ListRolePolicies ListRoleTags"),
        _service(
            "iam",
            "CreateRole DeleteRole ListInstanceProfilesForRole PutRolePermissionsBoundary TagRole UntagRole"
            " UpdateAssumeRolePolicy UpdateRole",
        ),
        conditions=_bounded,
    ),
    "aws:iam/rolePolicy:RolePolicy": Calls(
        Places.role, _service("iam", "GetRolePolicy"), _service("iam", "DeleteRolePolicy PutRolePolicy")
    ),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": Calls(
        Places.role,
        _service("iam", "ListAttachedRolePolicies"),
        _service("iam", "AttachRolePolicy DetachRolePolicy"),
        conditions=_own_policies,
    ),
    "aws:kms/alias:Alias": Calls(
        Places.alias,
        (),
        _service("kms", "CreateAlias DeleteAlias UpdateAlias"),
        reads_anywhere=_service("kms", "ListAliases"),
    ),
    "aws:kms/key:Key": Calls(
        Places.keys,
        _KEY_READS,
        (*_KEY_WRITES, "kms:CreateAlias", "kms:DeleteAlias", "kms:TagResource", "kms:UpdateAlias"),
        writes_anywhere=_service("kms", "CreateKey"),
        conditions=_own_key,
    ),
    "aws:s3/bucket:Bucket": Calls(
        Places.own,
        _service(
            "s3",
            "GetAccelerateConfiguration GetBucketAcl GetBucketCORS GetBucketLocation GetBucketLogging"
            " GetBucketObjectLockConfiguration GetBucketPolicy GetBucketRequestPayment GetBucketTagging"
            " GetBucketVersioning GetBucketWebsite GetEncryptionConfiguration GetLifecycleConfiguration"
            " GetReplicationConfiguration ListBucket",
        ),
        _service("s3", "CreateBucket DeleteBucket PutBucketTagging"),
    ),
    "aws:s3/bucketObjectv2:BucketObjectv2": Calls(
        Places.plans,
        _service("s3", "GetObject GetObjectTagging"),
        _service("s3", "PutObject PutObjectTagging"),  # retained: a plan is never deleted
    ),
    "aws:s3/bucketPolicy:BucketPolicy": Calls(
        Places.bucket, _service("s3", "GetBucketPolicy"), _service("s3", "DeleteBucketPolicy PutBucketPolicy")
    ),
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": Calls(
        Places.bucket,
        _service("s3", "GetBucketPublicAccessBlock"),
        _service("s3", "PutBucketPublicAccessBlock"),
    ),
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": Calls(
        Places.bucket,
        _service("s3", "GetEncryptionConfiguration"),
        _service("s3", "PutEncryptionConfiguration"),
    ),
    "aws:sns/topic:Topic": Calls(
        Places.own,
        _service("sns", "GetTopicAttributes ListTagsForResource"),
        _service("sns", "CreateTopic DeleteTopic SetTopicAttributes TagResource UntagResource"),
    ),
    "aws:sns/topicPolicy:TopicPolicy": Calls(
        Places.topic, _service("sns", "GetTopicAttributes"), _service("sns", "SetTopicAttributes")
    ),
    "aws:sqs/queue:Queue": Calls(
        Places.own,
        _service("sqs", "GetQueueAttributes GetQueueUrl ListQueueTags"),
        _service("sqs", "CreateQueue DeleteQueue SetQueueAttributes TagQueue UntagQueue"),
    ),
    "aws:sqs/queuePolicy:QueuePolicy": _QUEUE_DOCUMENT,
    "aws:sqs/redriveAllowPolicy:RedriveAllowPolicy": _QUEUE_DOCUMENT,
    "aws:sqs/redrivePolicy:RedrivePolicy": _QUEUE_DOCUMENT,
    "pulumi-python:dynamic/sluice:SinkLogin": Calls(
        Places.secret,
        (),  # a preview of a dynamic resource asks nothing
        _service(
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
