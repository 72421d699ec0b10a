"""Nobody may more than the manifests and the stack's file say.

The expected rights are written here a second time, apart from the emitters: a right that an emitter adds must be added
here too, where a reviewer sees it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from compiler import names
from compiler.dataset import Dataset, Ignore
from compiler.emit.arns import Arns
from compiler.emit.invariants.stack import Compiled, Violation
from compiler.emit.rights import POWERS, Right, rights
from compiler.stack import StackConfig
from compiler.table import table_of

# Services whose rights reach data. Others, such as logs, are the business of `documents.py` alone.
DATA_SERVICES = ("kms", "rds-db", "s3", "secretsmanager", "sns", "sqs")
TENDING = ("ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "ReceiveMessage")

# (principal, action, pattern over the resource)
Expected = tuple[str, str, str]


def nobody_may_more_than_the_manifests_say(compiled: Compiled) -> Iterator[Violation]:
    """Every right to data is one that is expected of its principal."""
    expected: dict[tuple[str, str], list[str]] = {}
    for principal, action, pattern in _expected(compiled):
        expected.setdefault((principal, action), []).append(pattern)
    for right in rights(compiled.graph):
        patterns = expected.get((right.principal, right.action), [])
        if _is_about_data(right) and not any(re.fullmatch(one, right.resource) for one in patterns):
            message = f"may {right.action} on {right.resource}, which no manifest and no stack key says."
            fix = "Remove the right, or say in compiler/emit/invariants/wider.py why it is due."
            yield Violation("wider-than-manifest", right.principal, message, fix)


def _is_about_data(right: Right) -> bool:
    service = right.action.partition(":")[0]
    return (
        right.principal.startswith("postgres ")
        or service in DATA_SERVICES
        or right.action == "sts:AssumeRole"
    )


def _expected(compiled: Compiled) -> Iterator[Expected]:
    yield from _of_the_account(compiled.stack)
    yield from _of_the_operator(compiled.stack, compiled.datasets)
    for dataset in compiled.datasets:
        yield from _of_producers(compiled.stack, dataset)
        yield from _of_the_sink(compiled.stack, dataset)
        yield from _in_postgres(compiled.stack, dataset)
    for one in compiled.graph.of_type("aws:iam/role:Role"):
        yield ("Service ecs-tasks.amazonaws.com", "sts:AssumeRole", re.escape(one.arn))


KEY_USES = ("kms:Decrypt", "kms:GenerateDataKey")


def _uses(stack: StackConfig, *principals: str) -> Iterator[Expected]:
    """The use of the stack's key, where it has one."""
    if stack.encryption == "customer_key":
        for principal in principals:
            yield from ((principal, action, _key(stack)) for action in KEY_USES)


def _key(stack: StackConfig) -> str:
    return re.escape(Arns(stack.region, stack.account).key("")) + "[0-9a-f-]{36}"


def _of_the_account(stack: StackConfig) -> Iterator[Expected]:
    """A key's own account administers it and gives its use away; what it may so is every right to the one key."""
    if stack.encryption == "customer_key":
        root = Arns(stack.region, stack.account).root(stack.account)
        yield from ((root, f"kms:{action}", _key(stack)) for action in ADMINISTRATION.split())
        yield from _uses(stack, root)


ADMINISTRATION = (
    "CancelKeyDeletion CreateAlias DeleteAlias DescribeKey DisableKey EnableKey EnableKeyRotation GetKeyPolicy"
    " GetKeyRotationStatus ListResourceTags PutKeyPolicy ScheduleKeyDeletion TagResource UntagResource UpdateAlias"
    " UpdateKeyDescription"
)


def _queues(stack: StackConfig, dataset: Dataset) -> tuple[str, str]:
    arns = Arns(stack.region, stack.account)
    makers = (names.buffer_queue, names.dead_letter_queue)
    buffer, dead_letter = (re.escape(arns.queue(make(stack.prefix, dataset.name))) for make in makers)
    return buffer, dead_letter


def _of_producers(stack: StackConfig, dataset: Dataset) -> Iterator[Expected]:
    buffer, _ = _queues(stack, dataset)
    for name in dataset.producers:
        principal = stack.principal(name)
        is_ours = principal.aws_account == stack.account
        who = principal.aws_role_name if is_ours else principal.aws_arn
        yield (f"role {who}", "sqs:SendMessage", buffer)
        yield from _uses(stack, f"role {who}")


