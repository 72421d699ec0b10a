"""What the domain of each column type says, at its edges."""

from __future__ import annotations

from decimal import Decimal, localcontext

import jsonschema_rs
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
    Integer,
    Jsonb,
    Numeric,
    Text,
    Timestamptz,
    Timetz,
    Uuid,
)
from compiler.record.domain import domain, holder, limits

TYPES = [
    BigInt(),
    Integer(),
    Numeric(),
    Numeric(12, 4),
    Double(),
    Boolean(),
    Text(),
    Uuid(),
    Timestamptz(),
    Date(),
    Timetz(),
    Bytea(),
    Array(Text()),
    Array(Boolean()),
    Array(BigInt()),
    Jsonb(),
]


@pytest.mark.parametrize("type_", TYPES, ids=str)
def test_null_is_no_matter_of_the_domain(type_):
    assert holder(type_).is_valid(None)


@pytest.mark.parametrize("type_", TYPES, ids=str)
def test_each_limit_is_told(type_):
    assert (limits(type_) is None) == (type_ in {Boolean(), Integer(), Array(Boolean())})


sizes = st.integers(1, 1000).flatmap(
    lambda precision: st.tuples(st.just(precision), st.integers(0, precision))
)


@given(sizes)
def test_a_rounding_column_is_bounded_below_the_point_where_postgres_overflows(size):
    precision, scale = size
    with localcontext(prec=1100):
        overflow = Decimal(10) ** (precision - scale) - Decimal(5).scaleb(-scale - 1)
        bound = domain(Numeric(precision, scale), rounds=True)["exclusiveMaximum"]
        assert Decimal(repr(bound)) <= overflow
        assert not holder(Numeric(precision, scale), rounds=True).is_valid(overflow)
        assert holder(Numeric(precision, scale), rounds=True).is_valid(
            Decimal(10) ** min(precision - scale, 308) / 2
        )


@given(sizes, st.integers(0, 10**12), st.integers(-320, 0), st.booleans())
def test_what_a_numeric_column_holds_is_what_its_domain_admits(size, digits, exponent, negative):
    precision, scale = size
    with localcontext(prec=1100):
        value = Decimal(-digits if negative else digits).scaleb(exponent)
        fits = abs(value) < Decimal(10) ** (precision - scale) and value == round(value, min(scale, 300))
    assert holder(Numeric(precision, scale)).is_valid(value) is fits


def test_domains_are_one_schema_that_compiles():
    for type_ in TYPES:
        jsonschema_rs.meta.validate(dict(domain(type_)))
