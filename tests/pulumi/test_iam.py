"""Who may do what: documents are exact, deterministic, and grow no wildcard."""

from __future__ import annotations

import json
from typing import Any

import pytest

from compiler import names
from compiler.emit import iam, queues
from compiler.emit.arns import Arns

ARNS = Arns("eu-central-1", "123456789012")
SECRET = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:dev_alert_events_sink_login-AbCdEf"
SINK: dict[str, Any] = {
    "buffer": ARNS.queue("dev_alert_events_buffer"),
    "dead_letter": ARNS.queue("dev_alert_events_dlq"),
    "topic": ARNS.topic("dev_alert_events_commits"),
    "plans": f"{ARNS.bucket('plans')}/plans/alert_events/*",
    "login": iam.read_login(SECRET),
}


def rights(document: iam.Document) -> set[tuple[str, str]]:
    """(action, resource) of every Allow statement."""
    return {
        (action, resource)
        for statement in document["Statement"]
        if statement["Effect"] == "Allow"
        for action in statement["Action"]
        for resource in statement["Resource"]
    }


def test_a_producer_may_send_to_its_buffers_and_nothing_else():
    arns = [ARNS.queue("b"), ARNS.queue("a"), ARNS.queue("b")]
    [document] = iam.producer_policies(arns)
    assert rights(document) == {("sqs:SendMessage", ARNS.queue("a")), ("sqs:SendMessage", ARNS.queue("b"))}


def test_a_producer_of_many_datasets_has_several_policies_each_within_iams_size():
    arns = [ARNS.queue(f"{'p' * 16}_{'d' * 44}{number:04d}_buffer") for number in range(200)]
    documents = iam.producer_policies(reversed(arns))
    assert len(documents) > 1
    assert all(len(iam.text(document)) <= iam.MANAGED_POLICY_CHARACTERS for document in documents)
    sent = [resource for document in documents for _, resource in sorted(rights(document))]
    assert sent == arns, "every queue once, in order"


def test_a_sink_has_exactly_its_own_rights():
    assert rights(iam.sink_policy(**SINK)) == {
        ("sqs:ReceiveMessage", SINK["buffer"]),
        ("sqs:DeleteMessage", SINK["buffer"]),
        ("sqs:ChangeMessageVisibility", SINK["buffer"]),
        ("sqs:GetQueueAttributes", SINK["buffer"]),
        ("sqs:SendMessage", SINK["dead_letter"]),
        ("sns:Publish", SINK["topic"]),
        ("s3:GetObject", SINK["plans"]),
        ("secretsmanager:GetSecretValue", SECRET),
    }


def test_a_sink_with_iam_authentication_connects_as_its_one_user():
    user = ARNS.database_user("db-ABC", "dev_alert_events_sink")
    found = rights(iam.sink_policy(**{**SINK, "login": iam.connect(user)}))
    assert {one for one in found if one[0].startswith(("rds-db:", "secretsmanager:"))} == {
        ("rds-db:connect", "arn:aws:rds-db:eu-central-1:123456789012:dbuser:db-ABC/dev_alert_events_sink")
    }


KEY = ARNS.key("1" * 36)
USES = {("kms:Decrypt", KEY), ("kms:GenerateDataKey", KEY)}


@pytest.mark.parametrize(
    ("documents", "plain"),
    [
        (iam.producer_policies([ARNS.queue("a")], KEY), iam.producer_policies([ARNS.queue("a")])),
        (iam.operator_policies([ARNS.queue("a")], KEY), iam.operator_policies([ARNS.queue("a")])),
        ((iam.sink_policy(**SINK, key=KEY),), (iam.sink_policy(**SINK),)),
    ],
)
def test_a_key_of_the_stacks_own_is_used_by_whoever_sends_or_receives(documents, plain):
    [with_key], [without] = documents, plain
    assert rights(with_key) - rights(without) == USES


def test_a_keys_use_goes_through_sqs_and_its_policy_names_roles_of_others():
    role = "arn:aws:iam::210987654321:role/monitor"
    administer, own, other = iam.key_policy(ARNS, [role])["Statement"]
    assert "Condition" not in administer
    assert not {"kms:Decrypt", "kms:GenerateDataKey", "kms:*"} & set(administer["Action"])
    through = {"kms:ViaService": "sqs.eu-central-1.amazonaws.com"}
    assert own["Condition"] == {"StringEquals": {**through, "kms:CallerAccount": "123456789012"}}
    assert own["Action"] == other["Action"] == ["kms:Decrypt", "kms:GenerateDataKey"]
    assert other["Principal"] == {"AWS": "arn:aws:iam::210987654321:root"}
    assert other["Condition"] == {"ArnEquals": {"aws:PrincipalArn": [role]}, "StringEquals": through}


def test_a_sink_that_publishes_nothing_may_publish_nothing():
    document = iam.sink_policy(**{**SINK, "topic": None})
    assert not any(action.startswith("sns:") for action, _ in rights(document))


@pytest.mark.parametrize("document", [iam.sink_policy(**SINK), *iam.producer_policies([ARNS.queue("a")])])
def test_no_allowed_action_is_a_wildcard_and_the_only_open_resource_is_the_datasets_own_plans(document):
    assert not any("*" in action for action, _ in rights(document))
    assert {resource for _, resource in rights(document) if "*" in resource} <= {SINK["plans"]}