def _of_the_sink(stack: StackConfig, dataset: Dataset) -> Iterator[Expected]:
    may = partial(_may, f"role {names.sink_iam_role(stack.prefix, dataset.name, stack.region)}")
    buffer, dead_letter = _queues(stack, dataset)
    place = re.escape(f"{stack.region}:{stack.account}:")
    yield from (may(f"sqs:{action}", buffer) for action in TENDING)
    yield may("sqs:SendMessage", dead_letter)
    yield from _uses(stack, may("", "")[0])
    yield may("s3:GetObject", rf"arn:[a-z-]+:s3:::[a-z0-9-]+/plans/{dataset.name}/\*")
    if stack.database.auth == "secret":
        secret = re.escape(names.login_secret(stack.prefix, dataset.name))
        pattern = rf"arn:[a-z-]+:secretsmanager:{place}secret:{secret}-[A-Za-z0-9]{{6}}"
        yield may("secretsmanager:GetSecretValue", pattern)
    else:
        user = f"{stack.database.resource_id}/{names.sink_login(stack.prefix, dataset.name)}"
        yield may("rds-db:connect", rf"arn:[a-z-]+:rds-db:{place}dbuser:{re.escape(user)}")
    if dataset.publish_events:
        topic = Arns(stack.region, stack.account).topic(names.topic(stack.prefix, dataset.name))
        yield may("sns:Publish", re.escape(topic))


def _of_the_operator(stack: StackConfig, datasets: tuple[Dataset, ...]) -> Iterator[Expected]:
    if stack.operator is None:
        return
    name = names.operator_iam_role(stack.prefix, stack.region)
    may = partial(_may, f"role {name}")
    for dataset in datasets:
        for queue in _queues(stack, dataset):
            yield from (may(f"sqs:{action}", queue) for action in (*TENDING, "SendMessage"))
    yield from _uses(stack, f"role {name}")
    arn = Arns(stack.region, stack.account).role(names.iam_path(stack.prefix), name)
    yield (f"role {stack.operator.aws_arn}", "sts:AssumeRole", re.escape(arn))
    group = names.operator_role(stack.prefix)
    yield (f"postgres {group}", "member", f"role {names.OPERATOR_GROUP_ROLE}")
    yield (f"postgres {stack.operator.postgres_role}", "member", f"role {re.escape(group)}")


def _in_postgres(stack: StackConfig, dataset: Dataset) -> Iterator[Expected]:
    table = table_of(dataset)
    writer = names.writer_role(stack.prefix, dataset.name)
    reader = names.reader_role(stack.prefix, dataset.name)
    login = names.sink_login(stack.prefix, dataset.name)
    updates = () if isinstance(dataset.on_conflict, Ignore) else ("UPDATE",)
    for privilege in ("INSERT", "SELECT", *updates):
        yield (f"postgres {writer}", privilege, re.escape(f"table {table.schema}.{table.name}"))
    yield (f"postgres {reader}", "SELECT", re.escape(f"table {table.schema}.{table.view.name}"))
    yield (f"postgres {writer}", "member", f"role {names.SINK_GROUP_ROLE}")
    yield (f"postgres {login}", "member", f"role {re.escape(writer)}")
    yield (f"postgres {login}", "login", ".*")
    if stack.database.auth == "iam":
        yield (f"postgres {login}", "member", f"role {names.RDS_IAM_ROLE}")
    for name in dataset.readers:
        yield (f"postgres {stack.principal(name).postgres_role}", "member", f"role {re.escape(reader)}")


def _may(principal: str, action: str, pattern: str) -> Expected:
    return principal, action, pattern


def no_role_of_postgres_has_powers(compiled: Compiled) -> Iterator[Violation]:
    """No role that a stack makes is a superuser, makes roles or databases, or goes round row-level security."""
    for right in rights(compiled.graph):
        if right.action in POWERS:
            message = f"is a role with {right.action}."
            yield Violation("postgres-power", right.principal, message, "Take it away.")


WIDER = (nobody_may_more_than_the_manifests_say, no_role_of_postgres_has_powers)
