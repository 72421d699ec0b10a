"""Each resource type through a provider: made, read back as declared, changed by hand and read as it is, gone."""

from __future__ import annotations

import json
from typing import Any

import grpc
import psycopg
import pytest
from psycopg import sql

from dev.emulator.client import EmulatorSession
from dev.resources import declared, services
from dev.resources.handler import Served
from dev.resources.registry import HANDLERS

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "ecs.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)
ENCRYPTION = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"


def allows(action: str) -> str:
    statement = {"Effect": "Allow", "Action": action, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


class Made:
    """What a test made through a provider, in order; `close` deletes it, newest first."""

    def __init__(self, provider: Any) -> None:
        self.provider = provider
        self.all: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = []

    def make(self, token: str, inputs: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        assert not self.provider.check(token, inputs).failures
        identity, outputs = self.provider.create(token, inputs)
        self.all.append((token, identity, inputs, outputs))
        return identity, outputs

    def drift(self) -> dict[str, Any]:
        """Every resource that is not as it was made: what differs, or None where it is gone."""
        found: dict[str, Any] = {}
        for token, identity, inputs, outputs in self.all:
            there, now, after = self.provider.read(token, identity, inputs, outputs)
            changed = {key: now[key] for key in now if now[key] != inputs.get(key)}
            assert not there or after == {**outputs, **changed}
            if not there or changed:
                name = f"{token.rpartition(':')[2]} {inputs.get('objectType', '')}".strip()
                found[name] = {key: document(value) for key, value in changed.items()} if there else None
        return found

    def close(self) -> None:
        for token, identity, inputs, outputs in reversed(self.all):
            self.provider.delete(token, identity, inputs, outputs)
            self.provider.delete(token, identity, inputs, outputs)

    def types(self) -> set[str]:
        return {token for token, _, _, _ in self.all}


def document(value: Any) -> Any:
    """A JSON object's text as the object."""
    return json.loads(value) if isinstance(value, str) and value.startswith("{") else value


def every_aws_type(aws: Any, unique: str) -> Made:
    """One of each, with every property that the program or a manifest can set, and documents spelt their own way."""
    made = Made(aws)
    tags = {"sluice:dataset": "a", "b": "c"}
    queue, _ = made.make(
        "aws:sqs/queue:Queue",
        {"name": unique, "visibilityTimeoutSeconds": 120, "sqsManagedSseEnabled": True, "tags": tags},
    )
    arn = f"arn:aws:sqs:eu-central-1:123456789012:{unique}"
    made.make(
        "aws:sqs/queuePolicy:QueuePolicy",
        {"queueUrl": queue, "policy": json.dumps(json.loads(allows("sqs:SendMessage")), indent=1)},
    )
    redrive = json.dumps({"maxReceiveCount": 3, "deadLetterTargetArn": arn}, indent=1)
    made.make("aws:sqs/redrivePolicy:RedrivePolicy", {"queueUrl": queue, "redrivePolicy": redrive})
    made.make(
        "aws:sqs/redriveAllowPolicy:RedriveAllowPolicy",
        {"queueUrl": queue, "redriveAllowPolicy": json.dumps({"redrivePermission": "denyAll"})},
    )
    topic, _ = made.make("aws:sns/topic:Topic", {"name": unique, "displayName": "d", "tags": tags})
    made.make("aws:sns/topicPolicy:TopicPolicy", {"arn": topic, "policy": allows("sns:Publish")})
    bucket, _ = made.make("aws:s3/bucket:Bucket", {"bucket": unique, "forceDestroy": True, "tags": tags})
    made.make(
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", {"bucket": bucket, "blockPublicAcls": True}
    )
    made.make("aws:s3/bucketPolicy:BucketPolicy", {"bucket": bucket, "policy": allows("s3:GetObject")})
    rule = {"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}
    made.make(ENCRYPTION, {"bucket": bucket, "rules": [rule]})
    made.make(
        "aws:s3/bucketObjectv2:BucketObjectv2",
        {
            "bucket": bucket,
            "key": "plans/a b.json",
            "content": '{"é": 1}',
            "contentType": "application/json",
            "tags": tags,
        },
    )
    boundary = "arn:aws:iam::123456789012:policy/bounds"
    role, _ = made.make(
        "aws:iam/role:Role",
        {
            "name": unique,
            "path": "/sluice/",
            "assumeRolePolicy": TRUST,
            "permissionsBoundary": boundary,
            "tags": tags,
        },
    )
    made.make("aws:iam/rolePolicy:RolePolicy", {"name": "p", "role": role, "policy": allows("sqs:*")})
    policy, _ = made.make(
        "aws:iam/policy:Policy",
        {"name": unique, "path": "/sluice/", "policy": allows("sqs:*"), "description": "d", "tags": tags},
    )
    made.make("aws:iam/rolePolicyAttachment:RolePolicyAttachment", {"role": role, "policyArn": policy})
    key, _ = made.make(
        "aws:kms/key:Key",
        {
            "description": unique,
            "enableKeyRotation": True,
            "deletionWindowInDays": 30,
            "policy": allows("kms:*"),
            "tags": tags,
        },
    )
    made.make("aws:kms/alias:Alias", {"name": f"alias/{unique}", "targetKeyId": key})
    return made


def test_everything_of_aws_is_read_as_it_was_declared_and_as_it_is(
    aws: Any, admin: EmulatorSession, unique: str
) -> None:
    made = every_aws_type(aws, unique)
    served = {token for token, handler in HANDLERS.items() if isinstance(handler, Served)}
    kept = {
        one.type for one in (*declared.DECLARED, services.SERVICE)
    }  # which nothing here could change by hand
    assert made.types() == {token for token in served - kept if token.startswith("aws:")}
    for token, _, inputs, outputs in made.all:
        handler = HANDLERS[token]
        assert isinstance(handler, Served)
        assert outputs.keys() - inputs.keys() == handler.computed - inputs.keys(), token
    assert made.drift() == {}
    by_hand(admin, unique)
    assert made.drift() == {
        "Queue": {"visibilityTimeoutSeconds": 7, "delaySeconds": 3, "tags": {"by": "hand"}},
        "QueuePolicy": {"policy": document(allows("sqs:*"))},
        "RedrivePolicy": None,
        "Topic": {"displayName": "e"},
        "TopicPolicy": {"policy": document(allows("sns:*"))},
        "Bucket": {"tags": {}},
        "BucketPublicAccessBlock": {"blockPublicAcls": False, "restrictPublicBuckets": True},
        "BucketPolicy": None,
        "BucketServerSideEncryptionConfiguration": {
            "rules": [
                {
                    "applyServerSideEncryptionByDefault": {"sseAlgorithm": "aws:kms"},
                    "bucketKeyEnabled": False,
                }
            ]
        },
        "BucketObjectv2": {"content": "other", "contentType": "text/plain", "tags": {}},
        "Role": {"description": "by hand", "permissionsBoundary": ""},
        "RolePolicy": {"policy": document(allows("sns:*"))},
        "Policy": {"policy": document(allows("s3:*"))},
        "RolePolicyAttachment": None,
        "Key": {"enableKeyRotation": False},
        "Alias": None,
    }
    made.close()
    assert set(made.drift().values()) == {None}


def by_hand(admin: EmulatorSession, name: str) -> None:
    """Somebody changes each of the things."""
    sqs, sns, s3, iam = (admin.client(service) for service in ("sqs", "sns", "s3", "iam"))
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    wanted = {"VisibilityTimeout": "7", "DelaySeconds": "3", "Policy": allows("sqs:*"), "RedrivePolicy": ""}
    sqs.set_queue_attributes(QueueUrl=url, Attributes=wanted)
    sqs.untag_queue(QueueUrl=url, TagKeys=["sluice:dataset", "b"])
    sqs.tag_queue(QueueUrl=url, Tags={"by": "hand"})
    topic = f"arn:aws:sns:eu-central-1:123456789012:{name}"
    for attribute, value in (("DisplayName", "e"), ("Policy", allows("sns:*"))):
        sns.set_topic_attributes(TopicArn=topic, AttributeName=attribute, AttributeValue=value)
    s3.delete_bucket_tagging(Bucket=name)
    s3.put_public_access_block(
        Bucket=name, PublicAccessBlockConfiguration={"BlockPublicAcls": False, "RestrictPublicBuckets": True}
    )
    s3.delete_bucket_policy(Bucket=name)
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
    s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": [rule]})
    s3.put_object(Bucket=name, Key="plans/a b.json", Body=b"other", ContentType="text/plain")
    iam.update_role(RoleName=name, Description="by hand")
    iam.delete_role_permissions_boundary(RoleName=name)
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=allows("sns:*"))
    arn = f"arn:aws:iam::123456789012:policy/sluice/{name}"
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=allows("s3:*"), SetAsDefault=True)
    iam.detach_role_policy(RoleName=name, PolicyArn=arn)
    kms = admin.client("kms")
    [key] = [one for one in kms.list_aliases()["Aliases"] if one["AliasName"] == f"alias/{name}"]
    kms.disable_key_rotation(KeyId=key["TargetKeyId"])
    kms.delete_alias(AliasName=key["AliasName"])


@pytest.fixture
def grants(postgres: Any, fresh_database: dict[str, Any], unique: str) -> Made:
    """Roles, memberships and grants of every kind in a database of the test's own."""
    with psycopg.connect(**fresh_database) as connection:
        connection.execute("CREATE TABLE t (a integer, b integer); CREATE TABLE u (); CREATE SEQUENCE s")
        connection.execute("CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 1'")
        # A reader is a role of somebody else: a Role of ours would revoke the membership that it does not declare.
        connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(f"{unique}_other")))
    made = Made(postgres)
    made.make("postgresql:index/role:Role", {"name": f"{unique}_w", "login": False})
    made.make(
        "postgresql:index/role:Role",
        {"name": unique, "login": True, "connectionLimit": 3, "roles": [f"{unique}_w"]},
    )
    made.make(
        "postgresql:index/grantRole:GrantRole",
        {"role": f"{unique}_other", "grantRole": f"{unique}_w", "withAdminOption": True},
    )
    base = {"database": fresh_database["dbname"], "role": f"{unique}_w"}
    kinds: list[dict[str, Any]] = [
        {"objectType": "table", "objects": ["t", "u"], "privileges": ["SELECT", "INSERT"]},
        {"objectType": "sequence", "objects": ["s"], "privileges": ["USAGE"]},
        {"objectType": "function", "objects": ["f"], "privileges": ["EXECUTE"]},
        {"objectType": "schema", "privileges": ["USAGE"], "withGrantOption": True},
        {"objectType": "database", "privileges": ["CONNECT"]},
    ]
    for kind in kinds:
        schema = {} if kind["objectType"] == "database" else {"schema": "public"}
        made.make("postgresql:index/grant:Grant", {**base, **schema, **kind})
    column = {"objectType": "column", "objects": ["t"], "columns": ["a"], "privileges": ["UPDATE"]}
    made.make("postgresql:index/grant:Grant", {**base, "schema": "public", **column})
    return made


