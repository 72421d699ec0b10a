"""The stack's configuration: what is right is complete, and each thing that is wrong is said with its place."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from compiler.stack import KEYS, Principal, load_stack
from compiler.stack.shape import schema
from tests.pulumi.recording import EMBEDDED
from tests.support.datasets import alert_events

ROOT = Path(__file__).resolve().parents[2]
DIGITS = "123456789012"

GOOD: dict[str, Any] = {
    "environment": "dev",
    "prefix": "dev",
    "region": "eu-central-1",
    "allowed_account_ids": [DIGITS],
    "datasets": ["alert_*"],
    "principals": {
        "monitor": {"aws": f"arn:aws:iam::{DIGITS}:role/jobs/monitor"},
        "analytics": {"postgres": "analytics"},
    },
    "database": {"host": "db.internal", "name": "events", "admin": "env:SLUICE_ADMIN"},
}


def write(folder: Path, values: dict[str, Any], stack: str = "dev") -> Path:
    path = folder / f"Pulumi.{stack}.yaml"
    path.write_text(yaml.safe_dump({"config": {f"sluice:{key}": value for key, value in values.items()}}))
    return path


def changed(*path: str, to: Any) -> dict[str, Any]:
    """GOOD with one value replaced, or removed where `to` is `...`."""
    values: dict[str, Any] = json.loads(json.dumps(GOOD))
    place = values
    for key in path[:-1]:
        place = place[key]
    if to is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return values


def texts(folder: Path, values: dict[str, Any], stack: str = "dev") -> list[str]:
    return [str(problem) for problem in load_stack(write(folder, values, stack)).problems]


def test_a_good_file_is_complete_with_its_defaults(tmp_path):
    stack = load_stack(write(tmp_path, GOOD)).require()
    assert (stack.name, stack.environment, stack.account) == ("dev", "dev", DIGITS)
    assert (stack.database.port, stack.database.sslmode, stack.database.superuser) == (
        5432,
        "verify-full",
        False,
    )
    assert stack.database.pooler == "none"
    assert stack.protect is True
    assert stack.permissions_boundary is None
    assert stack.bind("monitor") == Principal(f"arn:aws:iam::{DIGITS}:role/jobs/monitor", None)
    assert stack.principal("monitor").aws_role_name == "monitor"
    assert stack.bind("nobody") is None
    assert stack.selects("alert_events")
    assert not stack.selects("monitoring_events")


# (what is wrong, the values, what the one message holds)
WRONG = [
    ("unknown key", changed("regoin", to="x"), 'sluice:regoin"]: no such key "regoin". Did you mean "region"?'),
    ("unknown nested key", changed("database", "hots", to="x"), 'no such key "hots". Did you mean "host"?'),
    ("missing key", changed("region", to=...), '$.config: "sluice:region" is missing. Add it: the AWS region'),
    ("missing nested key", changed("database", "admin", to=...), '"admin" is missing.'),
    ("account as a number", changed("allowed_account_ids", to=[123456789012]), "in quotes because YAML"),
    ("two accounts", changed("allowed_account_ids", to=[DIGITS, "210987654321"]), "at most 1"),
    ("long prefix", changed("prefix", to="a" * 17), "1 to 16 lower-case letters"),
    ("no region", changed("region", to="Frankfurt"), 'a region such as "eu-central-1"'),
    ("port as text", changed("database", "port", to="5432"), '"5432" is not a whole number.'),
    ("port too large", changed("database", "port", to=70000), "70000 is not at most 65535."),
    ("principal without anything", changed("principals", "monitor", to={}), "at least 1"),
    ("user instead of role", changed("principals", "monitor", to={"aws": f"arn:aws:iam::{DIGITS}:user/x"}), "ARN of an IAM role"),
    ("IAM authentication", changed("database", "auth", to="iam"), "IAM authentication is not supported yet."),
    ("referenced foundation", changed("foundation", to="org/shared/prod"), "a referenced foundation is not supported yet."),
    ("operator as text", changed("operator", to="x"), '"x" is not a mapping.'),
    ("operator without Postgres", changed("operator", to={"aws": f"arn:aws:iam::{DIGITS}:role/x"}), '"postgres" is missing.'),
    ("operator as a user", changed("operator", to={"aws": f"arn:aws:iam::{DIGITS}:user/x", "postgres": "x"}), "ARN of an IAM role"),
    ("network", changed("network", to={"subnets": []}), '"network" is not supported yet:'),
    ("cluster", changed("cluster", to="x"), '"cluster" is not supported yet:'),
    ("image", changed("image", to="x"), '"image" is not supported yet:'),
    ("alarm topics", changed("alarm_topics", to={}), '"alarm_topics" is not supported yet:'),
    ("overrides", changed("overrides", to={"sink": {}}), '"overrides" is not supported yet: an environment cannot override sink'),
    ("resource id", changed("database", "resource_id", to="db-1"), '"resource_id" is not supported yet:'),
    ("everyone", changed("principals", "*", to={"postgres": "{name}"}), 'only the stack "embedded" may bind "*"'),
    ("placeholder", changed("principals", "analytics", "postgres", to="{name}"), 'only the entry "*" may'),
    ("no TLS", changed("database", "sslmode", to="disable"), 'connections without TLS are for the stack "embedded" only.'),
    ("pooler", changed("database", "pooler", to="session"), '"session" is not'),
    ("sslmode", changed("database", "sslmode", to="verify_full"), 'Did you mean "verify-full"?'),
]  # fmt: skip


@pytest.mark.parametrize(
    ("values", "expected"), [(v, e) for _, v, e in WRONG], ids=[what for what, _, _ in WRONG]
)
def test_a_wrong_file_is_refused_with_one_message(tmp_path, values, expected):
    found = texts(tmp_path, values)
    assert len(found) == 1, found
    assert expected in found[0]
    assert found[0].startswith("Pulumi.dev.yaml:"), "the message names line and column"


def test_every_problem_is_said_at_once_in_order_of_place(tmp_path):
    path = tmp_path / "Pulumi.dev.yaml"
    path.write_text(
        "config:\n"
        "  sluice:environment: dev\n"
        "  sluice:prefix: Dev\n"
        "  sluice:database: {host: db, name: events, admin: env:X, port: no}\n"
        "  sluice:image: x\n"
    )
    found = [str(problem) for problem in load_stack(path).problems]
    assert [line.split(" ")[0] for line in found] == [
        "Pulumi.dev.yaml:1:1",  # three keys are missing below config
        "Pulumi.dev.yaml:1:1",
        "Pulumi.dev.yaml:1:1",
        "Pulumi.dev.yaml:3:3",
        "Pulumi.dev.yaml:4:59",
        "Pulumi.dev.yaml:5:3",
    ]


def test_a_connection_string_in_the_place_of_its_name_is_not_repeated(tmp_path):
    [found] = texts(tmp_path, changed("database", "admin", to="postgresql://me:hunter2@db/events"))
    assert "hunter2" not in found
    assert 'is not "env:NAME" or the ARN of a secret' in found


def test_keys_of_default_providers_are_refused_since_nothing_would_read_them(tmp_path):
    path = write(tmp_path, GOOD)
    path.write_text(path.read_text() + "  aws:region: us-east-1\n  pulumi:tags: {a: b}\n")
    [found] = [str(problem) for problem in load_stack(path).problems]
    assert '$.config["aws:region"]: "aws:region" configures a default provider' in found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("config: [", "this is not YAML"),
        ("config:\n  sluice:prefix: a\n  sluice:prefix: b\n", 'the key "sluice:prefix" stands twice'),
        (None, "there is no such file"),
    ],
)
def test_an_unreadable_file(tmp_path, text, expected):
    path = tmp_path / "Pulumi.dev.yaml"
    if text is not None:
        path.write_text(text)
    [problem] = load_stack(path).problems
    assert expected in str(problem)


def test_the_engines_values_count_more_than_the_files(tmp_path):
    path = write(tmp_path, GOOD)
    database = {**GOOD["database"], "port": 6000}
    configured = {"database": json.dumps(database), "protect": "false", "environment": "other"}
    stack = load_stack(path, configured).require()
    assert (stack.database.port, stack.protect, stack.environment) == (6000, False, "other")


def test_the_engines_values_alone_are_enough():
    configured = {key: value if isinstance(value, str) else json.dumps(value) for key, value in GOOD.items()}
    assert load_stack(Path("/nowhere/Pulumi.dev.yaml"), configured).require().prefix == "dev"


def test_unbound_producers_and_readers_are_named_with_their_dataset(tmp_path):
    dataset = alert_events(producers=("monitr", "analytics"), readers=("monitor", "analytics"))
    loaded = load_stack(write(tmp_path, GOOD))
    found = sorted(f"{problem.message} {problem.fix}" for problem in loaded.serves([dataset]))
    assert found == [
        'producer "analytics" of dataset alert_events is bound to no IAM role. Add aws: <ARN of an IAM role> to the entry.',
        'producer "monitr" of dataset alert_events is bound to no IAM role. Did you mean "monitor"?',
        'reader "monitor" of dataset alert_events is bound to no Postgres role. Add postgres: <role> to the entry.',
    ]


def test_a_dataset_that_is_not_selected_needs_no_principals(tmp_path):
    loaded = load_stack(write(tmp_path, GOOD))
    assert loaded.serves([alert_events(producers=("monitor",), readers=()), alert_events(name="other")]) == ()


def test_a_pattern_that_names_no_dataset(tmp_path):
    loaded = load_stack(write(tmp_path, changed("datasets", to=["alert_event"])))
    [found] = loaded.serves([alert_events()])
    assert 'no dataset is named "alert_event". Did you mean "alert_events"?' in str(found)


def test_a_reader_may_not_be_a_role_of_the_stack(tmp_path):
    loaded = load_stack(
        write(tmp_path, changed("principals", "analytics", "postgres", to="dev_alert_events_w"))
    )
    [found] = loaded.serves([alert_events(producers=(), readers=("analytics",))])
    assert "a role that the stack itself makes" in str(found)


def test_an_operator_may_not_be_a_role_of_the_stack(tmp_path):
    operator = {"aws": f"arn:aws:iam::{DIGITS}:role/x", "postgres": "dev_operator"}
    [found] = load_stack(write(tmp_path, changed("operator", to=operator))).serves([alert_events()])
    assert "a role that the stack itself makes" in str(found)


def test_the_embedded_stack_needs_its_database_from_outside():
    path = ROOT / "Pulumi.embedded.yaml"
    [missing] = load_stack(path).problems
    assert '"sluice:database" is missing' in str(missing)
    stack = load_stack(path, EMBEDDED).require()
    assert stack.bind("anyone") == Principal(f"arn:aws:iam::{DIGITS}:role/anyone", "anyone")
    assert stack.protect is False


def test_a_named_principal_wins_over_everyone():
    stack = load_stack(ROOT / "Pulumi.embedded.yaml", EMBEDDED).require()
    named = replace(stack, principals=(("*", Principal("a/{name}", "{name}")), ("x", Principal("b", None))))
    assert named.bind("x") == Principal("b", None)
    assert named.bind("y") == Principal("a/y", "y")


def test_the_schema_is_valid_and_explains_every_key():
    jsonschema.Draft202012Validator.check_schema(schema())
    assert set(KEYS) >= set(GOOD)
    unexplained = [
        key for key, about in schema()["properties"].items() if not about["description"].endswith(".")
    ]
    nested = schema()["properties"]["database"]["properties"]
    assert (
        unexplained + [key for key, about in nested.items() if not about["description"].endswith(".")] == []
    )
