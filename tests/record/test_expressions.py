"""Users' SQL: only what is immutable, one canonical text, faults in words."""

from __future__ import annotations

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.dataset import (
    Array,
    BigInt,
    Boolean,
    Bytea,
    Date,
    Double,
    Jsonb,
    Numeric,
    Text,
    Timestamptz,
    Timetz,
    Uuid,
)
from compiler.expressions import canonical_expression, expression_fault
from compiler.expressions.allowed import FUNCTIONS, OPERATORS, TYPES

COLUMNS = {
    "a": BigInt(),
    "b": Numeric(10, 2),
    "x": Double(),
    "s": Text(),
    "ok": Boolean(),
    "u": Uuid(),
    "j": Jsonb(),
    "ts": Timestamptz(),
    "ts2": Timestamptz(),
    "d": Date(),
    "t": Timetz(),
    "h": Bytea(),
    "tags": Array(Text()),
    "times": Array(Timestamptz()),
}
ADMITTED = [
    *(
        "a = 1",
        "a BETWEEN 1 AND 2",
        "s IN ('a', 'b')",
        "NOT ok",
        "ok",
        "ok IS NOT TRUE",
        "s IS NULL",
        "-a < 3",
    ),
    *(
        "lower(s) = s",
        "length(s) > 3 AND s ~ '^a'",
        "s LIKE 'a%'",
        "coalesce(s, '') <> ''",
        "s || 'x' = s",
        "a % 2 = 0",
    ),
    *(
        "ts2 >= ts",
        "ts > '2024-01-01T00:00:00Z'",
        "ts2 - ts > '1 day'",
        "d > '2024-01-01'",
        "d - d > 3",
        "d + 1 > d",
    ),
    *(
        "j ->> 'x' = 'y'",
        "j ? 'x'",
        "(j ->> 'n')::bigint > 1",
        "j @> '{\"a\": 1}'",
        "jsonb_typeof(j) = 'object'",
    ),
    *(
        "CASE WHEN ok THEN a ELSE 2 END > 1",
        "num_nonnulls(a, b) = 1",
        "greatest(a, b) > 0",
        "a IS DISTINCT FROM 2",
    ),
    *(
        "u = '2eb8aa08-aa98-11ea-b4aa-73b441d16380'",
        "u::text > 'a'",
        "a = ANY (ARRAY[1, 2])",
        "nullif(a, 1) > 2",
    ),
    *(
        "substring(s from 1 for 2) = 'ab'",
        "trim(s) <> ''",
        "position('a' in s) > 0",
        "s SIMILAR TO 'a'",
        "round(b) = b",
    ),
    *(
        "t > '12:00:00Z'",
        "t = '12:00:00+05:30'::timetz",
        "octet_length(h) = 32",
        r"h <> '\x00'",
        "'a' = ANY (tags)",
        "tags @> '{a,b}'",
        "tags = tags AND num_nulls(times, h, t) = 0",
        "'2024-01-01T00:00:00Z' = ANY (times)",
    ),
]
REFUSED = [
    *(
        "ts > now()",
        "ts > current_timestamp",
        "d > current_date",
        "random() > 1",
        "a > (SELECT 1)",
        "sum(a) > 1",
    ),
    *(
        "count(*) > 1",
        "a = $1",
        "t.a = 1",
        "zz = 1",
        "a",
        "s",
        "*",
        "a = 1, b = 2",
        "a = 1 FROM x",
        "a = 1; SELECT 1",
    ),
    *(
        "",
        "a =",
        "ts > '2024-01-01'",
        "ts > 'now'",
        "d > 'today'",
        "d > ts",
        "ts::date = d",
        "s::date = d",
        "ts::text = s",
    ),
    *(
        "a::regclass > 1",
        "pg_sleep(1) IS NULL",
        "s || a = 'x'",
        "(a, b) = (1, 2)",
        "s COLLATE \"C\" > 'a'",
        "a AS b",
    ),
    *(
        "public.lower(s) = s",
        "a OPERATOR(public.=) 1",
        "sum(a) OVER () > 1",
        "extract(hour from ts) > 3",
        "s = E'a\\nb'",
    ),
    *(
        "ts + '1 day' > ts2",
        "d = j ->> 'd'",
        "s::varchar(3) = s",
        "a::int[] IS NULL",
        "length(d::text) > 1",
        "ts = d",
    ),
    *(
        "greatest(d, ts) = ts",
        "a = 1 -- x\n; x",
        "(a) b",
        "DISTINCT a",
        "a = 1 LIMIT 1",
        "NULL::date = d::date::text",
    ),
    *(
        "t > '12:00'",
        "t::text = s",
        "t - t > '1 hour'",
        "h::text = s",
        "md5(h) = s",
        "s::bytea = h",
        "tags::text = s",
        "'now' = ANY (times)",
        "times @> '{now}'",
        "lower(tags) = s",
        "length(tags) > 1",
        "tags || 'a' = tags",
        "tags::text[] = tags",
    ),
]


