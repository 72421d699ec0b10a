"""The emitted policies under enforcement: each principal does what is listed, and is refused everything else."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import pytest
from botocore.exceptions import ClientError

from compiler.emit import iam
from compiler.emit.arns import Arns
from dev.emulator.client import EmulatorSession, process_environment
from dev.emulator.credentials import Grant
from dev.emulator.state import EmulatorState

Call = Callable[[], object]

ACCOUNT, REGION = "123456789012", "eu-central-1"


class World:
    """Two datasets' queues, topics, plans and secrets, made by the administrator."""

    def __init__(self, admin: EmulatorSession, unique: str) -> None:
        self.arns = Arns(REGION, ACCOUNT)
        self.bucket = f"{unique}-plans"
        self.s3, self.sqs = admin.client("s3"), admin.client("sqs")
        self.s3.create_bucket(Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        sns, secrets = admin.client("sns"), admin.client("secretsmanager")
        self.urls: dict[tuple[str, str], str] = {}
        self.secrets: dict[str, str] = {}
        for name in ("mine", "other"):
            for kind in ("buffer", "dlq"):
                self.urls[name, kind] = self.sqs.create_queue(QueueName=f"{unique}_{name}_{kind}")["QueueUrl"]
            sns.create_topic(Name=f"{unique}_{name}")
            self.s3.put_object(Bucket=self.bucket, Key=f"plans/{name}/p.json", Body=b"{}")
            made = secrets.create_secret(Name=f"{unique}_{name}", SecretString="{}")
            self.secrets[name] = made["ARN"]
        self.unique = unique

    def queue(self, name: str, kind: str) -> str:
        return self.arns.queue(f"{self.unique}_{name}_{kind}")

    def topic(self, name: str) -> str:
        return self.arns.topic(f"{self.unique}_{name}")

    def handle(self) -> str:
        """A receipt handle of a message in the sink's own buffer."""
        self.sqs.send_message(QueueUrl=self.urls["mine", "buffer"], MessageBody="{}")
        [message] = self.sqs.receive_message(QueueUrl=self.urls["mine", "buffer"])["Messages"]
        return str(message["ReceiptHandle"])

    def calls(self, session: EmulatorSession, name: str) -> dict[str, Call]:
        """Every call that a principal could try on one dataset's things."""
        sqs, sns = session.client("sqs"), session.client("sns")
        s3, secrets = session.client("s3"), session.client("secretsmanager")
        plan = {"Bucket": self.bucket, "Key": f"plans/{name}/p.json"}
        secret = {"SecretId": self.secrets[name]}
        found: dict[str, Call] = {
            "publish": partial(sns.publish, TopicArn=self.topic(name), Message="{}"),
            "read plan": partial(s3.get_object, **plan),
            "write plan": partial(s3.put_object, **plan, Body=b""),
            "read secret": partial(secrets.get_secret_value, **secret),
            "write secret": partial(secrets.put_secret_value, **secret, SecretString="{}"),
        }
        for kind in ("buffer", "dlq"):
            queue = {"QueueUrl": self.urls[name, kind]}
            entries = [{"Id": "1", "MessageBody": "{}"}]
            found |= {
                f"send {kind}": partial(sqs.send_message, **queue, MessageBody="{}"),
                f"send batch {kind}": partial(sqs.send_message_batch, **queue, Entries=entries),
                f"receive {kind}": partial(sqs.receive_message, **queue, WaitTimeSeconds=0),
                f"attributes {kind}": partial(sqs.get_queue_attributes, **queue, AttributeNames=["All"]),
                f"set {kind}": partial(sqs.set_queue_attributes, **queue, Attributes={"DelaySeconds": "1"}),
                f"purge {kind}": partial(sqs.purge_queue, **queue),
                f"remove {kind}": partial(sqs.delete_queue, **queue),
            }
        return found


@pytest.fixture
def world(admin: EmulatorSession, unique: str) -> World:
    return World(admin, unique)


def allowed(calls: Mapping[str, Call]) -> set[str]:
    """The calls that are not denied."""
    done = set()
    for what, call in calls.items():
        try:
            call()
        except ClientError as error:
            if "AccessDenied" not in error.response["Error"]["Code"]:
                raise
        else:
            done.add(what)
    return done


def test_a_producer_sends_to_its_buffer_and_is_refused_all_else(world, make_role, session_as):
    [document] = iam.producer_policies([world.queue("mine", "buffer")])
    session = session_as(make_role(*document["Statement"]))
    assert allowed(world.calls(session, "mine")) == {"send buffer", "send batch buffer"}
    assert allowed(world.calls(session, "other")) == set()


def test_a_sink_has_its_own_datasets_rights_and_no_other(world, make_role, session_as):
    document = iam.sink_policy(
        buffer=world.queue("mine", "buffer"),
        dead_letter=world.queue("mine", "dlq"),
        topic=world.topic("mine"),
        plans=f"{world.arns.bucket(world.bucket)}/plans/mine/*",
        login=iam.read_login(world.secrets["mine"]),
    )
    session = session_as(make_role(*document["Statement"]))
    handle, url = world.handle(), world.urls["mine", "buffer"]
    sqs = session.client("sqs")
    receipt = {"QueueUrl": url, "ReceiptHandle": handle}
    mine = {
        **world.calls(session, "mine"),
        "extend": partial(sqs.change_message_visibility, **receipt, VisibilityTimeout=9),
        "delete": partial(sqs.delete_message, **receipt),
    }
    assert allowed(mine) == {
        "receive buffer", "attributes buffer", "extend", "delete",
        "send dlq", "send batch dlq",
        "publish", "read plan", "read secret",
    }  # fmt: skip
    assert allowed(world.calls(session, "other")) == set()


@pytest.mark.parametrize(("account", "admitted"), [(ACCOUNT, True), ("210987654321", False)])
def test_only_tasks_of_the_account_get_the_sinks_credentials(
    account, admitted, emulator: EmulatorState, emulator_paths, admin: EmulatorSession, unique
):
    name = f"{unique}-sink"
    trust = iam.text(iam.sink_trust(Arns(REGION, account)))
    role = admin.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]
    assert json.loads(trust)["Statement"][0]["Condition"]["StringEquals"] == {"aws:SourceAccount": account}
    environment = process_environment(emulator_paths, emulator, Grant(role["Arn"], "test"))
    assert fetches_credentials(environment) is admitted


def fetches_credentials(environment: Any) -> bool:
    """Whether the address in a process's environment gives it credentials, as its SDK would ask."""
    token = Path(environment["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"]).read_text()
    request = Request(environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"], headers={"Authorization": token})
    try:
        with build_opener(ProxyHandler({})).open(request) as answer:
            return "SecretAccessKey" in json.load(answer)
    except HTTPError as error:
        if error.code != 403:
            raise
        return False
