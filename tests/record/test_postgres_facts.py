"""Where JSON Schema and Postgres differ: each row is refused by the effective schema, or stored as it was sent.

`record` says what the record schema alone makes of the value, `effective` what the sink does. Where the two differ,
Postgres is asked what it would have done, so that a row that is no longer true turns red.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Any

import jsonschema_rs
import psycopg
import pytest
from psycopg import errors, sql

from compiler.table import type_name
from tests.record.conftest import lowered
from tests.record.strategies import json_text, stored_equal
from tests.support.postgres import MAJORS

INTEGER, NUMBER, STRING = {"type": "integer"}, {"type": "number"}, {"type": "string"}
UUID = {"type": "string", "format": "uuid"}
TIME, DATE = {"type": "string", "format": "date-time"}, {"type": "string", "format": "date"}
CLOCK = {"type": "string", "format": "time"}
BASE64 = {"type": "string", "contentEncoding": "base64"}
TAGS = {"type": "array", "items": STRING}
MONEY = {"type": "numeric(12,4)"}
CHANGED = "changed"  # Postgres stores something else
UNREADABLE = psycopg.DataError  # 24:00:00, which Postgres stores and no Python reads


@dataclass(frozen=True)
class Row:
    """A value, the property's schema and column options; who admits it, and what Postgres itself would do."""

    value: Any
    schema: Any
    options: Any = None
    record: bool = True
    effective: bool = True
    postgres: Any = None  # an error class, CHANGED, or None: stored as sent


