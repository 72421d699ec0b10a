"""Principal x action x resource under the emulator's enforcement: exactly what the graph's policies list passes.

The policies are those that the program declares, on queues, topics, plans and secrets of two datasets. Queue, topic and
trust policies are checked as documents (test_graph.py, test_invariants.py): the emulator evaluates no allow of theirs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from botocore.exceptions import ClientError

from compiler.emit.graph import Graph
from compiler.emit.rights import identity_documents
from dev.emulator.client import EmulatorSession

Call = Callable[[], object]
DATASETS = ("alert_events", "monitoring_events")
PRINCIPALS = (
    *("monitor", "fleet", "scanner"),
    *(f"embedded_{name}_sink_euc1" for name in DATASETS),
    "embedded_operator_euc1",
)
ARN = "arn:aws:{}:eu-central-1:123456789012:{}"


class World:
    """The two datasets' resources, made by the administrator under the names that the program gives them."""

    def __init__(self, admin: EmulatorSession, bucket: str) -> None:
        self.bucket = bucket
        self.queues: dict[str, str] = {}
        self.secrets: dict[str, str] = {}
        sqs, s3, secrets = admin.client("sqs"), admin.client("s3"), admin.client("secretsmanager")
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        for name in DATASETS:
            for kind in ("buffer", "dlq"):
                queue = f"embedded_{name}_{kind}"
                self.queues[ARN.format("sqs", queue)] = sqs.create_queue(QueueName=queue)["QueueUrl"]
            admin.client("sns").create_topic(Name=f"embedded_{name}_commits")
            s3.put_object(Bucket=bucket, Key=f"plans/{name}/p.json", Body=b"{}")
            secret = f"embedded_{name}_sink_login"
            made = secrets.create_secret(Name=secret, SecretString="{}")["ARN"]
            self.secrets[ARN.format("secretsmanager", f"secret:{secret}-AbCdEf")] = made

    def remove(self, admin: EmulatorSession) -> None:
        s3 = admin.client("s3")
        for name in DATASETS:
            s3.delete_object(Bucket=self.bucket, Key=f"plans/{name}/p.json")
            admin.client("sns").delete_topic(TopicArn=ARN.format("sns", f"embedded_{name}_commits"))
        s3.delete_bucket(Bucket=self.bucket)
        for url in self.queues.values():
            admin.client("sqs").delete_queue(QueueUrl=url)
        for arn in self.secrets.values():
            admin.client("secretsmanager").delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)

    def calls(self, session: EmulatorSession) -> Iterator[tuple[str, str, Call]]:
        """(action, resource as the policies name it, the call), of everything that a principal could try."""
        sqs = session.client("sqs")
        for arn, url in self.queues.items():
            queue = {"QueueUrl": url}
            entries = [{"Id": "1", "MessageBody": "{}"}]
            receipt = {**queue, "ReceiptHandle": "unknown"}
            yield "sqs:SendMessage", arn, partial(sqs.send_message, **queue, MessageBody="{}")
            yield "sqs:SendMessage", arn, partial(sqs.send_message_batch, **queue, Entries=entries)
            yield "sqs:ReceiveMessage", arn, partial(sqs.receive_message, **queue, WaitTimeSeconds=0)
            yield "sqs:DeleteMessage", arn, partial(sqs.delete_message, **receipt)
            hide = partial(sqs.change_message_visibility, **receipt, VisibilityTimeout=9)
            yield "sqs:ChangeMessageVisibility", arn, hide
            attributes = partial(sqs.get_queue_attributes, **queue, AttributeNames=["All"])
            yield "sqs:GetQueueAttributes", arn, attributes
            change = partial(sqs.set_queue_attributes, **queue, Attributes={"DelaySeconds": "1"})
            yield "sqs:SetQueueAttributes", arn, change
            yield "sqs:PurgeQueue", arn, partial(sqs.purge_queue, **queue)
            yield "sqs:DeleteQueue", arn, partial(sqs.delete_queue, **queue)
        yield "sqs:ListQueues", "*", sqs.list_queues
        yield from self._topics(session)
        yield from self._plans(session)
        yield from self._secrets(session)

    def _topics(self, session: EmulatorSession) -> Iterator[tuple[str, str, Call]]:
        sns = session.client("sns")
        for name in DATASETS:
            arn = ARN.format("sns", f"embedded_{name}_commits")
            yield "sns:Publish", arn, partial(sns.publish, TopicArn=arn, Message="{}")
            to = {"Protocol": "sqs", "Endpoint": ARN.format("sqs", "x")}
            yield "sns:Subscribe", arn, partial(sns.subscribe, TopicArn=arn, **to)
            yield "sns:GetTopicAttributes", arn, partial(sns.get_topic_attributes, TopicArn=arn)
            yield "sns:DeleteTopic", arn, partial(sns.delete_topic, TopicArn=arn)

    def _plans(self, session: EmulatorSession) -> Iterator[tuple[str, str, Call]]:
        s3 = session.client("s3")
        for name in DATASETS:
            arn = f"arn:aws:s3:::{self.bucket}/plans/{name}/*"
            plan = {"Bucket": self.bucket, "Key": f"plans/{name}/p.json"}
            yield "s3:GetObject", arn, partial(s3.get_object, **plan)
            yield "s3:PutObject", arn, partial(s3.put_object, **plan, Body=b"")
            yield "s3:DeleteObject", arn, partial(s3.delete_object, **plan)
        yield "s3:ListBucket", f"arn:aws:s3:::{self.bucket}", partial(s3.list_objects_v2, Bucket=self.bucket)

    def _secrets(self, session: EmulatorSession) -> Iterator[tuple[str, str, Call]]:
        secrets = session.client("secretsmanager")
        for declared, made in self.secrets.items():
            yield "secretsmanager:GetSecretValue", declared, partial(secrets.get_secret_value, SecretId=made)
            put = partial(secrets.put_secret_value, SecretId=made, SecretString="{}")
            yield "secretsmanager:PutSecretValue", declared, put
            yield "secretsmanager:DescribeSecret", declared, partial(secrets.describe_secret, SecretId=made)
            yield "secretsmanager:DeleteSecret", declared, partial(secrets.delete_secret, SecretId=made)


@pytest.fixture(scope="module")
def world(admin: EmulatorSession, graph: Graph) -> Iterator[World]:
    [bucket] = graph.of_type("aws:s3/bucket:Bucket")
    made = World(admin, bucket.inputs["bucket"])
    yield made
    made.remove(admin)


def is_allowed(call: Call) -> bool:
    """Whether the call is not refused for want of a right; what else is wrong with it is the caller's business."""
    try:
        call()
    except ClientError as error:
        return "AccessDenied" not in error.response["Error"]["Code"]
    return True


@pytest.mark.parametrize("principal", PRINCIPALS)
def test_exactly_the_listed_pairs_pass(principal, graph, world, make_role, session_as):
    statements = [
        statement
        for document in identity_documents(graph)
        if document.role == principal
        for statement in document.statements
    ]
    assert statements, "somebody else is called so"
    text = json.dumps(statements)
    for declared, made in world.secrets.items():
        text = text.replace(declared, made)
    session = session_as(make_role(*json.loads(text)))
    known = {(action, resource) for action, resource, _ in world.calls(session)}
    listed = {
        (action, resource)
        for one in statements
        for action in one["Action"]
        for resource in one["Resource"]
        if "integrity_signals" not in resource
    }
    assert listed <= known, "a right that nobody tries here"
    passed = {(action, resource) for action, resource, call in world.calls(session) if is_allowed(call)}
    assert passed == listed
