"""The emulator refuses what AWS refuses, by the policies of roles, and permits what it permits."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from dev.emulator.client import EmulatorSession, assume, session
from dev.emulator.state import Credentials, EmulatorState
from tests.support.emulator import Role, allow, policy

MakeRole = Callable[..., Role]
SessionAs = Callable[[Role], EmulatorSession]
DENIED = {"AccessDenied", "AccessDeniedException", "AuthorizationError"}


def refused(call: Callable[..., Any], **arguments: Any) -> ClientError:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    assert caught.value.response["Error"]["Code"] in DENIED, caught.value
    return caught.value


def queue(admin: EmulatorSession, name: str, **attributes: str) -> tuple[str, str]:
    sqs = admin.client("sqs")
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    return url, arn


def test_a_producer_may_send_to_its_queue_and_nothing_else(
    admin: EmulatorSession, unique: str, make_role: MakeRole, session_as: SessionAs
) -> None:
    own, own_arn = queue(admin, unique)
    other, _ = queue(admin, f"{unique}-other")
    sqs = session_as(make_role(allow("sqs:SendMessage", own_arn))).client("sqs")
    entries = [{"Id": "a", "MessageBody": "2"}]

    sqs.send_message(QueueUrl=own, MessageBody="1")
    assert [entry["Id"] for entry in sqs.send_message_batch(QueueUrl=own, Entries=entries)["Successful"]] == [
        "a"
    ]

    refused(sqs.receive_message, QueueUrl=own)
    refused(sqs.get_queue_attributes, QueueUrl=own, AttributeNames=["All"])
    refused(sqs.send_message, QueueUrl=other, MessageBody="1")
    refused(sqs.send_message_batch, QueueUrl=other, Entries=entries)
    refused(sqs.send_message, QueueUrl=own + "-missing", MessageBody="1")
    refused(sqs.purge_queue, QueueUrl=own)
    refused(
        session_as(make_role(allow("sqs:SendMessageBatch", own_arn))).client("sqs").send_message_batch,
        QueueUrl=own,
        Entries=entries,
    )


def test_a_sink_may_receive_and_delete_on_its_queue_and_send_only_to_its_dead_letters(
    admin: EmulatorSession, unique: str, make_role: MakeRole, session_as: SessionAs
) -> None:
    own, own_arn = queue(admin, unique)
    dead, dead_arn = queue(admin, f"{unique}-dead")
    other, _ = queue(admin, f"{unique}-other")
    actions = [
        "sqs:ReceiveMessage",
        "sqs:DeleteMessage",
        "sqs:ChangeMessageVisibility",
        "sqs:GetQueueAttributes",
    ]
    sqs = session_as(make_role(allow(actions, own_arn), allow("sqs:SendMessage", dead_arn))).client("sqs")
    for body in ("1", "2", "3"):
        admin.client("sqs").send_message(QueueUrl=own, MessageBody=body)

    messages = sqs.receive_message(QueueUrl=own, MaxNumberOfMessages=10)["Messages"]
    first, second, third = ({"Id": "x", "ReceiptHandle": message["ReceiptHandle"]} for message in messages)
    sqs.change_message_visibility(QueueUrl=own, ReceiptHandle=first["ReceiptHandle"], VisibilityTimeout=60)
    changed = sqs.change_message_visibility_batch(QueueUrl=own, Entries=[{**first, "VisibilityTimeout": 60}])
    assert len(changed["Successful"]) == 1
    sqs.delete_message(QueueUrl=own, ReceiptHandle=first["ReceiptHandle"])
    deleted = sqs.delete_message_batch(QueueUrl=own, Entries=[second, {**third, "Id": "y"}])
    assert [entry["Id"] for entry in deleted["Successful"]] == ["x", "y"]
    sqs.send_message(QueueUrl=dead, MessageBody="1")

    refused(sqs.send_message, QueueUrl=own, MessageBody="1")
    refused(sqs.receive_message, QueueUrl=dead)
    refused(sqs.receive_message, QueueUrl=other)
    refused(sqs.delete_message_batch, QueueUrl=other, Entries=[second])
    refused(sqs.send_message, QueueUrl=other, MessageBody="1")


def test_a_refusal_names_who_asked_what_of_which(
    emulator: EmulatorState, admin: EmulatorSession, unique: str, make_role: MakeRole, session_as: SessionAs
) -> None:
    own, own_arn = queue(admin, unique)
    error = refused(session_as(make_role()).client("sqs").send_message, QueueUrl=own, MessageBody="1")
    assert error.response["Error"]["Code"] == "AccessDenied"
    assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert f"sqs:SendMessage on resource: {own_arn}" in error.response["Error"]["Message"]


def test_a_role_publishes_to_the_topic_that_its_policy_names(
    admin: EmulatorSession, unique: str, make_role: MakeRole, session_as: SessionAs
) -> None:
    own = admin.client("sns").create_topic(Name=unique)["TopicArn"]
    other = admin.client("sns").create_topic(Name=f"{unique}-other")["TopicArn"]
    sns = session_as(make_role(allow("sns:Publish", own))).client("sns")
    sns.publish(TopicArn=own, Message="m")
    sns.publish_batch(TopicArn=own, PublishBatchRequestEntries=[{"Id": "a", "Message": "m"}])
    refused(sns.publish, TopicArn=other, Message="m")
    refused(sns.subscribe, TopicArn=own, Protocol="sqs", Endpoint="arn:aws:sqs:eu-central-1:123456789012:q")
    refused(sns.list_topics)


def test_a_role_reads_the_secret_that_its_policy_names(
    admin: EmulatorSession, unique: str, make_role: MakeRole, session_as: SessionAs
) -> None:
    manager = admin.client("secretsmanager")
    own = manager.create_secret(Name=unique, SecretString="s")["ARN"]
    other = manager.create_secret(Name=f"{unique}-other", SecretString="s")["ARN"]
    secrets = session_as(make_role(allow("secretsmanager:GetSecretValue", own))).client("secretsmanager")
    assert secrets.get_secret_value(SecretId=own)["SecretString"] == "s"
    assert secrets.get_secret_value(SecretId=unique)["SecretString"] == "s"
    refused(secrets.get_secret_value, SecretId=other)
    refused(secrets.get_secret_value, SecretId="missing")
    refused(secrets.put_secret_value, SecretId=own, SecretString="t")


def bucket(admin: EmulatorSession, name: str) -> Any:
    s3 = admin.client("s3")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    for key in ("plans/x/1", "plans/y/1"):
        s3.put_object(Bucket=name, Key=key, Body=b"{}")
    return s3


def test_a_role_reads_the_objects_below_its_prefix(
    admin: EmulatorSession, unique: str, make_role: MakeRole, session_as: SessionAs
) -> None:
    bucket(admin, unique)
    s3 = session_as(make_role(allow("s3:GetObject", f"arn:aws:s3:::{unique}/plans/x/*"))).client("s3")
    assert s3.get_object(Bucket=unique, Key="plans/x/1")["Body"].read() == b"{}"
    s3.head_object(Bucket=unique, Key="plans/x/1")
    refused(s3.get_object, Bucket=unique, Key="plans/y/1")
    refused(s3.put_object, Bucket=unique, Key="plans/x/1", Body=b"[]")
    refused(s3.delete_object, Bucket=unique, Key="plans/x/1")
    refused(s3.list_objects_v2, Bucket=unique)


def tls_only(resource: str | list[str]) -> str:
    condition = {"Bool": {"aws:SecureTransport": "false"}}
    return policy(
        {"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": resource, "Condition": condition}
    )


def test_a_bucket_that_denies_without_tls_serves_its_readers(
    admin: EmulatorSession, unique: str, make_role: MakeRole, session_as: SessionAs
) -> None:
    s3 = bucket(admin, unique)
    s3.put_bucket_policy(
        Bucket=unique, Policy=tls_only([f"arn:aws:s3:::{unique}", f"arn:aws:s3:::{unique}/*"])
    )
    reader = session_as(make_role(allow("s3:GetObject", f"arn:aws:s3:::{unique}/plans/x/*"))).client("s3")
    assert reader.get_object(Bucket=unique, Key="plans/x/1")["Body"].read() == b"{}"
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{unique}/*",
    }
    s3.put_bucket_policy(Bucket=unique, Policy=policy(deny))
    with pytest.raises(ClientError, match=r"\(403\)|Forbidden|AccessDenied"):
        reader.get_object(Bucket=unique, Key="plans/x/1")


def test_a_denial_in_a_queue_policy_counts(
    admin: EmulatorSession, unique: str, make_role: MakeRole, session_as: SessionAs
) -> None:
    own, own_arn = queue(admin, unique)
    role = make_role(allow("sqs:SendMessage", own_arn))
    sqs = session_as(role).client("sqs")
    deny = {"Effect": "Deny", "Principal": {"AWS": role.arn}, "Action": "sqs:*", "Resource": own_arn}
    for document, permitted in ((tls_only(own_arn), True), (policy(deny), False)):
        admin.client("sqs").set_queue_attributes(QueueUrl=own, Attributes={"Policy": document})
        if permitted:
            sqs.send_message(QueueUrl=own, MessageBody="1")
        else:
            refused(sqs.send_message, QueueUrl=own, MessageBody="1")


@pytest.mark.parametrize(
    "condition",
    [
        {"StringEquals": {"aws:RequestedRegion": "mars-1"}},
        {"DateGreaterThan": {"aws:CurrentTime": "2020-01-01"}},
    ],
    ids=["a key that is absent", "an operator that is unknown"],
)
def test_a_condition_that_is_not_met_or_not_understood_allows_nothing(
    admin: EmulatorSession, unique: str, make_role: MakeRole, session_as: SessionAs, condition: dict[str, Any]
) -> None:
    own, own_arn = queue(admin, unique)
    sqs = session_as(make_role(allow("sqs:SendMessage", own_arn, Condition=condition))).client("sqs")
    refused(sqs.send_message, QueueUrl=own, MessageBody="1")


def test_a_role_is_assumed_by_whom_it_trusts_alone(
    emulator: EmulatorState, admin: EmulatorSession, make_role: MakeRole
) -> None:
    ecs_only = make_role(trust={"Service": "ecs-tasks.amazonaws.com"})
    refused(assume, state=emulator, role_arn=ecs_only.arn, session_name="test")
    refused(assume, state=emulator, role_arn=ecs_only.arn + "missing", session_name="test")


def test_a_session_policy_narrows_a_role(
    emulator: EmulatorState, admin: EmulatorSession, unique: str, make_role: MakeRole
) -> None:
    own, own_arn = queue(admin, unique)
    role = make_role(allow("sqs:*", own_arn))
    given = admin.client("sts").assume_role(
        RoleArn=role.arn, RoleSessionName="test", Policy=policy(allow("sqs:SendMessage", own_arn))
    )["Credentials"]
    credentials = Credentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
    sqs = session(emulator, credentials).client("sqs")
    sqs.send_message(QueueUrl=own, MessageBody="1")
    refused(sqs.receive_message, QueueUrl=own)


def test_unknown_keys_and_wrong_secrets_are_refused(emulator: EmulatorState) -> None:
    for key, secret, code in (
        ("AKIAIOSFODNN7EXAMPLE", "x", "InvalidClientTokenId"),
        (emulator.admin.access_key_id, "x", "SignatureDoesNotMatch"),
    ):
        sqs = session(emulator, Credentials(key, secret, None)).client("sqs")
        with pytest.raises(ClientError) as caught:
            sqs.list_queues()
        assert caught.value.response["Error"]["Code"] == code


def test_sns_delivers_to_a_subscribed_queue(
    admin: EmulatorSession, unique: str, make_role: MakeRole, session_as: SessionAs
) -> None:
    url, arn = queue(admin, unique)
    sns = admin.client("sns")
    topic = sns.create_topic(Name=unique)["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    session_as(make_role(allow("sns:Publish", topic))).client("sns").publish(
        TopicArn=topic, Message=json.dumps({"a": 1})
    )
    answer = admin.client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=5)
    assert [message["Body"] for message in answer["Messages"]] == ['{"a": 1}']