D = Decimal
OUT_OF_RANGE, INVALID, DATE_OVERFLOW = (
    errors.NumericValueOutOfRange,
    errors.InvalidTextRepresentation,
    errors.DatetimeFieldOverflow,
)
ROWS = [
    # integers
    Row(D("1.0"), INTEGER),
    Row(D("-0.0"), INTEGER),
    Row(D("9007199254740993.0"), INTEGER),
    Row(D("1E+3"), INTEGER),
    Row(2**63 - 1, INTEGER),
    Row(-(2**63), INTEGER),
    Row(2**63, INTEGER, effective=False, postgres=OUT_OF_RANGE),
    Row(-(2**63) - 1, INTEGER, effective=False, postgres=OUT_OF_RANGE),
    Row(D("1E+19"), INTEGER, effective=False, postgres=OUT_OF_RANGE),
    Row(2**64, {"type": "integer", "maximum": 2**70}),
    Row(D("1.5"), NUMBER, {"type": "bigint"}, effective=False, postgres=CHANGED),
    Row("1", INTEGER, record=False, effective=False, postgres=CHANGED),
    # numbers
    Row(D("0.1"), NUMBER),
    Row(D("1E+400"), NUMBER, effective=False, postgres=OUT_OF_RANGE),
    Row(123456789, NUMBER, MONEY, effective=False, postgres=OUT_OF_RANGE),
    Row(D("99999999.9999"), NUMBER, MONEY),
    Row(D("-99999999.9999"), NUMBER, MONEY),
    Row(D("1.23456"), NUMBER, MONEY, effective=False, postgres=CHANGED),
    Row(D("1E-10"), NUMBER, MONEY, effective=False, postgres=CHANGED),
    Row(D("1.2300000"), NUMBER, MONEY),
    Row(D("1.23456"), NUMBER, {**MONEY, "round": True}),
    Row(D("1E-10"), NUMBER, {**MONEY, "round": True}),
    Row(D("99999999.99994"), NUMBER, {**MONEY, "round": True}),
    Row(D("99999999.99995"), NUMBER, {**MONEY, "round": True}, effective=False, postgres=OUT_OF_RANGE),
    Row(D("-99999999.99995"), NUMBER, {**MONEY, "round": True}, effective=False, postgres=OUT_OF_RANGE),
    Row(D("0.9"), NUMBER, {"type": "numeric(3,3)"}),
    Row(1, NUMBER, {"type": "numeric(3,3)"}, effective=False, postgres=OUT_OF_RANGE),
    Row(D("1E+27") + D("0.5"), NUMBER, {"type": "numeric(38,10)"}),
    Row(10**28, NUMBER, {"type": "numeric(38,10)"}, effective=False, postgres=OUT_OF_RANGE),
    Row(D("1E-300"), NUMBER, {"type": "numeric"}),
    Row(D("1E-16384"), NUMBER, {"type": "numeric"}, effective=False, postgres=OUT_OF_RANGE),
    Row(D("1E+131073"), NUMBER, {"type": "numeric"}, effective=False, postgres=OUT_OF_RANGE),
    Row(
        D("100.00000000000000001"),
        {**NUMBER, "maximum": 100},
        {"type": "numeric"},
        record=False,
        effective=False,
    ),
    Row("NaN", NUMBER, {"type": "numeric"}, record=False, effective=False),
    # instants
    Row("2026-01-31T12:00:00Z", TIME),
    Row("2026-01-31t12:00:00.123456z", TIME),
    Row("2026-01-31T12:00:00+15:59", TIME),
    Row("2026-01-31T12:00:00-15:59", TIME),
    Row("2026-01-31T12:00:00+16:00", TIME, effective=False, postgres=errors.InvalidTimeZoneDisplacementValue),
    Row("2026-01-31T12:00:00+23:59", TIME, effective=False, postgres=errors.InvalidTimeZoneDisplacementValue),
    Row("0000-01-01T00:00:00Z", TIME, effective=False, postgres=DATE_OVERFLOW),
    Row("0001-01-01T00:00:00Z", TIME),
    Row("0001-01-01T00:00:00-05:00", TIME),
    Row("9999-12-31T23:59:59.999999Z", TIME),
    Row("9999-12-31T23:59:59.999999+05:00", TIME),
    Row("2026-12-31T23:59:60Z", TIME, effective=False, postgres=CHANGED),
    Row("2026-01-31T12:00:00.1234567Z", TIME, effective=False, postgres=CHANGED),
    Row("now", TIME, record=False, effective=False),
    Row("2026-01-31T12:00:00Z", STRING, {"type": "timestamptz"}),
    Row("yesterday", STRING, {"type": "timestamptz"}, effective=False, postgres=CHANGED),
    # days
    Row("2024-02-29", DATE),
    Row("0001-01-01", DATE),
    Row("9999-12-31", DATE),
    Row("0000-01-01", DATE, effective=False, postgres=DATE_OVERFLOW),
    Row("2023-02-29", DATE, record=False, effective=False, postgres=DATE_OVERFLOW),
    # uuids
    Row("2EB8AA08-AA98-11EA-B4AA-73B441D16380", UUID),
    Row("{2eb8aa08-aa98-11ea-b4aa-73b441d16380}", UUID, record=False, effective=False),
    Row("2eb8aa08aa9811eab4aa73b441d16380", UUID, record=False, effective=False),
    Row("zzz", STRING, {"type": "uuid"}, effective=False, postgres=INVALID),
    # times of day
    Row("12:00:00Z", CLOCK),
    Row("12:00:00z", CLOCK),
    Row("12:00:00+05:00", CLOCK),
    Row("12:00:00-00:00", CLOCK),
    Row("23:59:59.999999-15:59", CLOCK),
    Row("23:59:60Z", CLOCK, effective=False, postgres=UNREADABLE),
    Row("12:00:00.1234567Z", CLOCK, effective=False, postgres=CHANGED),
    Row("12:00:00+16:00", CLOCK, effective=False, postgres=errors.InvalidTimeZoneDisplacementValue),
    Row("12:00:00+23:00", CLOCK, effective=False, postgres=errors.InvalidTimeZoneDisplacementValue),
    Row("24:00:00Z", CLOCK, record=False, effective=False, postgres=UNREADABLE),
    Row("12:00:60Z", CLOCK, record=False, effective=False, postgres=CHANGED),
    Row("12:00:00", CLOCK, record=False, effective=False, postgres=CHANGED),
    Row("12:00:00Z", STRING, {"type": "timetz"}),
    Row("allballs", STRING, {"type": "timetz"}, effective=False, postgres=CHANGED),
    # bytes
    Row("aGVsbG8=", BASE64),
    Row("", BASE64),
    Row("AAEC", BASE64),
    Row("aGVsbG8=", STRING, {"type": "bytea"}),
    Row("aGVsbG8", BASE64, effective=False, postgres=errors.InvalidParameterValue),
    Row("-_8=", BASE64, effective=False, postgres=errors.InvalidParameterValue),
    Row("@@@", BASE64, effective=False, postgres=errors.InvalidParameterValue),
    Row("a\\b", BASE64, effective=False, postgres=errors.InvalidParameterValue),
    Row("aGVs\nbG8=", BASE64, effective=False, postgres=CHANGED),
    Row("aGVsbG9=", BASE64, effective=False),
    Row("aA==", BASE64),
    Row("aB==", BASE64, effective=False),
    # arrays
    Row([1, D("2.0"), D("1E+3"), 2**63 - 1], {"type": "array", "items": INTEGER}, {"type": "bigint[]"}),
    Row([], TAGS, {"type": "text[]"}),
    Row(["", "NULL", "null", 'a"b\\c', "{x,y}", " ", "e\u0301😀"], TAGS, {"type": "text[]"}),
    Row(["a", None], {"type": "array", "items": {"type": ["string", "null"]}}, {"type": "text[]"}),
    Row(["a", None], TAGS, {"type": "text[]"}, record=False, effective=False),
    Row(["a\0"], TAGS, {"type": "text[]"}, effective=False, postgres=errors.UntranslatableCharacter),
    Row(
        [2**63],
        {"type": "array", "items": INTEGER},
        {"type": "bigint[]"},
        effective=False,
        postgres=OUT_OF_RANGE,
    ),
    Row(
        [D("0.1"), D("123456789012345678901234567890.123456789")],
        {"type": "array", "items": NUMBER},
        {"type": "numeric[]"},
    ),
    Row([D("1E-400")], {"type": "array", "items": NUMBER}, {"type": "numeric[]"}, effective=False),
    Row([True, False], {"type": "array", "items": {"type": "boolean"}}, {"type": "boolean[]"}),
    Row(["2024-02-29"], {"type": "array", "items": DATE}, {"type": "date[]"}),
    Row(["2026-01-31T12:00:00.5+15:59"], {"type": "array", "items": TIME}, {"type": "timestamptz[]"}),
    Row(
        ["2026-12-31T23:59:60Z"],
        {"type": "array", "items": TIME},
        {"type": "timestamptz[]"},
        effective=False,
        postgres=CHANGED,
    ),
    Row(["2EB8AA08-AA98-11EA-B4AA-73B441D16380"], {"type": "array", "items": UUID}, {"type": "uuid[]"}),
    Row(["zzz"], TAGS, {"type": "uuid[]"}, effective=False, postgres=INVALID),
    Row([["a"], ["b", "c"]], TAGS, {"type": "text[]"}, record=False, effective=False, postgres=INVALID),
    Row("{a,b}", TAGS, {"type": "text[]"}, record=False, effective=False, postgres=CHANGED),
    # text and booleans
    Row("", STRING),
    Row("e\u0301😀\n\t\\", STRING),
    Row("a\0b", STRING, effective=False, postgres=errors.UntranslatableCharacter),
    Row(5, STRING, record=False, effective=False, postgres=CHANGED),
    Row("yes", {"type": "boolean"}, record=False, effective=False, postgres=CHANGED),
    Row(1, {"type": "boolean"}, record=False, effective=False, postgres=CHANGED),
    # jsonb
    Row({"a": [1, D("0.1"), {"b": None}]}, {"type": "object"}),
    Row({"a": ["x\0"]}, {"type": "object"}, effective=False, postgres=errors.UntranslatableCharacter),
    Row([D("1E+300"), D("1E-300")], {"type": "array"}),
    Row({"a": D("1.10")}, {"type": "object"}),
]


