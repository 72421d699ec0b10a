from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from compiler.manifest import read
from compiler.manifest.source import MAX_BYTES, Parsed


def parsed(folder: Path, content: str | bytes, *, exact: bool = False) -> Parsed:
    path = folder / "dataset.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read(path, "dataset.json", exact=exact)


def rules(found: Parsed) -> list[str]:
    return [problem.rule for problem in found.problems]


def test_whole_numbers_are_integers_however_they_are_written(tmp_path: Path) -> None:
    value = parsed(tmp_path, "[1.0, 1e3, -0.0, 1.5, 9007199254740993, 1e300]").source.value
    assert value == [1, 1000, 0, 1.5, 9007199254740993, 1e300]
    assert [type(item) for item in value] == [int, int, int, float, int, float]


@pytest.mark.parametrize("number", ["0.1", "1e-7", "123456.789", "1e308", "5e-324"])
def test_a_number_that_a_double_prints_again_is_exact(tmp_path: Path, number: str) -> None:
    assert parsed(tmp_path, f"[{number}]").problems == ()


@pytest.mark.parametrize(
    "number", ["100.00000000000000001", "1e400", "1e-400", "0.1234567890123456789", "1e99999999999999999999"]
)
def test_a_number_that_a_double_would_change_is_a_problem(tmp_path: Path, number: str) -> None:
    found = parsed(tmp_path, f'{{"maximum": {number}}}')
    assert [(problem.rule, problem.pointer, problem.column) for problem in found.problems] == [
        ("number-precision", "$.maximum", 13)
    ]
    assert not found.usable


def test_exact_reading_keeps_every_digit(tmp_path: Path) -> None:
    found = parsed(tmp_path, "[100.00000000000000001, 1e-400, 1.0]", exact=True)
    assert found.source.value == [Decimal("100.00000000000000001"), Decimal("1e-400"), Decimal("1.0")]


def test_equal_keys_are_all_told_and_the_last_counts(tmp_path: Path) -> None:
    found = parsed(tmp_path, '{"a": 1, "b": {"c": 1, "\\u0063": 2}, "a": 3, "a": 4}')
    assert found.source.value == {"a": 4, "b": {"c": 2}}
    assert [(problem.pointer, problem.column) for problem in found.problems] == [
        ("$.b.c", 24),
        ("$.a", 38),
        ("$.a", 46),
    ]
    assert found.usable


def test_a_byte_order_mark_is_no_character(tmp_path: Path) -> None:
    found = parsed(tmp_path, '\ufeff{"a": 1, "a": 2}')
    assert [(problem.line, problem.column) for problem in found.problems] == [(1, 10)]


def test_bytes_that_are_no_utf_8_are_placed(tmp_path: Path) -> None:
    found = parsed(tmp_path, '{"ä":\n "'.encode() + b"\xff" + b'"}')
    assert [(p.rule, p.line, p.column) for p in found.problems] == [("not-utf-8", 2, 3)]


def test_a_surrogate_pair_is_text_and_half_of_one_is_not(tmp_path: Path) -> None:
    assert parsed(tmp_path, r'{"a": "\ud83d\ude00"}').problems == ()
    found = parsed(tmp_path, r'{"a": "\ude00\ud83d"}')
    assert rules(found) == ["bad-character"]


def test_brackets_in_strings_do_not_nest(tmp_path: Path) -> None:
    value = {"description": "[{" * 500, "list": [[]] * 150}
    assert parsed(tmp_path, json.dumps(value)).source.value == value


def test_a_number_of_thousands_of_digits_is_a_problem(tmp_path: Path) -> None:
    assert rules(parsed(tmp_path, "[" + "9" * 5000 + "]")) == ["number-precision"]


def test_a_huge_file_is_not_parsed(tmp_path: Path) -> None:
    assert rules(parsed(tmp_path, " " * (MAX_BYTES + 1))) == ["file-too-large"]


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert [problem.rule for problem in read(tmp_path).problems] == ["unreadable-file"]
