"""The stack's configuration: what is right is complete, and each thing that is wrong is said with its place."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from compiler.stack import KEYS, Principal, load_stack, overridden
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
    "network": {
        "vpc": "vpc-0a1b2c3d4e5f60718",
        "subnets": ["subnet-0a1b2c3d4e5f60718"],
        "database_cidrs": ["10.0.0.0/16"],
    },
    "image": f"{DIGITS}.dkr.ecr.eu-central-1.amazonaws.com/sluice-sink@sha256:{'ab' * 32}",
    "alarm_topics": {"*": f"arn:aws:sns:eu-central-1:{DIGITS}:on-call"},
}
TOPIC = f"arn:aws:sns:eu-central-1:{DIGITS}:risk"


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
    ("port as text", changed("database", "port", to="5432"), "a text of 4 characters (not shown here) is not a whole number."),
    ("host with a port", changed("database", "host", to="db:5432"), "a host name or an IP address, without port"),
    ("line end after the name", changed("database", "name", to="events\n"), "without control characters"),
    ("line end after the prefix", changed("prefix", to="dev\n"), "1 to 16 lower-case letters"),
    ("long database name", changed("database", "name", to="é" * 40), "the name has 80 bytes"),
    ("port too large", changed("database", "port", to=70000), "70000 is not at most 65535."),
    ("principal without anything", changed("principals", "monitor", to={}), "at least 1"),
    ("user instead of role", changed("principals", "monitor", to={"aws": f"arn:aws:iam::{DIGITS}:user/x"}), "ARN of an IAM role"),
    ("IAM authentication", changed("database", "auth", to="iam"), 'auth "iam" needs resource_id'),
    ("foundation", changed("foundation", to="shared"), "a stack as Pulumi names it"),
    ("operator as text", changed("operator", to="x"), '"x" is not a mapping.'),
    ("operator without Postgres", changed("operator", to={"aws": f"arn:aws:iam::{DIGITS}:role/x"}), '"postgres" is missing.'),
    ("operator as a user", changed("operator", to={"aws": f"arn:aws:iam::{DIGITS}:user/x", "postgres": "x"}), "ARN of an IAM role"),
    ("no network", changed("network", to=...), '"sluice:network" is missing. Add it: where the sinks'),
    ("no subnets", changed("network", "subnets", to=[]), "at least 1"),
    ("no VPC", changed("network", "vpc", to="main"), 'the id of a VPC, such as "vpc-0a1b2c3d4e5f60718"'),
    ("group by name", changed("network", "security_groups", to=["database"]), "the id of a security group"),
    ("host bits", changed("network", "database_cidrs", to=["10.0.0.1/16"]), '"10.0.0.1/16" is no IPv4 block: 10.0.0.1/16 has host bits set.'),
    ("cluster by name", changed("cluster", to="shared"), '"own" or the ARN of an ECS cluster'),
    ("cluster elsewhere", changed("cluster", to=f"arn:aws:ecs:eu-west-1:{DIGITS}:cluster/shared"), "is not in region eu-central-1."),
    ("cluster of another", changed("cluster", to="arn:aws:ecs:eu-central-1:210987654321:cluster/shared"), f"is not in account {DIGITS}."),
    ("image by tag", changed("image", to="registry/sluice-sink:1.2"), "(a tag can be moved)."),
    ("no image", changed("image", to=...), '"sluice:image" is missing: the sinks of this stack run in containers. Build deploy/sink.Containerfile'),
    ("topic elsewhere", changed("alarm_topics", to={"*": f"arn:aws:sns:us-east-1:{DIGITS}:x"}), "is not in region eu-central-1."),
    ("FIFO topic", changed("alarm_topics", to={"*": TOPIC + ".fifo"}), "no FIFO topic"),
    ("override of the table", changed("overrides", to={"alert_events": {"table": {}}}), 'no such key "table". Known are "alarms", "buffer" and "sink".'),
    ("override of receives", changed("overrides", to={"*": {"buffer": {"max_receive_count": 3}}}), 'no such key "max_receive_count"'),
    ("override misspelt", changed("overrides", to={"*": {"sink": {"max_task": 3}}}), 'Did you mean "max_tasks"?'),
    ("override out of range", changed("overrides", to={"*": {"sink": {"max_tasks": 101}}}), "101 is not at most 100."),
    ("pooler nowhere", changed("database", "pooler", to="transaction"), "the sinks must know where it is. Add pooler_host."),
    ("pooler for nothing", changed("database", "pooler_host", to="bouncer"), 'since pooler is "none"'),
    ("resource id", changed("database", "resource_id", to="db-1"), 'resource_id serves auth "iam", and auth is "secret"'),
    ("no resource id", changed("database", to={**GOOD["database"], "auth": "iam", "resource_id": "mydb"}), "the resource id of an RDS instance"),
    ("a token to anybody", changed("database", to={**GOOD["database"], "auth": "iam", "resource_id": "db-1", "sslmode": "require"}), "sends a token as it is"),
    ("rotation of nothing", changed("database", to={**GOOD["database"], "auth": "iam", "resource_id": "db-1", "password_rotation": 1}), "has no passwords"),
    ("everyone", changed("principals", "*", to={"postgres": "{name}"}), 'only the stack "embedded" may bind "*"'),
    ("placeholder", changed("principals", "analytics", "postgres", to="{name}"), 'only the entry "*" may'),
    ("no TLS", changed("database", "sslmode", to="disable"), 'connections without TLS are for the stack "embedded" only.'),
    ("producer in another partition", changed("principals", "monitor", "aws", to=f"arn:aws-us-gov:iam::{DIGITS}:role/x"), 'is not in the partition "aws" of region eu-central-1. Name one that begins with arn:aws:.'),
    ("operator in another partition", changed("operator", to={"aws": f"arn:aws-cn:iam::{DIGITS}:role/x", "postgres": "x"}), 'not in the partition "aws"'),
    ("boundary in another partition", changed("permissions_boundary", to=f"arn:aws-cn:iam::{DIGITS}:policy/x"), 'not in the partition "aws"'),
    ("topic in another partition", changed("alarm_topics", to={"*": TOPIC.replace("arn:aws:", "arn:aws-cn:")}), 'not in the partition "aws"'),
    ("commercial region", changed("region", to="us-gov-west-1") | {"alarm_topics": {}}, 'not in the partition "aws-us-gov"'),
    ("producer is a sink", changed("principals", "monitor", "aws", to=f"arn:aws:iam::{DIGITS}:role/sluice/dev/dev_alert_events_sink_euc1"), "a role that the stack itself makes"),
    ("everybody reads", changed("principals", "analytics", "postgres", to="public"), '"public" is a name of Postgres\' own'),
    ("predefined role", changed("principals", "analytics", "postgres", to="pg_read_all_data"), "Bind it to a role that was made"),
    ("operator is everybody", changed("operator", to={"aws": f"arn:aws:iam::{DIGITS}:role/x", "postgres": "public"}), "a name of Postgres' own"),
    ("database anywhere", changed("network", "database_cidrs", to=["0.0.0.0/0"]), "tasks would reach its port nearly anywhere. Name the blocks"),
    ("database anywhere in IPv6", changed("network", "database_cidrs", to=["::/0"]), "an IPv4 block such as"),
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
        "Pulumi.dev.yaml:1:1",  # four keys are missing below config
        "Pulumi.dev.yaml:1:1",
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


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("database",), "postgresql://deploy:hunter2@h/events", "a text of 36 characters (not shown here) is not a mapping."),
        (("database",), ["hunter2"], "a list of 1 item"),
        (("database", "name"), {"secret": "hunter2"}, "a mapping (not shown here) is not the database"),
        (("database", "name"), "postgresql://deploy:hunter2@h/events", "never a connection string"),
        (("database", "host"), "deploy:hunter2@h", "a host name or an IP address"),
        (("database", "host"), "host=h password=hunter2", "a host name or an IP address"),
        (("database", "port"), "hunter2", "a text of 7 characters"),
        (("database", "sslmode"), {"secret": "hunter2"}, "a mapping"),
        (("database", "resource_id"), "hunter2", "a text of 7 characters"),
        (("database", "postgresql://deploy:hunter2@h/events"), None, "no such key: a text of 36 characters"),
        (("environment",), "postgresql://deploy:hunter2@h/events", "a text of 36 characters"),
        (("image",), "host=h password=hunter2", "a text of 23 characters"),
        (("network",), {**GOOD["network"], "vpc": ["a://b:hunter2@c"]}, "a list of 1 item"),
    ],
)  # fmt: skip
def test_no_message_repeats_what_may_hold_a_password(tmp_path, path, value, told):
    [found] = texts(tmp_path, changed(*path, to=value))
    assert "hunter2" not in found
    assert told in found


@pytest.mark.parametrize(
    "host", ["db", "db.internal.", "10.0.0.1", "::1", "fe80::1:2", "::ffff:10.0.0.1", "my_db"]
)
def test_host_names_and_addresses_are_hosts(tmp_path, host):
    assert texts(tmp_path, changed("database", "host", to=host)) == []


@pytest.mark.parametrize("name", ["events", "Größe 1", 'a"b', "a=b"])
def test_a_database_is_named_as_postgres_allows(tmp_path, name):
    assert texts(tmp_path, changed("database", "name", to=name)) == []


def test_keys_of_default_providers_are_refused_since_nothing_would_read_them(tmp_path):
    path = write(tmp_path, GOOD)
    path.write_text(path.read_text() + "  aws:region: us-east-1\n  pulumi:tags: {a: b}\n")
    [found] = [str(problem) for problem in load_stack(path).problems]
    assert '$.config["aws:region"]: "aws:region" configures a default provider' in found


def test_a_misspelt_namespace_is_no_provider(tmp_path):
    path = write(tmp_path, GOOD)
    path.write_text(path.read_text() + "  sluce:protect: true\n")
    [found] = [str(problem) for problem in load_stack(path).problems]
    assert 'no such key "sluce:protect". Did you mean "sluice:protect"?' in found


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


def test_an_owner_without_a_topic_is_named_with_its_datasets(tmp_path):
    loaded = load_stack(write(tmp_path, changed("alarm_topics", to={"risk": TOPIC})))
    dataset = alert_events(producers=(), readers=())
    [found] = loaded.serves([dataset])
    assert f'owner "{dataset.owner}" (of alert_events) has no alarm topic' in found.message
    assert loaded.require().alarm_topic("risk") == TOPIC
    assert load_stack(write(tmp_path, GOOD)).require().alarm_topic("anybody") == GOOD["alarm_topics"]["*"]


def test_an_environment_overrides_what_it_names_and_nothing_else(tmp_path):
    fields = {
        "*": {"sink": {"max_tasks": 2, "linger_ms": 50}, "buffer": {"retention_days": 7}},
        "alert_events": {"sink": {"max_tasks": 9}, "alarms": {"depth": 1000}},
    }
    loaded = load_stack(write(tmp_path, changed("overrides", to=fields)))
    dataset = alert_events(producers=(), readers=())
    assert loaded.serves([dataset]) == ()
    found = overridden(loaded.require(), dataset)
    assert (found.sink.max_tasks, found.sink.linger_ms, found.sink.min_tasks) == (9, 50, 1)
    assert (found.alarms.depth, found.alarms.oldest_age_seconds) == (1000, 300)
    assert found.buffer == replace(dataset.buffer, retention_days=7)
    assert replace(found, sink=dataset.sink, alarms=dataset.alarms, buffer=dataset.buffer) == dataset


def test_overrides_obey_the_manifests_rules_and_name_a_dataset(tmp_path):
    fields = {
        "*": {"buffer": {"retention_days": 12}},
        "alert_events": {"sink": {"min_tasks": 0}, "alarms": {"oldest_age_seconds": 60}},
        "alert_event": {"sink": {"max_tasks": 1}},
    }
    loaded = load_stack(write(tmp_path, changed("overrides", to=fields)))
    found = [str(problem) for problem in loaded.serves([alert_events(producers=(), readers=())])]
    assert len(found) == 3
    assert any('no dataset is named "alert_event". Did you mean "alert_events"?' in one for one in found)
    assert any(
        'overrides"].alert_events.sink.min_tasks: for alert_events: With sink.min_tasks 0' in one
        for one in found
    )
    assert any(
        '["*"].buffer.retention_days: for alert_events: buffer.retention_days 12' in one for one in found
    )


def test_sinks_go_through_the_pooler_and_migrations_do_not(tmp_path):
    values = changed("database", to={**GOOD["database"], "pooler": "transaction", "pooler_host": "bouncer"})
    database = load_stack(write(tmp_path, values)).require().database
    assert database.sink_address == ("bouncer", 6432)
    assert (database.host, database.port) == ("db.internal", 5432)


def test_the_embedded_stack_takes_no_image(tmp_path):
    path = tmp_path / "Pulumi.embedded.yaml"
    path.write_text((ROOT / "Pulumi.embedded.yaml").read_text() + f"  sluice:image: {GOOD['image']}\n")
    [found] = load_stack(path, EMBEDDED).problems
    assert "its sinks are processes of this checkout. Remove it." in str(found)


def test_a_dataset_that_is_not_selected_needs_no_principals(tmp_path):
    loaded = load_stack(write(tmp_path, GOOD))
    assert loaded.serves([alert_events(producers=("monitor",), readers=()), alert_events(name="other")]) == ()


def test_a_pattern_that_names_no_dataset(tmp_path):
    loaded = load_stack(write(tmp_path, changed("datasets", to=["alert_event"])))
    [found] = loaded.serves([alert_events()])
    assert 'no dataset is named "alert_event". Did you mean "alert_events"?' in str(found)
    every = load_stack(write(tmp_path, changed("datasets", to=["*"])))
    assert every.serves([]) == (), "all of none: the last dataset was removed"


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


def test_an_operator_may_not_be_a_producer(tmp_path):
    operator = {"aws": GOOD["principals"]["monitor"]["aws"], "postgres": "on_call"}
    loaded = load_stack(write(tmp_path, changed("operator", to=operator)))
    [found] = loaded.serves([alert_events(producers=("monitor",), readers=())])
    assert 'the producer "monitor"\'s too, who could then receive from every queue' in str(found)
    assert loaded.serves([alert_events(producers=(), readers=())]) == ()


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"principals": {"*": {"aws": "x"}, "m": {"aws": "arn:aws-cn:iam::123456789012:role/m"}}},
         ["stack-value", "stack-binds-everyone", "stack-elsewhere"]),
        ({"database": {"host": "a b", "name": "events", "admin": "env:X", "sslmode": "disable"}},
         ["stack-value", "stack-plain-connection"]),
        ({"database": {"name": "events", "admin": "env:X", "sslmode": "disable"}},
         ["stack-missing-key", "stack-plain-connection"]),
        ({"region": "Frankfurt", "network": {**GOOD["network"], "database_cidrs": ["0.0.0.0/0"]}},
         ["stack-value", "stack-open-network"]),
        ({"image": "x"}, ["stack-value"]),
        ({"assignment": "../../etc/passwd"}, ["stack-value"]),
        ({"network": {**GOOD["network"], "database_cidrs": ["10.0.0.1/8", "10.0.0.1/8"]}}, ["stack-value"]),
        ({"database": {**GOOD["database"], "resource_id": "db-1", "auth": "IAM"}}, ["stack-value"]),
        ({"principals": ["x"], "alarm_topics": {"a": "x", "b": "arn:aws:sns:us-east-1:123456789012:x"}},
         ["stack-value", "stack-value", "stack-elsewhere"]),
    ],
)  # fmt: skip
def test_what_is_wrong_in_one_place_hides_nothing_elsewhere(tmp_path, more, told):
    found = load_stack(write(tmp_path, {**GOOD, **more})).problems
    assert sorted(problem.rule for problem in found) == sorted(told)


def test_a_wrong_override_hides_no_other_one(tmp_path):
    fields = {
        "alert_event": {"sink": {"max_tasks": 101}},
        "alert_events": {"sink": {"min_tasks": 9, "max_tasks": 3}},
    }
    loaded = load_stack(write(tmp_path, changed("overrides", to=fields)))
    assert [problem.rule for problem in loaded.problems] == ["stack-value"]
    found = loaded.serves([alert_events(producers=(), readers=())])
    assert sorted(problem.rule for problem in found) == ["stack-names-no-dataset", "tasks-order"]


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
    for section in ("database", "network"):
        nested = schema()["properties"][section]["properties"]
        unexplained += [key for key, about in nested.items() if not about["description"].endswith(".")]
    assert unexplained == []


BOMB = "config:\n  a: &a [x, x]\n" + "".join(
    f"  {name}: &{name} [{', '.join([f'*{chr(ord(name) - 1)}'] * 10)}]\n" for name in "bcdefghij"
)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (BOMB, "stack-alias"),
        ("config: &x {sluice:prefix: *x}\n", "stack-alias"),
        ("config: " + "[" * 3000 + "]" * 3000, "stack-not-yaml"),
        ("config: " + "{a: " * 3000, "stack-not-yaml"),
        ("config: [", "stack-not-yaml"),
    ],
)
def test_a_short_file_that_is_endless_is_refused_at_its_place(tmp_path: Path, text: str, rule: str) -> None:
    path = tmp_path / "Pulumi.dev.yaml"
    path.write_text(text)
    [problem] = load_stack(path, {}).problems
    assert (problem.rule, problem.file) == (rule, "Pulumi.dev.yaml")
    assert problem.line is not None


def test_a_stack_s_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.dev.yaml").mkdir()
    [problem] = load_stack(tmp_path / "Pulumi.dev.yaml", {}).problems
    assert "directory" in problem.message