def _shown(row: Row) -> str:
    return f"{json_text(row.value)[:40]} -> {row.options or row.schema}"


@pytest.fixture(scope="module", params=MAJORS, ids=[f"postgres{major}" for major in MAJORS])
def session(request: pytest.FixtureRequest, postgres_of_major: Any) -> Iterator[psycopg.Connection[Any]]:
    """A session on each major version here."""
    with psycopg.connect(**postgres_of_major(request.param).conninfo(), autocommit=True) as connection:
        connection.execute("SET TimeZone TO 'UTC'")
        yield connection


@pytest.mark.parametrize("row", ROWS, ids=_shown)
def test_what_the_effective_schema_admits_is_what_postgres_keeps(
    session: psycopg.Connection[Any], row: Row
) -> None:
    dataset = lowered({"a": row.schema}, table={"columns": {"a": row.options}} if row.options else None)
    record = {"a": row.value}
    assert _admits(dataset.record.value, record) is row.record
    assert _admits(dataset.effective.value, record) is row.effective
    column = dataset.columns[0]
    name = type_name(column.type)
    value = "decode(r.a, 'base64')" if name == "bytea" else f"r.a::{name}"
    query = sql.SQL("SELECT {value} FROM jsonb_to_recordset(%s::jsonb) AS r (a {read})").format(
        value=sql.SQL(value), read=sql.SQL(_READ_AS.get(name, name))
    )
    if isinstance(row.postgres, type):
        with pytest.raises(row.postgres):
            session.execute(query, [f"[{json_text(record)}]"]).fetchall()
    elif row.postgres == CHANGED or row.effective:
        ((stored,),) = session.execute(query, [f"[{json_text(record)}]"]).fetchall()
        assert _equal(column, row.value, stored) is (row.postgres != CHANGED), stored


_READ_AS = {"bigint": "numeric", "bigint[]": "numeric[]", "bytea": "text"}


def _equal(column: Any, sent: Any, stored: Any) -> bool:
    try:
        return stored_equal(column, sent, stored)
    except (ValueError, ArithmeticError, TypeError, IndexError):
        return False


def _admits(schema: Any, record: Any) -> bool:
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True).is_valid(record)


def test_the_longest_values_fit_into_their_indexes(session: psycopg.Connection[Any]) -> None:
    """Random, so that nothing is compressed: 648 characters of four bytes in gin, 3,456 of base64 in a btree."""
    chance = Random(1)
    item = "".join(chr(chance.randrange(0x10000, 0x10FFFF)) for _ in range(648))
    digest = chance.randbytes(3456 // 4 * 3)
    with session.transaction(force_rollback=True):
        session.execute("CREATE TABLE t (tags text[], digest bytea PRIMARY KEY)")
        session.execute("CREATE INDEX ON t USING gin (tags)")
        session.execute("INSERT INTO t VALUES (%s, %s)", [[item], digest])
        with pytest.raises(errors.ProgramLimitExceeded):
            session.execute("INSERT INTO t VALUES (%s, %s)", [[item * 2], b""])


def test_one_instant_of_the_day_at_two_offsets_is_two_keys(session: psycopg.Connection[Any]) -> None:
    query = "SELECT '12:00:00+05:00'::timetz = '07:00:00Z', '12:00:00Z'::timetz = '12:00:00+00:00'"
    assert session.execute(query).fetchone() == (False, True)