def test_only_tasks_of_this_account_and_region_take_the_sinks_role():
    [statement] = iam.sink_trust(ARNS)["Statement"]
    assert statement["Principal"] == {"Service": "ecs-tasks.amazonaws.com"}
    assert statement["Condition"] == {
        "StringEquals": {"aws:SourceAccount": "123456789012"},
        "ArnLike": {"aws:SourceArn": "arn:aws:ecs:eu-central-1:123456789012:*"},
    }


@pytest.mark.parametrize(
    ("document", "resources"),
    [
        (iam.queue_policy(ARNS, "q"), ["q"]),
        (iam.tls_only_topic_policy("t"), ["t"]),
        (iam.tls_only_bucket_policy("b"), ["b", "b/*"]),
    ],
)
def test_without_tls_everybody_is_denied(document, resources):
    [statement] = document["Statement"]
    assert (statement["Effect"], statement["Principal"], statement["Resource"]) == ("Deny", "*", resources)
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_roles_of_other_accounts_are_admitted_one_statement_an_account():
    one, two, three = (
        f"arn:aws:iam::{account}:role/{name}" for account, name in [("2", "a"), ("1", "b"), ("2", "c")]
    )
    *admitted, deny = iam.queue_policy(ARNS, "q", [three, one, two, one])["Statement"]
    assert [(each["Principal"], each["Condition"]) for each in admitted] == [
        ({"AWS": "arn:aws:iam::1:root"}, {"ArnEquals": {"aws:PrincipalArn": [two]}}),
        ({"AWS": "arn:aws:iam::2:root"}, {"ArnEquals": {"aws:PrincipalArn": [one, three]}}),
    ]
    assert all((each["Action"], each["Resource"]) == (["sqs:SendMessage"], ["q"]) for each in admitted)
    assert deny["Effect"] == "Deny"


def test_an_operator_tends_the_queues_and_nothing_else():
    [document] = iam.operator_policies([ARNS.queue("b"), ARNS.queue("a")])
    actions = (
        "ChangeMessageVisibility",
        "DeleteMessage",
        "GetQueueAttributes",
        "ReceiveMessage",
        "SendMessage",
    )
    assert rights(document) == {(f"sqs:{action}", ARNS.queue(name)) for action in actions for name in "ab"}


def test_only_the_bound_role_takes_the_operators():
    role = "arn:aws:iam::210987654321:role/on-call"
    [statement] = iam.operator_trust(ARNS, role)["Statement"]
    assert statement["Principal"] == {"AWS": "arn:aws:iam::210987654321:root"}
    assert statement["Condition"] == {"ArnEquals": {"aws:PrincipalArn": role}}


def test_a_topics_policy_names_its_actions_since_sns_takes_no_wildcard():
    assert "*" not in iam.text(iam.tls_only_topic_policy("t")).replace('"Principal":"*"', "")


@pytest.mark.parametrize(
    ("region", "partition"),
    [("eu-central-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")],
)
def test_arns_carry_the_regions_partition(region, partition):
    assert Arns(region, "1").queue("q") == f"arn:{partition}:sqs:{region}:1:q"


def test_a_wrapped_record_still_fits_into_the_dead_letter_queue():
    assert queues.BUFFER_MESSAGE_BYTES == 1_040_384
    assert queues.DEAD_LETTER_MESSAGE_BYTES == 1_048_576
    assert json.dumps(queues.redrive("d", 10)) == '{"deadLetterTargetArn": "d", "maxReceiveCount": 10}'


LONGEST = ("p" * 16, "d" * 48)


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        (names.writer_role(*LONGEST), 63),
        (names.reader_role(*LONGEST), 63),
        (names.sink_login(*LONGEST), 63),
        (names.buffer_queue(*LONGEST), 80),
        (names.dead_letter_queue(*LONGEST), 80),
        (names.topic(*LONGEST), 256),
        (names.sink_iam_role(*LONGEST, "ap-southeast-1"), 64),
        (names.producer_policy("p" * 16, "n" * 63, "ap-southeast-1", 10), 128),
        (names.operator_role("p" * 16), 63),
        (names.operator_iam_role("p" * 16, "ap-southeast-1"), 64),
        (names.plan_bucket("p" * 16, "1" * 12, "ap-southeast-1"), 63),
    ],
)
def test_the_longest_names_fit(name, limit):
    assert len(name) <= limit


def test_the_longest_names_stay_apart():
    other = ("p" * 16, "d" * 47 + "e")
    makers = (
        names.writer_role,
        names.reader_role,
        names.sink_login,
        names.buffer_queue,
        names.dead_letter_queue,
    )
    made = {make(*which) for make in makers for which in (LONGEST, other)}
    assert len(made) == 2 * len(makers)


def test_regions_of_one_area_have_different_codes():
    regions = "ap-south-1 ap-southeast-1 ap-northeast-1 ap-east-1 eu-west-1 eu-central-1 us-gov-west-1 us-west-1 me-central-1"
    assert [names.region_code(region) for region in regions.split()] == [
        "aps1", "apse1", "apne1", "ape1", "euw1", "euc1", "usgw1", "usw1", "mec1",
    ]  # fmt: skip
