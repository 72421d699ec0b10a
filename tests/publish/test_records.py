"""A published record keeps its exact text, wherever and however it stands in the file."""

from __future__ import annotations

import io
import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.publish.records import RecordsError, digest, read

SCALARS = st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"]))
RECORDS = st.lists(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), SCALARS), max_size=6)
WHITE = st.sampled_from(["", " ", "\n", "\r\n", " \t"])


def records_of(data: bytes) -> list[tuple[int, str]]:
    return [(record.line, record.text) for record in read(io.BytesIO(data))]


@given(RECORDS, WHITE, st.booleans(), st.sampled_from(["\n", "\r\n"]))
def test_an_array_and_its_json_lines_hold_the_same_records(records, white, bom, newline):
    texts = [json.dumps(record, ensure_ascii=False) for record in records]
    start = "\ufeff" if bom else ""
    array = start + white + "[" + white + f"{white},{white}".join(texts) + white + "]" + white
    lines = start + newline.join(texts)
    values = [[record.value for record in read(io.BytesIO(form.encode()))] for form in (array, lines)]
    assert values == [records, records]


def test_numbers_keep_their_digits():
    text = '{"value": 100.00000000000000001, "id": 123456789012345678901234}'
    record = next(read(io.BytesIO(text.encode())))
    assert record.text == text
    assert record.value == {"value": Decimal("100.00000000000000001"), "id": 123456789012345678901234}


def test_a_record_names_the_line_where_it_begins():
    assert records_of(b'\n{"a": 1}\n\n{"a": 2}\n') == [(2, '{"a": 1}'), (4, '{"a": 2}')]
    assert records_of(b'[\n  {"a":\n 1},\n  {"a": 2}]') == [(2, '{"a":\n 1}'), (4, '{"a": 2}')]


def test_characters_that_sqs_refuses_are_escaped_and_mean_the_same():
    record = next(read(io.BytesIO('{"a": "x\ufffey"}'.encode())))
    assert record.text == '{"a": "x\\ufffey"}'
    assert json.loads(record.text) == record.value


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"a": 1}\n{"a": }', "line 2: Expecting value"),
        (b'{"a": 1} {"a": 2}', "line 1: there is more than one JSON value on the line (at column 9)"),
        (b'{"a": NaN}', "line 1: NaN is not JSON"),
        (b'[{"a": 1}\n{"a": 2}]', "line 2: expected ',' or ']' after a record, found '{'"),
        (b'[{"a": 1},', "Expecting value"),
        (b"[] x", "there is something after the array's closing"),
        (b'{"a": 1}\n{"a": "\xff"}', "line 2: not UTF-8"),
        (b"[" * 100_000, "recursion"),
    ],
)
def test_what_is_not_json_is_refused_with_its_line(data, message):
    with pytest.raises(RecordsError) as refused:
        records_of(data)
    assert message in str(refused.value)


def test_the_digest_leaves_the_file_at_its_start():
    file = io.BytesIO(b'{"a": 1}')
    assert len(digest(file)) == 64
    assert file.tell() == 0


def test_a_file_of_one_record_over_several_lines_is_that_record():
    assert records_of(b'{\n  "a": 1\n}\n') == [(1, '{\n  "a": 1\n}')]
    with pytest.raises(RecordsError, match="neither JSON Lines, nor one array, nor one record"):
        records_of(b'{\n  "a": 1\n}\n{\n  "a": 2\n}\n')
