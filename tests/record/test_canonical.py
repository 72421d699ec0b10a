"""Canonical bytes are RFC 8785's, whichever encoder wrote them."""

from __future__ import annotations

import json

import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from compiler.canonical import canonical

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(values)
def test_as_rfc_8785(value):
    assert canonical(value) == rfc8785.dumps(value)


@given(st.integers(), st.text(max_size=3))
def test_integers_keep_their_digits(number, key):
    assert json.loads(canonical({key: [number]}))[key] == [number]
