from __future__ import annotations

import json
import tempfile
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.manifest import read
from compiler.manifest.scan import MAX_DEPTH, SyntaxFault, scan
from tests.manifest.printer import Printed

# Every character that a file can hold and Postgres can store: no surrogate halves, no U+0000.
texts = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=8)
scalars = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(-1e9, 1e9) | texts
documents = st.recursive(
    scalars,
    lambda children: st.lists(children, max_size=4) | st.dictionaries(texts, children, max_size=4),
    max_leaves=25,
)


@given(
    value=documents,
    newline=st.sampled_from(("\n", "\r\n", "\r")),
    mark=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_every_value_and_key_is_found_where_it_was_printed(
    value: Any, newline: str, mark: bool, seed: int
) -> None:
    printed = Printed(newline, Random(seed))
    printed.value(value)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "dataset.json")
        path.write_bytes((b"\xef\xbb\xbf" if mark else b"") + printed.text.encode())
        source = read(path, exact=True).source
    assert json.dumps(source.value, default=float) == json.dumps(value)
    for pointer, place in printed.values.items():
        assert source.locate(pointer) == place
    for pointer, place in printed.keys.items():
        assert source.locate(pointer, at_key=True) == place


@given(value=documents, cut=st.integers(0, 400), seed=st.integers(0, 2**32))
def test_the_scanner_refuses_what_the_standard_library_refuses(value: Any, cut: int, seed: int) -> None:
    printed = Printed("\n", Random(seed))
    printed.value(value)
    text = printed.text[: cut % (len(printed.text) + 1)] + printed.text[cut % (len(printed.text) + 1) + 1 :]
    assert _accepts(text) == _standard_library_accepts(text)


LIKE_JSON = [
    "01",
    "1.",
    ".5",
    "+1",
    "-",
    "1e",
    "0x1",
    "1_000",
    "--1",
    "NaN",
    "tru",
    "truefalse",
    "[1,]",
    '{"a":1,}',
    '"\\x"',
    '"\\u12"',
    '"a',
    "[",
    "{",
    '{"a"',
    '{"a":',
    '{"a"1}',
    "{1:2}",
    "0",
    "-0",
    "1.5e-7",
    '"\\u00e4"',
    "[]",
    "{}",
    "[[],{}]",
    "true",
    '{"":null}',
    "1E+5",
    "-0.0",
    "[1]",
    '{"a":[{}]}',
    "[1,2",
]


@pytest.mark.parametrize(
    "text", [*LIKE_JSON, "", " ", "[1 2]", "1 2", " true ", '"\t"', '["a" "b"]', "\ufeff1"]
)
def test_the_scanner_knows_json(text: str) -> None:
    assert _accepts(text) == _standard_library_accepts(text)


def test_a_missing_field_is_placed_at_its_object(tmp_path: Path) -> None:
    path = tmp_path / "dataset.json"
    path.write_text('{\n  "table": {"key": []}\n}\n')
    source = read(path).source
    assert source.locate(("table", "columns", "value")) == (2, 12)
    assert source.locate(("sink", "linger_ms"), at_key=True) == (1, 1)


def test_the_deepest_document_is_scanned() -> None:
    assert scan("[" * MAX_DEPTH + "]" * MAX_DEPTH).values
    with pytest.raises(SyntaxFault, match="nested more than"):
        scan("[" * 100_000)


def _accepts(text: str) -> bool:
    try:
        scan(text)
    except SyntaxFault:
        return False
    return True


def _standard_library_accepts(text: str) -> bool:
    def refuse(name: str) -> None:
        raise ValueError(name)

    try:
        json.loads(text, parse_constant=refuse)
    except ValueError:
        return False
    return True
