"""Strings that a pattern may match."""

import jsonschema_rs
import pytest

from compiler.record.matching import matching

PATTERNS = [
    *("^a$", "^[a-z]+$", "^[A-Z]{3}-[0-9]{2,4}$", "^(a|b(c|d)*)$", r"^\d{4}$", r"^\p{Lu}\S+$", "^[^a-z]$"),
    *(
        r"^\u00e9\x41$",
        "^sha256:[0-9a-f]{64}$",
        "a|b",
        "",
        "^x?$",
        r"^[\w.-]+@[\w-]+$",
        "^(?:a|b)$",
        r"^\.\[$",
    ),
    *("^(?<year>[0-9]{4})$", "^a{0}$", "^[a-]$", "^.*$", "^.{2,}?$"),
]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_one_of_the_strings_matches(pattern):
    validator = jsonschema_rs.Draft202012Validator({"pattern": pattern})
    assert any(map(validator.is_valid, matching(pattern)))


@pytest.mark.parametrize("pattern", ["(", "[a", "a{", "\\", "(?=a", "[\\", "\\u", ")", "*"])
def test_what_is_no_pattern_gives_no_trouble(pattern):
    assert isinstance(matching(pattern), tuple)


def test_open_repetitions_take_the_lengths_that_are_asked_for():
    assert {"a" * 7, "a" * 20} <= set(matching("^[a-z]+$", (7, 20)))


def test_what_the_decoder_refuses_is_left_out():
    assert "\0" not in "".join(matching(r"^[\u0000-\u0001]$"))
