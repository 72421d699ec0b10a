"""A published record keeps its exact text, wherever and however it stands in the file."""

from __future__ import annotations

import io
import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.problems import Problem
from compiler.publish.records import Record, RecordsError, digest, read

SCALARS = st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"]))
RECORDS = st.lists(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), SCALARS), max_size=6)
WHITE = st.sampled_from(["", " ", "\n", "\r\n", " \t"])


def records_of(data: bytes) -> list[tuple[int, str]]:
    found = read(io.BytesIO(data))
    return [(record.line, record.text) for record in found if isinstance(record, Record)]


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
    columns = [record.column for record in read(io.BytesIO(b'[\n  {"a":\n 1}, {"a": 2}]'))]
    assert columns == [3, 6]
    assert records_of(b'[\n  {"a":\n 1},\n  {"a": 2}]') == [(2, '{"a":\n 1}'), (4, '{"a": 2}')]


def test_characters_that_sqs_refuses_are_escaped_and_mean_the_same():
    record = next(read(io.BytesIO('{"a": "x\ufffey"}'.encode())))
    assert record.text == '{"a": "x\\ufffey"}'
    assert json.loads(record.text) == record.value


def problems_of(data: bytes) -> list[str]:
    """What is wrong with the file: line by line, or at the one place where it cannot be read on."""
    try:
        return [str(found) for found in read(io.BytesIO(data), "f") if isinstance(found, Problem)]
    except RecordsError as error:
        return [str(error)]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b'{"a": 1}\n{"a": }', "f:2:7: Expected a value, found }. [invalid-json]"),
        (
            b'{"a": 1} {"a": 2}\n{"a": 3}',
            "f:1:10: There is more text after the end of the document. Write one record a line. [invalid-json]",
        ),
        (b'{"a": NaN}', "f:1:7: Expected a value, found NaN. The file is neither JSON Lines,"),
        (b'[{"a": 1}\n{"a": 2}]', "f:2:1: A comma is missing before this. Separate the members with commas."),
        (b'[{"a": 1},', "f:1:11: Expected a value, found the end of the file. [invalid-json]"),
        (b"[] x", "f:1:4: There is more text after the end of the document. Remove it."),
        (
            b'{"a": 1}\n{"a": "\xff"}',
            "f:2:8: The text is not UTF-8: byte 0xff begins no character. Save it as UTF-8. [not-utf-8]",
        ),
        (b"[" * 100_000, "f: The record is nested too deeply. Flatten it."),
        (b'{"a": 1}\n' + b"[" * 100_000, "f:2:1: The record is nested too deeply. Flatten it."),
        (b'{"a": 1}\n{"a": 1e9999999999999999999}', "f:2:1: A number has too many digits."),
    ],
)
def test_what_is_not_json_is_told_with_its_place_its_rule_and_a_fix(data, told):
    (found,) = problems_of(data)
    assert found.startswith(told)


def test_every_bad_line_is_told_and_the_good_ones_are_read():
    data = b'{\'a\': 1}\n{"a": 2}\n  {"a": 3,}\nx\n{"a": 4}\n'
    assert problems_of(data) == [
        "f:1:2: Expected a key in double quotes, found 'a'. Use double quotes. [invalid-json]",
        'f:3:10: There is a comma before the closing "}". Remove the comma. [invalid-json]',
        "f:4:1: Expected a value, found x. [invalid-json]",
    ]
    read_well = [one.value for one in read(io.BytesIO(data)) if not isinstance(one, Problem)]
    assert read_well == [{"a": 2}, {"a": 4}]


def test_the_digest_leaves_the_file_at_its_start():
    file = io.BytesIO(b'{"a": 1}')
    assert len(digest(file)) == 64
    assert file.tell() == 0


def test_a_file_of_one_record_over_several_lines_is_that_record():
    assert records_of(b'{\n  "a": 1\n}\n') == [(1, '{\n  "a": 1\n}')]
    with pytest.raises(RecordsError, match=r"4:1: .* neither JSON Lines, nor one array, nor one record"):
        records_of(b'{\n  "a": 1\n}\n{\n  "a": 2\n}\n')
