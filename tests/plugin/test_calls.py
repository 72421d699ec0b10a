"""The provider's own part of the protocol: previews, differences, refusals, and its end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import grpc
import psutil
import pytest
from pulumi.runtime.proto import provider_pb2

from dev.plugin.properties import plain, struct
from dev.resources.wire import UNKNOWN
from tests.plugin.conftest import running

QUEUE, ROLE, POLICY = "aws:sqs/queue:Queue", "aws:iam/role:Role", "aws:iam/rolePolicy:RolePolicy"
KIND = provider_pb2.PropertyDiff


def test_a_preview_of_a_new_resource_touches_nothing_and_knows_no_computed_output(aws, admin, unique):
    inputs = {"name": unique, "visibilityTimeoutSeconds": 60}
    identity, outputs = aws.create(QUEUE, inputs, preview=True)
    assert identity == ""
    assert outputs == {**inputs, "arn": UNKNOWN, "url": UNKNOWN, "tagsAll": UNKNOWN, "region": UNKNOWN}
    sqs = admin.client("sqs")
    with pytest.raises(sqs.exceptions.QueueDoesNotExist):
        sqs.get_queue_url(QueueName=unique)


def test_a_preview_of_a_change_touches_nothing_and_keeps_computed_outputs(aws, admin, unique):
    inputs = {"name": unique, "visibilityTimeoutSeconds": 60, "delaySeconds": 1}
    url, outputs = aws.create(QUEUE, inputs)
    new = {"name": unique, "visibilityTimeoutSeconds": 90}
    previewed = aws.update(QUEUE, url, (inputs, outputs), new, preview=True)
    assert previewed == {**new, **{key: outputs[key] for key in ("arn", "url", "tagsAll", "region")}}
    sqs = admin.client("sqs")
    asked = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])["Attributes"]
    assert asked == {"VisibilityTimeout": "60"}
    aws.update(QUEUE, url, (inputs, outputs), new)
    asked = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout", "DelaySeconds"])
    assert asked["Attributes"] == {"VisibilityTimeout": "90", "DelaySeconds": "0"}


def test_what_nothing_carries_out_is_refused_by_name(aws):
    [failure] = aws.check(QUEUE, {"name": "q", "fifoQueue": True}).failures
    assert "no handler for property fifoQueue" in failure.reason
    answer = aws.stub.CheckConfig(
        provider_pb2.CheckRequest(
            urn="urn:pulumi:s::p::pulumi:providers:aws::aws", news={"s3UsePathStyle": "true"}
        )
    )
    assert "s3UsePathStyle" in answer.failures[0].reason


def test_the_engines_own_settings_of_a_provider_are_handed_back(aws):
    news = {"region": "eu-central-1", "version": "7.51.1", "pluginDownloadURL": "https://example.org"}
    answer = aws.stub.CheckConfig(
        provider_pb2.CheckRequest(urn="urn:pulumi:s::p::pulumi:providers:aws::aws", news=struct(news))
    )
    assert not answer.failures
    assert plain(answer.inputs) == news


def test_a_type_of_nobody_and_one_of_another_provider_are_refused(aws):
    for token in ("aws:ec2/instance:Instance", "postgresql:index/role:Role"):
        with pytest.raises(grpc.RpcError, match=token):
            aws.check(token, {})


def test_a_difference_says_what_kind_it_is_for_each_property(aws):
    old = {"name": "q", "delaySeconds": 1, "visibilityTimeoutSeconds": 30}
    answer = aws.diff(QUEUE, old, {"name": "q", "visibilityTimeoutSeconds": 60, "tags": {"a": "b"}})
    kinds = {key: one.kind for key, one in answer.detailedDiff.items()}
    assert kinds == {"delaySeconds": KIND.DELETE, "tags": KIND.ADD, "visibilityTimeoutSeconds": KIND.UPDATE}
    assert answer.changes == provider_pb2.DiffResponse.DIFF_SOME
    assert list(answer.replaces) == []


def test_another_name_is_another_resource_made_before_the_old_one_goes(aws):
    answer = aws.diff(QUEUE, {"name": "q"}, {"name": "r"})
    assert list(answer.replaces) == ["name"]
    assert answer.detailedDiff["name"].kind == KIND.UPDATE_REPLACE
    assert not answer.deleteBeforeReplace


def test_a_replacement_of_the_same_name_is_made_when_the_old_one_is_gone(aws):
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    old = {"name": "r", "path": "/a/", "assumeRolePolicy": trust}
    answer = aws.diff(ROLE, old, {**old, "path": "/b/"})
    assert list(answer.replaces) == ["path"]
    assert answer.deleteBeforeReplace


def test_documents_are_compared_as_json_and_lists_of_members_without_their_order(aws, postgres):
    old = {"name": "p", "role": "r", "policy": '{"Version": "2012-10-17", "Statement": []}'}
    spaced = {**old, "policy": '{"Statement":[],"Version":"2012-10-17"}'}
    assert aws.diff(POLICY, old, spaced).changes == provider_pb2.DiffResponse.DIFF_NONE
    other = {**old, "policy": '{"Version": "2012-10-17", "Statement": [1]}'}
    assert aws.diff(POLICY, old, other).changes == provider_pb2.DiffResponse.DIFF_SOME
    token = "postgresql:index/role:Role"
    answer = postgres.diff(token, {"name": "r", "roles": ["a", "b"]}, {"name": "r", "roles": ["b", "a"]})
    assert answer.changes == provider_pb2.DiffResponse.DIFF_NONE


def test_an_ignored_change_is_none(aws):
    old, new = {"name": "q", "delaySeconds": 1}, {"name": "q", "delaySeconds": 2}
    assert aws.diff(QUEUE, old, new).changes == provider_pb2.DiffResponse.DIFF_SOME
    assert aws.diff(QUEUE, old, new, ("delaySeconds",)).changes == provider_pb2.DiffResponse.DIFF_NONE


def test_an_unknown_document_is_a_change(aws):
    old = {"name": "p", "role": "r", "policy": "{}"}
    assert list(aws.diff(POLICY, old, {**old, "policy": UNKNOWN}).diffs) == ["policy"]


def test_a_service_that_refuses_says_why(aws, unique):
    with pytest.raises(grpc.RpcError, match="NoSuchEntity"):
        aws.create(POLICY, {"name": "p", "role": unique, "policy": "{}"})


def test_only_an_emulator_of_this_machine_is_worked_on(aws_environment):
    with running(
        "aws", {**aws_environment, "AWS_ENDPOINT_URL": "https://sqs.eu-central-1.amazonaws.com"}
    ) as far:
        with pytest.raises(grpc.RpcError, match="emulator of this machine only"):
            far.configure(region="eu-central-1")
        with pytest.raises(grpc.RpcError, match="not configured"):
            far.create(QUEUE, {"name": "q"})


def test_an_account_that_is_not_allowed_is_refused(aws_environment):
    with running("aws", aws_environment) as provider, pytest.raises(grpc.RpcError, match="999999999999"):
        provider.configure(region="eu-central-1", allowedAccountIds='["999999999999"]')


def test_credentials_come_from_the_environment_only():
    with running("postgresql", {"PGUSER": "u"}) as provider, pytest.raises(grpc.RpcError, match="PGPASSWORD"):
        provider.configure(host="127.0.0.1", port="1", database="d")
    with running("postgresql", {"PGUSER": "u", "PGPASSWORD": "p"}) as provider:
        request = provider_pb2.CheckRequest(urn="urn:pulumi:s::p::pulumi:providers:postgresql::pg")
        request.news.update({"password": "p"})
        assert "password" in provider.stub.CheckConfig(request).failures[0].reason


def test_it_ends_with_the_process_that_started_it(aws_environment):
    start = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-m', 'dev.plugin', 'aws'], stdout=subprocess.PIPE)\n"
        "child.stdout.readline()\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", start], env=os.environ | aws_environment, stdout=subprocess.PIPE, text=True
    ) as engine:
        plugin = psutil.Process(int(engine.stdout.readline()))
        engine.kill()
    deadline = time.monotonic() + 30
    while plugin.is_running() and plugin.status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not plugin.is_running() or plugin.status() == psutil.STATUS_ZOMBIE