def test_roles_and_grants_are_read_as_they_were_declared(grants: Made) -> None:
    served = {token for token, handler in HANDLERS.items() if isinstance(handler, Served)}
    assert grants.types() == {token for token in served if token.startswith("postgresql:")}
    for token, _, inputs, outputs in grants.all:
        handler = HANDLERS[token]
        assert isinstance(handler, Served)
        assert outputs.keys() - inputs.keys() == handler.computed - inputs.keys(), token
    assert grants.drift() == {}
    grants.close()
    assert set(grants.drift().values()) == {None}


def test_what_was_done_to_roles_and_grants_by_hand_is_seen(
    grants: Made, fresh_database: dict[str, Any], unique: str
) -> None:
    execute(
        fresh_database,
        unique,
        "ALTER ROLE {r} NOLOGIN CONNECTION LIMIT 4",
        "REVOKE {w} FROM {r}",
        "REVOKE ADMIN OPTION FOR {w} FROM {o}",
        "GRANT DELETE ON u TO {w}",
        "REVOKE ALL ON s FROM {w}",
        "REVOKE GRANT OPTION FOR USAGE ON SCHEMA public FROM {w}",
        "REVOKE UPDATE (a) ON t FROM {w}",
        "DROP FUNCTION f()",
    )
    assert grants.drift() == {
        "Role": {"login": False, "connectionLimit": 4, "roles": []},
        "GrantRole": {"withAdminOption": False},
        "Grant table": {"privileges": ["DELETE", "INSERT", "SELECT"]},
        "Grant sequence": {"privileges": []},
        "Grant function": None,
        "Grant schema": {"withGrantOption": False},
        "Grant column": {"privileges": []},
    }
    execute(fresh_database, unique, "DROP TABLE u", "REVOKE {w} FROM {o}")
    found = grants.drift()
    assert (found["Grant table"], found["GrantRole"]) == (None, None)
    grants.close()
    assert set(grants.drift().values()) == {None}