# What Postgres itself has no operator, function or reading of a literal for.
NO_OPERATOR = [
    *("s > 5", "a = 'abc'", "u = 'x'", "ok = 'maybe'", "a = s", "a <> ok", "u = s", "j = s", "j > 1"),
    *("NOT a", "a AND ok", "s OR ok", "CASE WHEN a THEN ok END", "CASE WHEN ok THEN a ELSE 'x' END = 1"),
    *("lower(a) = 'x'", "round(s) > 1", "jsonb_typeof(s) = 'x'", "abs(ok) = 1", "starts_with(a, 'x')"),
    *("s @> '{}'", "a ? 'x'", "a ~ 'x'", "u LIKE 'x%'", "s + 1 > 2", "ok + 1 > 2", "u - 1 = u"),
    *("5 = ANY (tags)", "a IN (1, 'x')", "s IN ('a', 5)", "a BETWEEN 1 AND 's'", "a IS DISTINCT FROM s"),
    *("coalesce(a, 'q') > 1", "greatest(a, s) = s", "nullif(s, 1) = s", "s = ok", "d = 1", "b < '1,5'"),
]
COLUMN_LIST = (
    "a bigint, b numeric(10,2), x float8, s text, ok boolean, u uuid, j jsonb, ts timestamptz, ts2 timestamptz,"
    " d date, t timetz, h bytea, tags text[], times timestamptz[]"
)


@pytest.mark.parametrize("expression", ["true", "1 = 1", "'a' = 'b' OR NOT false"])
def test_an_expression_that_reads_no_column_is_refused(expression):
    """Postgres leaves a predicate that is always true out of an index."""
    fault = expression_fault(expression, COLUMNS)
    assert fault is not None
    assert "reads no column" in fault.message


@pytest.mark.parametrize("expression", NO_OPERATOR)
def test_what_postgres_could_not_run_is_refused(postgres, expression):
    assert expression_fault(expression, COLUMNS) is not None
    with (
        postgres.transaction(force_rollback=True),
        pytest.raises((psycopg.ProgrammingError, psycopg.DataError)),
    ):
        postgres.execute(f"CREATE TABLE t ({COLUMN_LIST}, CHECK ({expression}))")


@pytest.mark.parametrize("expression", ADMITTED)
def test_admitted_and_taken_by_an_index_and_a_check(postgres, expression):
    assert expression_fault(expression, COLUMNS) is None
    canonical = canonical_expression(expression)
    assert canonical_expression(canonical) == canonical
    with postgres.transaction(force_rollback=True):
        postgres.execute(f"CREATE TABLE t ({COLUMN_LIST}, CHECK ({canonical}))")
        # A predicate is where Postgres itself insists on immutability.
        postgres.execute(f"CREATE INDEX ON t (a) WHERE {canonical}")


@pytest.mark.parametrize("expression", REFUSED)
def test_refused_with_a_reason(expression):
    fault = expression_fault(expression, COLUMNS)
    assert fault is not None
    assert fault.message.endswith(".")


def test_every_function_is_immutable(postgres):
    rows = postgres.execute(
        "SELECT proname, array_agg(DISTINCT provolatile::text), bool_or(prokind <> 'f') FROM pg_proc"
        " WHERE pronamespace = 'pg_catalog'::regnamespace AND proname = ANY (%s)"
        " AND NOT (proname = 'length' AND pronargs = 2) GROUP BY proname",
        [list(FUNCTIONS)],
    ).fetchall()
    assert {row[0] for row in rows} == set(FUNCTIONS)
    assert [row for row in rows if row[1] != ["i"] or row[2]] == []


def test_length_in_an_encoding_is_refused():
    assert expression_fault("length('x', 'UTF8') > 1", COLUMNS) is not None


def test_every_operator_is_there(postgres):
    rows = postgres.execute("SELECT DISTINCT oprname FROM pg_operator").fetchall()
    assert OPERATORS - {"!="} <= {row[0] for row in rows}


def test_every_type_is_there(postgres):
    for name, shown in TYPES.items():
        assert postgres.execute("SELECT format_type(%s::regtype, NULL)", [name]).fetchone() == (shown,)


@given(st.text(max_size=40))
def test_any_text_is_judged(text):
    fault = expression_fault(text, COLUMNS)
    assert fault is None or fault.message


@given(
    st.lists(
        st.sampled_from(
            [
                "a",
                "b",
                "(",
                ")",
                " AND ",
                " OR ",
                "NOT ",
                "=",
                "-",
                "+",
                "1",
                "'x'",
                "s",
                "||",
                "IS NULL",
                " ",
            ]
        )
    )
)
def test_what_is_admitted_has_one_canonical_text(parts):
    expression = "".join(parts)
    if expression_fault(expression, COLUMNS) is None:
        canonical = canonical_expression(expression)
        assert canonical_expression(canonical) == canonical
        assert expression_fault(canonical, COLUMNS) is None
