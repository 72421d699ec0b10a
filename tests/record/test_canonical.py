"""Canonical bytes are RFC 8785's, whichever encoder wrote them."""

from __future__ import annotations

import json
import math

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from compiler.canonical import JsonDocument, canonical

# Where the encoders differ: few digits, on both sides of the limits of writing them without an exponent.
short_floats = st.builds(
    lambda digits, exponent: float(f"{digits}e{exponent}"), st.integers(-(10**6), 10**6), st.integers(-12, 24)
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | short_floats
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(values)
def test_as_rfc_8785(value):
    assert canonical(value) == rfc8785.dumps(value)
    assert canonical(value, finite=True) == rfc8785.dumps(value)


@pytest.mark.parametrize("value", [math.nan, [None, math.inf], {"a": {"b": -math.inf}, "c": None}])
def test_what_json_has_no_number_for_is_refused(value):
    with pytest.raises(ValueError, match="JSON"):
        canonical(value)


@given(st.integers() | st.sampled_from([2**63, -(2**63), -(2**63) - 1, 2**64 - 1, 2**64, 10**30]))
def test_a_document_keeps_integers_of_any_size(number):
    assert JsonDocument.of({"a": [number, -number]}).value == {"a": [number, -number]}


@given(values)
def test_a_document_is_read_as_the_standard_library_reads_it(value):
    document = JsonDocument.of(value)
    assert repr(document.value) == repr(json.loads(document.text))


@given(st.integers(), st.text(max_size=3))
def test_integers_keep_their_digits(number, key):
    assert json.loads(canonical({key: [number]}))[key] == [number]