def execute(database: dict[str, Any], unique: str, *statements: str) -> None:
    ends = (("r", ""), ("w", "_w"), ("o", "_other"))
    names = {key: sql.Identifier(f"{unique}{end}") for key, end in ends}
    with psycopg.connect(**database) as connection:
        for statement in statements:
            connection.execute(sql.SQL(statement).format(**names))


@pytest.mark.parametrize("token", ["aws:iam/role:Role", "aws:iam/policy:Policy", "aws:s3/bucket:Bucket"])
def test_a_name_that_aws_would_refuse_a_second_time_is_refused(aws: Any, unique: str, token: str) -> None:
    inputs = (
        {"name": unique, "assumeRolePolicy": TRUST}
        if token.endswith("Role")
        else {"name": unique, "policy": allows("sqs:*")}
    )
    if token.endswith("Bucket"):
        inputs = {"bucket": unique}
    made = Made(aws)
    made.make(token, inputs)
    with pytest.raises(grpc.RpcError, match=rf"EntityAlreadyExists: .*{unique} is there already"):
        aws.create(token, inputs)
    made.close()


def test_a_postgres_role_is_not_taken_over(
    postgres: Any, fresh_database: dict[str, Any], unique: str
) -> None:
    with psycopg.connect(**fresh_database) as connection:
        connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(unique)))
    with pytest.raises(grpc.RpcError, match=f"{unique} is there already"):
        postgres.create("postgresql:index/role:Role", {"name": unique})


@pytest.mark.parametrize(
    ("token", "inputs"),
    [
        ("aws:iam/role:Role", {"assumeRolePolicy": TRUST}),
        ("aws:iam/policy:Policy", {"policy": allows("sqs:SendMessage")}),
        ("aws:s3/bucket:Bucket", {}),
    ],
)
def test_an_import_knows_what_dependants_need(
    aws: Any, unique: str, token: str, inputs: dict[str, Any]
) -> None:
    """`pulumi import` reads by the id alone; what hangs on a role, policy or bucket asks for its ARN."""
    name = "bucket" if token.endswith("Bucket") else "name"
    identity, outputs = aws.create(token, {name: unique, **inputs})
    _, _, imported = aws.read(token, identity, {}, {})
    handler = HANDLERS[token]
    assert isinstance(handler, Served)
    computed = handler.computed - {"tagsAll"}
    assert {key: imported.get(key) for key in computed} == {key: outputs[key] for key in computed}
