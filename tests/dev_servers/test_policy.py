"""What a policy document says, as a table."""

from __future__ import annotations

from typing import Any

import pytest

from dev.emulator.policy import Decision, Request, decide, matches

QUEUE = "arn:aws:sqs:eu-central-1:123456789012:q"
ROLE = "arn:aws:iam::123456789012:role/r"
ASKED = Request(
    "sqs:SendMessage",
    QUEUE,
    frozenset({f"AWS:{ROLE}"}),
    {"aws:SecureTransport": "true", "aws:PrincipalArn": ROLE},
)


def said(*statements: dict[str, Any]) -> Decision:
    return decide([{"Statement": list(statements)}], ASKED)


def allow(**more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": QUEUE} | more


def deny(**more: Any) -> dict[str, Any]:
    return allow(**more) | {"Effect": "Deny"}


@pytest.mark.parametrize(
    ("statements", "decision"),
    [
        ([], Decision.SILENT),
        ([allow()], Decision.ALLOW),
        ([allow(), deny()], Decision.DENY),
        ([allow(Action="SQS:sendmessage")], Decision.ALLOW),
        ([allow(Action=["sqs:ReceiveMessage", "sqs:Send*"])], Decision.ALLOW),
        ([allow(Action="sqs:Send")], Decision.SILENT),
        ([allow(Resource=QUEUE + "x")], Decision.SILENT),
        ([allow(Resource="arn:aws:sqs:*:*:?")], Decision.ALLOW),
        ([allow(Resource=QUEUE.replace(":q", ":."))], Decision.SILENT),
        ([{"Effect": "Allow", "NotAction": "sqs:ReceiveMessage", "Resource": "*"}], Decision.ALLOW),
        ([{"Effect": "Allow", "Action": "*", "NotResource": QUEUE}], Decision.SILENT),
        ([{"Effect": "Allow", "Action": "*"}], Decision.SILENT),
        ([{"Effect": "Deny", "Action": "*"}], Decision.DENY),
        ([allow(Principal="*")], Decision.ALLOW),
        ([allow(Principal={"AWS": [ROLE]})], Decision.ALLOW),
        ([allow(Principal={"AWS": ROLE + "x"})], Decision.SILENT),
        ([allow(Principal={"Service": "sns.amazonaws.com"})], Decision.SILENT),
        ([allow(NotPrincipal={"AWS": "x"})], Decision.SILENT),
        ([deny(NotPrincipal={"AWS": "x"})], Decision.DENY),
        ([allow(Condition={"Bool": {"aws:SecureTransport": "true"}})], Decision.ALLOW),
        ([deny(Condition={"Bool": {"aws:SecureTransport": "false"}})], Decision.SILENT),
        ([allow(Condition={"ArnEquals": {"AWS:principalarn": [ROLE, "x"]}})], Decision.ALLOW),
        ([allow(Condition={"StringEquals": {"aws:SourceVpc": "v"}})], Decision.SILENT),
        ([allow(Condition={"StringEqualsIfExists": {"aws:SourceVpc": "v"}})], Decision.ALLOW),
        ([allow(Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})], Decision.SILENT),
        ([deny(Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})], Decision.DENY),
    ],
)
def test_a_document_says(statements: list[dict[str, Any]], decision: Decision) -> None:
    assert said(*statements) is decision


def test_a_lone_statement_needs_no_list() -> None:
    assert decide([{"Statement": allow()}], ASKED) is Decision.ALLOW


def test_wildcards_cover_the_whole_value() -> None:
    assert matches("a*c", "abbc")
    assert not matches("a*c", "abbcd")
    assert not matches("a.c", "abc")
    assert matches("a?c", "abc")
