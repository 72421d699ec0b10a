"""Each AWS handler on the real emulator: create, create again, update, delete, delete again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from dev.resources.context import Context
from dev.resources.handler import Change, ResourceError, State
from dev.resources.registry import HANDLERS

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "ecs-tasks.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)


def allows(action: str) -> str:
    statement = {"Effect": "Allow", "Action": action, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def make(context: Context, token: str, inputs: dict[str, Any]) -> State:
    """Create through `check`, twice: the second time takes over what is there."""
    handler = HANDLERS[token]
    checked = handler.check(context, None, inputs)
    handler.create(context, "logical", checked)
    created = handler.create(context, "logical", checked)
    return State(created.id, checked, created.outputs)


def change(context: Context, token: str, state: State, inputs: dict[str, Any]) -> State:
    handler = HANDLERS[token]
    assert handler.diff(context, state, inputs) is Change.UPDATE
    return State(state.id, inputs, handler.update(context, state, inputs))


def delete(context: Context, token: str, state: State) -> None:
    HANDLERS[token].delete(context, state)
    HANDLERS[token].delete(context, state)


@pytest.fixture
def queue(context: Context, unique: str) -> State:
    return make(context, "aws:sqs/queue:Queue", {"name": unique})


def attributes(context: Context, state: State) -> dict[str, str]:
    found = context.sqs.get_queue_attributes(QueueUrl=state.id, AttributeNames=["All"])["Attributes"]
    return {str(name): text for name, text in found.items()}


def test_key_with_its_alias_and_a_queue_that_it_encrypts(context: Context, unique: str) -> None:
    inputs = {
        "description": unique,
        "enableKeyRotation": True,
        "deletionWindowInDays": 7,
        "policy": json.dumps({"Version": "2012-10-17", "Statement": []}),
        "tags": {"a": "b"},
    }
    key = make(context, "aws:kms/key:Key", inputs)
    alias = make(context, "aws:kms/alias:Alias", {"name": f"alias/{unique}", "targetKeyId": key.id})
    found = context.kms.describe_key(KeyId=alias.id)["KeyMetadata"]
    assert (found["KeyId"], found["Arn"]) == (key.id, key.outputs["arn"])
    assert context.kms.get_key_rotation_status(KeyId=key.id)["KeyRotationEnabled"] is True
    policy = context.kms.get_key_policy(KeyId=key.id, PolicyName="default")["Policy"]
    assert json.loads(policy) == json.loads(str(inputs["policy"]))

    encrypted = {"name": unique, "kmsMasterKeyId": key.outputs["arn"], "kmsDataKeyReusePeriodSeconds": 300}
    queue = make(context, "aws:sqs/queue:Queue", encrypted)
    assert attributes(context, queue)["KmsMasterKeyId"] == key.outputs["arn"]
    assert attributes(context, queue).get("SqsManagedSseEnabled", "false") == "false"
    plain = change(context, "aws:sqs/queue:Queue", queue, {"name": unique, "sqsManagedSseEnabled": True})
    assert attributes(context, plain)["SqsManagedSseEnabled"] == "true"

    delete(context, "aws:sqs/queue:Queue", plain)
    delete(context, "aws:kms/alias:Alias", alias)
    delete(context, "aws:kms/key:Key", key)
    assert context.kms.describe_key(KeyId=key.id)["KeyMetadata"]["KeyState"] == "PendingDeletion"


def test_queue(context: Context, unique: str) -> None:
    token = "aws:sqs/queue:Queue"
    inputs = {
        "name": unique,
        "maxMessageSize": 1_040_384,
        "messageRetentionSeconds": 1_209_600,
        "receiveWaitTimeSeconds": 20,
        "sqsManagedSseEnabled": True,
        "visibilityTimeoutSeconds": 120,
        "tags": {"dataset": "a"},
    }
    state = make(context, token, inputs)
    assert state.outputs["arn"] == f"arn:aws:sqs:{context.region}:{context.account}:{unique}"
    assert state.outputs["url"] == state.id
    found = attributes(context, state)
    assert found["MaximumMessageSize"] == "1040384"
    assert found["MessageRetentionPeriod"] == "1209600"
    assert found["ReceiveMessageWaitTimeSeconds"] == "20"
    assert found["VisibilityTimeout"] == "120"
    assert found["SqsManagedSseEnabled"] == "true"
    state = change(
        context, token, state, {"name": unique, "visibilityTimeoutSeconds": 60, "tags": {"b": "c"}}
    )
    found = attributes(context, state)
    assert (found["VisibilityTimeout"], found["MessageRetentionPeriod"]) == ("60", "345600")
    assert context.sqs.list_queue_tags(QueueUrl=state.id)["Tags"] == {"b": "c"}
    assert HANDLERS[token].diff(context, state, {"name": "other"}) is Change.REPLACE
    delete(context, token, state)
    with pytest.raises(context.sqs.exceptions.QueueDoesNotExist):
        context.sqs.get_queue_url(QueueName=unique)


def test_a_queue_that_is_taken_over_keeps_its_messages(context: Context, queue: State) -> None:
    context.sqs.send_message(QueueUrl=queue.id, MessageBody="kept")
    again = HANDLERS["aws:sqs/queue:Queue"].create(context, "logical", queue.inputs)
    received = context.sqs.receive_message(QueueUrl=again.id)["Messages"]
    assert [message["Body"] for message in received] == ["kept"]


def test_queue_documents_stand_beside_each_other(context: Context, queue: State, unique: str) -> None:
    dlq = make(context, "aws:sqs/queue:Queue", {"name": f"{unique}-dlq"})
    redrive = json.dumps({"deadLetterTargetArn": dlq.outputs["arn"], "maxReceiveCount": 3})
    allow = json.dumps({"redrivePermission": "denyAll"})
    policy = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "sqs:*",
                    "Resource": queue.outputs["arn"],
                    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                }
            ],
        }
    )
    made = {
        "aws:sqs/queuePolicy:QueuePolicy": {"queueUrl": queue.id, "policy": policy},
        "aws:sqs/redrivePolicy:RedrivePolicy": {"queueUrl": queue.id, "redrivePolicy": redrive},
        "aws:sqs/redriveAllowPolicy:RedriveAllowPolicy": {"queueUrl": queue.id, "redriveAllowPolicy": allow},
    }
    states = {token: make(context, token, inputs) for token, inputs in made.items()}
    found = attributes(context, queue)
    assert json.loads(found["Policy"]) == json.loads(policy)
    assert json.loads(found["RedrivePolicy"]) == json.loads(redrive)
    assert json.loads(found["RedriveAllowPolicy"]) == json.loads(allow)
    for token, state in states.items():
        assert state.id == queue.id
        delete(context, token, state)
    found = attributes(context, queue)
    assert not {"Policy", "RedrivePolicy", "RedriveAllowPolicy"} & {
        key for key, text in found.items() if text
    }


def test_a_redrive_policy_moves_messages(context: Context, queue: State, unique: str) -> None:
    dlq = make(context, "aws:sqs/queue:Queue", {"name": f"{unique}-dlq"})
    redrive = json.dumps({"deadLetterTargetArn": dlq.outputs["arn"], "maxReceiveCount": 1})
    make(context, "aws:sqs/redrivePolicy:RedrivePolicy", {"queueUrl": queue.id, "redrivePolicy": redrive})
    context.sqs.send_message(QueueUrl=queue.id, MessageBody="poison")
    for _ in range(2):
        context.sqs.receive_message(QueueUrl=queue.id, VisibilityTimeout=0)
    assert context.sqs.receive_message(QueueUrl=dlq.id)["Messages"][0]["Body"] == "poison"


def test_topic_and_its_policy(context: Context, unique: str) -> None:
    token = "aws:sns/topic:Topic"
    state = make(context, token, {"name": unique, "tags": {"a": "b"}})
    assert state.id == state.outputs["arn"] == f"arn:aws:sns:{context.region}:{context.account}:{unique}"
    state = change(context, token, state, {"name": unique, "displayName": "Commits", "tags": {"c": "d"}})
    assert context.sns.get_topic_attributes(TopicArn=state.id)["Attributes"]["DisplayName"] == "Commits"
    assert context.sns.list_tags_for_resource(ResourceArn=state.id)["Tags"] == [{"Key": "c", "Value": "d"}]
    policy = make(
        context, "aws:sns/topicPolicy:TopicPolicy", {"arn": state.id, "policy": allows("sns:Publish")}
    )
    found = context.sns.get_topic_attributes(TopicArn=state.id)["Attributes"]["Policy"]
    assert json.loads(found) == json.loads(allows("sns:Publish"))
    delete(context, "aws:sns/topicPolicy:TopicPolicy", policy)
    delete(context, token, state)
    assert state.id not in [one["TopicArn"] for one in context.sns.list_topics()["Topics"]]


def test_bucket_and_object(context: Context, unique: str) -> None:
    bucket = make(
        context, "aws:s3/bucket:Bucket", {"bucket": unique, "forceDestroy": True, "tags": {"a": "b"}}
    )
    assert bucket.outputs["arn"] == f"arn:aws:s3:::{unique}"
    inputs = {
        "bucket": bucket.id,
        "key": "plans/a/1.json",
        "content": '{"é": 1}',
        "contentType": "application/json",
        "tags": {"plan": "1"},
    }
    found = make(context, "aws:s3/bucketObjectv2:BucketObjectv2", inputs)
    assert found.id == f"{unique}/plans/a/1.json"
    got = context.s3.get_object(Bucket=unique, Key="plans/a/1.json")
    assert got["Body"].read() == '{"é": 1}'.encode()
    assert got["ContentType"] == "application/json"
    moved = {**inputs, "key": "plans/a/2.json"}
    assert HANDLERS["aws:s3/bucketObjectv2:BucketObjectv2"].diff(context, found, moved) is Change.REPLACE
    delete(context, "aws:s3/bucketObjectv2:BucketObjectv2", found)
    context.s3.put_object(Bucket=unique, Key="left", Body=b"")
    delete(context, "aws:s3/bucket:Bucket", bucket)
    assert unique not in [one["Name"] for one in context.s3.list_buckets()["Buckets"]]


def test_a_bucket_that_holds_objects_stays_without_force_destroy(context: Context, unique: str) -> None:
    bucket = make(context, "aws:s3/bucket:Bucket", {"bucket": unique})
    context.s3.put_object(Bucket=unique, Key="left", Body=b"")
    with pytest.raises(ClientError, match="BucketNotEmpty"):
        HANDLERS["aws:s3/bucket:Bucket"].delete(context, bucket)


def test_bucket_settings(context: Context, unique: str) -> None:
    make(context, "aws:s3/bucket:Bucket", {"bucket": unique})
    blocks = dict.fromkeys(
        ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"), True
    )
    made: dict[str, dict[str, Any]] = {
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": {"bucket": unique, **blocks},
        "aws:s3/bucketPolicy:BucketPolicy": {"bucket": unique, "policy": allows("s3:GetObject")},
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": {
            "bucket": unique,
            "rules": [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}],
        },
    }
    states = {token: make(context, token, inputs) for token, inputs in made.items()}
    found = context.s3.get_public_access_block(Bucket=unique)["PublicAccessBlockConfiguration"]
    assert set(found.values()) == {True}
    encryption = context.s3.get_bucket_encryption(Bucket=unique)["ServerSideEncryptionConfiguration"]["Rules"]
    assert encryption[0]["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    for token, state in states.items():
        delete(context, token, state)
    with pytest.raises(ClientError, match="NoSuchBucketPolicy"):
        context.s3.get_bucket_policy(Bucket=unique)


def test_role_with_inline_and_managed_policy(context: Context, unique: str) -> None:
    inputs = {"name": unique, "path": "/sluice/", "assumeRolePolicy": TRUST, "tags": {"a": "b"}}
    role = make(context, "aws:iam/role:Role", inputs)
    assert role.id == role.outputs["name"] == unique
    assert role.outputs["arn"] == f"arn:aws:iam::{context.account}:role/sluice/{unique}"
    role = change(context, "aws:iam/role:Role", role, {**inputs, "description": "d", "tags": {}})
    inline = make(
        context, "aws:iam/rolePolicy:RolePolicy", {"name": "p", "role": unique, "policy": allows("sqs:*")}
    )
    assert inline.id == f"{unique}:p"
    policy = make(
        context, "aws:iam/policy:Policy", {"name": unique, "path": "/sluice/", "policy": allows("sqs:A")}
    )
    assert policy.id == f"arn:aws:iam::{context.account}:policy/sluice/{unique}"
    policy = change(
        context,
        "aws:iam/policy:Policy",
        policy,
        {"name": unique, "path": "/sluice/", "policy": allows("sqs:B")},
    )
    versions = context.iam.list_policy_versions(PolicyArn=policy.id)["Versions"]
    assert [version["IsDefaultVersion"] for version in versions] == [True]
    document = context.iam.get_policy_version(PolicyArn=policy.id, VersionId=versions[0]["VersionId"])
    assert document["PolicyVersion"]["Document"]["Statement"][0]["Action"] == "sqs:B"  # type: ignore[index]
    attached = make(
        context, "aws:iam/rolePolicyAttachment:RolePolicyAttachment", {"role": unique, "policyArn": policy.id}
    )
    delete(context, "aws:iam/rolePolicyAttachment:RolePolicyAttachment", attached)
    delete(context, "aws:iam/policy:Policy", policy)
    delete(context, "aws:iam/rolePolicy:RolePolicy", inline)
    delete(context, "aws:iam/role:Role", role)
    with pytest.raises(context.iam.exceptions.NoSuchEntityException):
        context.iam.get_role(RoleName=unique)


def test_a_provider_must_be_at_our_address(context: Context) -> None:
    aws, postgres = HANDLERS["pulumi:providers:aws"], HANDLERS["pulumi:providers:postgresql"]
    aws.create(context, "aws", {"region": context.region, "allowedAccountIds": f'["{context.account}"]'})
    postgres.create(context, "pg", {"host": "127.0.0.1", "port": str(context.postgres["port"])})
    with pytest.raises(ResourceError, match="region"):
        aws.create(context, "aws", {"region": "us-east-1"})
    with pytest.raises(ResourceError, match="allowedAccountIds"):
        aws.create(context, "aws", {"region": context.region, "allowedAccountIds": '["999999999999"]'})
    with pytest.raises(ResourceError, match="port"):
        postgres.create(context, "pg", {"port": "1"})


@pytest.mark.parametrize("token", sorted(token for token in HANDLERS if "dynamic" not in token))
def test_an_unhandled_property_is_refused_by_name(context: Context, token: str) -> None:
    with pytest.raises(ResourceError, match="madeUpProperty"):
        HANDLERS[token].check(context, None, {"madeUpProperty": 1})


def test_a_nested_unhandled_property_is_refused_by_name(context: Context, unique: str) -> None:
    make(context, "aws:s3/bucket:Bucket", {"bucket": unique})
    rule = {"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}, "blockedEncryptionTypes": ["C"]}
    with pytest.raises(ResourceError, match="blockedEncryptionTypes"):
        HANDLERS[
            "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
        ].create(context, "l", {"bucket": unique, "rules": [rule]})


@pytest.mark.parametrize(
    ("token", "key"), [("aws:sqs/queue:Queue", "name"), ("aws:s3/bucket:Bucket", "bucket")]
)
def test_no_name_is_made_up(context: Context, token: str, key: str) -> None:
    with pytest.raises(ResourceError, match=key):
        HANDLERS[token].create(context, "logical", {})
