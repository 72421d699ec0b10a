"""IAM documents as plain dicts: who may do what, and nothing wider than a manifest says.

Each function is of ARNs alone. `text` gives the one JSON form in which a document is deployed and compared.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

from compiler.canonical import Json
from compiler.emit.arns import Arns

Document = dict[str, Json]

VERSION = "2012-10-17"
MANAGED_POLICY_CHARACTERS = 6_144  # IAM's limit; it does not count white space, of which `text` has none

_SINK_QUEUE_ACTIONS = [
    "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ReceiveMessage",
]
_OPERATOR_QUEUE_ACTIONS = [*_SINK_QUEUE_ACTIONS, "sqs:SendMessage"]
_KEY_USES = ["kms:Decrypt", "kms:GenerateDataKey"]
_KEY_ADMINISTRATION = [
    "kms:CancelKeyDeletion",
    "kms:CreateAlias",
    "kms:DeleteAlias",
    "kms:DescribeKey",
    "kms:DisableKey",
    "kms:EnableKey",
    "kms:EnableKeyRotation",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:ListResourceTags",
    "kms:PutKeyPolicy",
    "kms:ScheduleKeyDeletion",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateAlias",
    "kms:UpdateKeyDescription",
]
# What a topic's policy may name: SNS refuses "sns:*" there.
_TOPIC_ACTIONS = [
    "sns:AddPermission",
    "sns:DeleteTopic",
    "sns:GetTopicAttributes",
    "sns:ListSubscriptionsByTopic",
    "sns:Publish",
    "sns:RemovePermission",
    "sns:SetTopicAttributes",
    "sns:Subscribe",
]


def text(document: Document) -> str:
    """The document's JSON: sorted keys, no white space."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def producer_policies(queue_arns: Iterable[str], key: str | None = None) -> tuple[Document, ...]:
    """A producer's rights: `sqs:SendMessage` on its datasets' buffers and nothing else; `key` is what encrypts them.

    More than one document where the list of queues passes IAM's size; each then holds a run of the sorted ARNs.
    """
    return _parts(
        queue_arns, lambda arns: _document([_allow("SendToBuffers", ["sqs:SendMessage"], arns), *use_of(key)])
    )


def operator_policies(queue_arns: Iterable[str], key: str | None = None) -> tuple[Document, ...]:
    """An operator's rights on buffers and dead-letter queues, split as a producer's: to look, to send again, to delete."""
    return _parts(
        queue_arns,
        lambda arns: _document([_allow("TendQueues", _OPERATOR_QUEUE_ACTIONS, arns), *use_of(key)]),
    )


def _parts(queue_arns: Iterable[str], document: Callable[[list[str]], Document]) -> tuple[Document, ...]:
    parts: list[list[str]] = []
    for arn in sorted(set(queue_arns)):
        if parts and len(text(document([*parts[-1], arn]))) <= MANAGED_POLICY_CHARACTERS:
            parts[-1].append(arn)
        else:
            parts.append([arn])
    return tuple(map(document, parts))


def sink_policy(
    *, buffer: str, dead_letter: str, topic: str | None, plans: str, login: Document, key: str | None = None
) -> Document:
    """A sink's rights, all ARNs: its buffer, its dead-letter queue, its topic (None: it publishes no events), the
    objects under its dataset's plans (`…:bucket/plans/<dataset>/*`: a rolled-back sink reads an older plan); and its
    login, by `read_login` or `connect`. `key` encrypts its queues, where it is not SQS' own.
    """
    publish = [_allow("PublishCommits", ["sns:Publish"], [topic])] if topic else []
    return _document(
        [
            _allow("DrainBuffer", _SINK_QUEUE_ACTIONS, [buffer]),
            _allow("SendDeadLetters", ["sqs:SendMessage"], [dead_letter]),
            *publish,
            _allow("ReadPlans", ["s3:GetObject"], [plans]),
            login,
            *use_of(key),
        ]
    )


def read_login(secret: str) -> Document:
    """The statement by which a sink reads its one secret."""
    return _allow("ReadLogin", ["secretsmanager:GetSecretValue"], [secret])


def connect(database_user: str) -> Document:
    """The statement by which a sink logs in as its one user of RDS (an ARN, `Arns.database_user`)."""
    return _allow("Connect", ["rds-db:connect"], [database_user])


def use_of(key: str | None) -> list[Document]:
    """The statement by which whoever sends or receives uses the queues' key: SQS asks for both, on either side."""
    return [_allow("UseKey", _KEY_USES, [key])] if key else []


