"""SQL text means what the structured constraint means, to Postgres itself."""

import json
import subprocess
import sys

import jsonschema_rs
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from psycopg.sql import SQL

from compiler.dataset import (
    BigInt,
    Boolean,
    Bound,
    Date,
    Double,
    Jsonb,
    Length,
    Matches,
    Numeric,
    OneOf,
    Text,
    Uuid,
)
from compiler.migrate.quoting import identifier, literal
from compiler.migrate.render import condition, typed
from compiler.table import type_name
from tests.migrate.strategies import comment_texts, identifiers
from tests.support.postgres import every_major


def holds(connection, type_, rule, text):
    """What the CHECK says of a value (None for null); a CHECK passes unless it is false."""
    cast = f"SELECT %s::{type_name(type_)} AS c".replace("%s", "NULL" if text is None else literal(text))
    row = connection.execute(
        SQL(f"SELECT ({condition(type_, 'c', rule)}) IS NOT FALSE FROM ({cast}) AS t")
    ).fetchone()
    return row[0]


@pytest.fixture
def connection(fresh_database):
    with psycopg.connect(**fresh_database, autocommit=True) as connection:
        connection.execute("SET search_path = ''")
        yield connection


CASES = [
    (Text(), Length(2, 3), {"a": False, "ab": True, "éé": True, "😀😀😀": True, "abcd": False, "😀": False}),
    (Text(), Length(None, 1), {"": True, "a": True, "ab": False}),
    (
        Text(),
        OneOf(('"a\'b"', '"\\\\"', '"%s"', '"é"')),
        {"a'b": True, "\\": True, "%s": True, "é": True, "e": False},
    ),
    (Text(), OneOf(("null",)), {"a": False}),
    (BigInt(), Bound(">=", "0"), {"0": True, "-1": False}),
    (BigInt(), Bound(">", "0.5"), {"0": False, "1": True}),
    (BigInt(), Bound("<", "1e1"), {"9": True, "10": False}),
    (BigInt(), Bound("<=", "9223372036854775808"), {"9223372036854775807": True}),
    (
        BigInt(),
        Bound(">", "9223372036854775806"),
        {"9223372036854775807": True, "9223372036854775806": False},
    ),
    (BigInt(), OneOf(("1", "2.5")), {"1": True, "2": False, "3": False}),
    (Numeric(12, 4), Bound("<=", "0.00005"), {"0": True, "0.0001": False}),
    (
        Numeric(),
        Bound("<", "100000000000000000000.1"),
        {"100000000000000000000": True, "100000000000000000000.1": False},
    ),
    (Numeric(), OneOf(("1", "0.1")), {"1.00": True, "0.1": True, "0.10000000001": False}),
    (Double(), Bound("<=", "0.1"), {"0.1": True, "0.10000000000000002": False}),
    (Double(), Bound(">=", "-1.7976931348623157e308"), {"-1.7976931348623157e308": True}),
    (Boolean(), OneOf(("true",)), {"true": True, "false": False}),
    (
        Uuid(),
        OneOf(('"00000000-0000-0000-0000-0000000000AF"',)),
        {"00000000-0000-0000-0000-0000000000af": True},
    ),
    (Date(), OneOf(('"2024-02-29"',)), {"2024-02-29": True, "2024-02-28": False}),
    (
        Jsonb(),
        OneOf(("1", '"a"', '{"a":[null]}')),
        {"1.0": True, '"a"': True, '{"a": [null]}': True, "[]": False},
    ),
]


@every_major
def test_a_condition_means_what_its_rule_means(connection):
    for type_, rule, values in CASES:
        for text, expected in values.items():
            assert holds(connection, type_, rule, text) is expected, (rule, text)
        assert holds(connection, type_, rule, None), rule


PATTERNS = [
    "^[a-z0-9_]{1,255}$",
    "^a|b$",
    "a+b*c?",
    "^(ab|cd){2,3}$",
    r"^[A-Za-z0-9._%+-]+@[a-z]+\.[a-z]{2,}$",
    "^[^a-c]$",
    "x{0,255}y",
    "^$",
    r"^\$\\\^$",
    "^[.]*[*][+]$",
    r"^'\"%s$",
]
TEXTS = [
    "",
    "a",
    "b",
    "\n",
    "a\n",
    "\na",
    "ab",
    "abcd",
    "abcdab",
    "é",
    "d",
    "y",
    "A.b@c.de",
    "$\\^",
    ".*+",
    "'\"%s",
    "\u00a0",
]


@every_major
def test_a_pattern_means_in_postgres_what_it_means_in_json_schema(connection):
    for pattern in PATTERNS:
        validator = jsonschema_rs.validator_for({"type": "string", "pattern": pattern})
        for text in TEXTS:
            assert holds(connection, Text(), Matches(pattern), text) is validator.is_valid(text), (
                pattern,
                text,
            )


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=comment_texts)
def test_a_literal_is_one_visible_line_and_reads_back(connection, text):
    quoted = literal(text)
    assert quoted.isprintable()
    assert connection.execute(SQL(f"SELECT {quoted}")).fetchone() == (text,)
    assert connection.execute(SQL(f"SELECT {typed(Jsonb(), json.dumps(text))} #>> '{{}}'")).fetchone() == (
        text,
    )


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=identifiers)
def test_a_name_reads_back(connection, name):
    cursor = connection.execute(SQL(f"SELECT 1 AS {identifier(name)}"))
    assert cursor.description[0].name == name


@pytest.mark.parametrize("name", ["", "a\nb", "\u202e", "a\0"])
def test_a_name_that_cannot_be_shown_is_refused(name):
    with pytest.raises(ValueError, match="is no name that SQL text can show"):
        identifier("datasets", name)


def test_checking_loads_no_driver():
    """The chain is judged by `sluice check`, which starts without psycopg."""
    code = "import sys, compiler.pipeline; sys.exit(bool({'psycopg', 'pulumi', 'boto3', 'dev'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
