from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from compiler.canonical import JsonDocument, canonical

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=6) | st.sampled_from(
    (",1.0", ":1e5", "[-0.0")
)
numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53) + 1, 2**53 - 1)
documents = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda children: st.lists(children, max_size=4) | st.dictionaries(texts, children, max_size=4),
    max_leaves=15,
)


@given(documents)
def test_canonical_text_is_rfc_8785(value: Any) -> None:
    assert canonical(value) == rfc8785.dumps(value)


def test_floats_of_every_size_have_the_one_form() -> None:
    for exponent in range(-324, 308):
        for digits in ("1", "-2.5", "0", "1.0000000000000002"):
            number = float(f"{digits}e{exponent}")
            assert canonical([number]) == rfc8785.dumps([number])
            assert canonical(number) == rfc8785.dumps(number)


def test_keys_are_ordered_by_utf_16() -> None:
    assert canonical({"\ue000": 1, "\U0001f600": 2}) == '{"\U0001f600":2,"\ue000":1}'.encode()


@pytest.mark.parametrize("number", [2**53, -(2**63), 10**40])
def test_large_integers_keep_their_digits(number: int) -> None:
    assert canonical({"maximum": number}) == f'{{"maximum":{number}}}'.encode()
    assert canonical([number, 1.0]) == f"[{number},1]".encode()
    assert JsonDocument.of(number).value == number


@pytest.mark.parametrize(
    "value", [float("nan"), [float("inf")], {"a": object()}, "\ud800", [Decimal(1)], {1, 2}]
)
def test_what_is_no_json_is_refused(value: Any) -> None:
    with pytest.raises(ValueError):
        canonical(value)