def key_policy(arns: Arns, senders: Iterable[str] = ()) -> Document:
    """The policy of the queues' key: its account administers it and gives its use away, through SQS only.

    Without the account nobody could ever change the key again. `senders` are roles of other accounts, as `queue_policy`
    has them. "*" is the key that the policy belongs to.
    """
    through_sqs = {"kms:ViaService": f"sqs.{arns.region}.amazonaws.com"}
    own = {"AWS": arns.root(arns.account)}
    statements: list[Document] = [
        {
            "Sid": "Administer",
            "Effect": "Allow",
            "Principal": own,
            "Action": _KEY_ADMINISTRATION,
            "Resource": "*",
        },
        {
            "Sid": "UseThroughSqs",
            "Effect": "Allow",
            "Principal": own,
            "Action": _KEY_USES,
            "Resource": "*",
            "Condition": {"StringEquals": {**through_sqs, "kms:CallerAccount": arns.account}},
        },
    ]
    statements += [
        {
            "Sid": f"SendFrom{account}",
            "Effect": "Allow",
            "Principal": {"AWS": arns.root(account)},
            "Action": _KEY_USES,
            "Resource": "*",
            "Condition": {"ArnEquals": {"aws:PrincipalArn": roles}, "StringEquals": through_sqs},
        }
        for account, roles in _by_account(senders)
    ]
    return _document(statements)


def _by_account(roles: Iterable[str]) -> list[tuple[str, list[str]]]:
    accounts: dict[str, list[str]] = {}
    for role in sorted(set(roles)):
        accounts.setdefault(role.split(":")[4], []).append(role)
    return sorted(accounts.items())


def sink_trust(arns: Arns) -> Document:
    """Who may take the sink's role: ECS, for tasks of this account and region (no other customer's tasks)."""
    return _document(
        [
            {
                "Sid": "RunAsTask",
                "Effect": "Allow",
                "Principal": {"Service": "ecs-tasks.amazonaws.com"},
                "Action": "sts:AssumeRole",
                "Condition": {
                    "ArnLike": {"aws:SourceArn": arns.tasks()},
                    "StringEquals": {"aws:SourceAccount": arns.account},
                },
            }
        ]
    )


def operator_trust(arns: Arns, role_arn: str) -> Document:
    """Who may take the operator's role: that one role, of this account or another, once its own account lets it.

    The account is the principal and the role a condition, so that a role that is made anew keeps its right, and one
    that is not there yet is no error.
    """
    return _document(
        [
            {
                "Sid": "OperatorsOnly",
                "Effect": "Allow",
                "Principal": {"AWS": arns.root(role_arn.split(":")[4])},
                "Action": "sts:AssumeRole",
                "Condition": {"ArnEquals": {"aws:PrincipalArn": role_arn}},
            }
        ]
    )


def assume_policy(role_arn: str) -> Document:
    """What the account of whoever takes a role must allow it."""
    return _document([_allow("TakeRole", ["sts:AssumeRole"], [role_arn])])


def queue_policy(arns: Arns, queue_arn: str, senders: Iterable[str] = ()) -> Document:
    """Nobody talks to the queue without TLS; `senders`, roles of other accounts, may send to it.

    Rights in the queue's own account come from identity policies alone. Elsewhere both sides must agree: one statement
    an account, whose principal is the account and whose condition its roles. SQS refuses a role that does not exist as a
    principal, and forgets one that is made anew.
    """
    admitted: list[Document] = [
        {
            "Sid": f"SendFrom{account}",
            "Effect": "Allow",
            "Principal": {"AWS": arns.root(account)},
            "Action": ["sqs:SendMessage"],
            "Resource": [queue_arn],
            "Condition": {"ArnEquals": {"aws:PrincipalArn": roles}},
        }
        for account, roles in _by_account(senders)
    ]
    return _document([*admitted, _deny_without_tls(["sqs:*"], [queue_arn])])


def tls_only_topic_policy(topic_arn: str) -> Document:
    """Nobody talks to the topic without TLS. It takes the place of the default policy, which lets the whole account in."""
    return _document([_deny_without_tls(_TOPIC_ACTIONS, [topic_arn])])


def tls_only_bucket_policy(bucket_arn: str) -> Document:
    """Nobody talks to the bucket or its objects without TLS."""
    return _document([_deny_without_tls(["s3:*"], [bucket_arn, f"{bucket_arn}/*"])])


def _document(statements: list[Document]) -> Document:
    return {"Version": VERSION, "Statement": statements}


def _allow(sid: str, actions: list[str], resources: list[str]) -> Document:
    return {"Sid": sid, "Effect": "Allow", "Action": sorted(actions), "Resource": sorted(resources)}


def _deny_without_tls(actions: list[str], resources: list[str]) -> Document:
    return {
        "Sid": "DenyWithoutTls",
        "Effect": "Deny",
        "Principal": "*",
        "Action": sorted(actions),
        "Resource": sorted(resources),
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
