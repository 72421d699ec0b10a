"""Patterns inside the subset mean the same to Postgres as to jsonschema-rs."""

from __future__ import annotations

import string

import jsonschema_rs
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from compiler.record.patterns import agrees

_literals = st.sampled_from(
    [
        *string.ascii_letters[:4],
        *string.digits[:3],
        *" -_/,:;=@#%&~'\"<>!`",
        r"\.",
        r"\$",
        r"\\",
        r"\-",
        r"\[",
    ]
)
_members = st.sampled_from(
    ["a", "b-d", "0-9", "A-Z", "_", " ", "!-/", ".", "$", "*", "(", r"\]", r"\\", r"\-", "^"]
)
_sets = st.lists(_members, min_size=1, max_size=3).map(lambda parts: "[" + "".join(parts) + "]")
_quantifiers = st.sampled_from(["", "", "", "?", "*", "+", "{2}", "{0,3}", "{1,}", "{0}"])
patterns = st.recursive(
    st.tuples(_literals | _sets, _quantifiers).map("".join),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.tuples(
            st.sampled_from(["(", "(?:"]), st.lists(inner, min_size=1, max_size=3).map("|".join), _quantifiers
        ).map(lambda part: f"{part[0]}{part[1]}){part[2]}"),
    ),
    max_leaves=6,
)
anchored = st.tuples(st.sampled_from(["", "^"]), patterns, st.sampled_from(["", "$"])).map("".join)
subjects = st.text(
    st.sampled_from([*"abcdABCZ0129 -_/.,$*()[]\\^!", "\n", "\r", "é", "\u00a0", "😀", "\u2028"]), max_size=8
)


@given(pattern=anchored, subject=subjects)
def test_postgres_and_json_schema_agree(postgres, pattern, subject):
    assume(agrees(pattern))
    admitted = jsonschema_rs.Draft202012Validator({"pattern": pattern}).is_valid(subject)
    (matched,) = postgres.execute("SELECT %s::text ~ %s", [subject, pattern]).fetchone()
    assert matched is admitted


@given(pattern=anchored)
def test_the_subset_is_not_empty(pattern):
    # Most of what the strategy makes is inside; the parser would be useless if it refused everything.
    if "{0}" not in pattern and "^" not in pattern[1:]:
        assert agrees(pattern) or "\\" in pattern or "[" in pattern or "{1,}" in pattern


@pytest.mark.parametrize(
    "pattern",
    [
        *(
            r"^a.b$",
            r"^\w+$",
            r"^\S+$",
            r"[[:alpha:]]",
            r"\bfoo\b",
            r"^\s$",
            "a{0,300}",
            r"\p{L}",
            "[^a]",
            r"\d",
            "(?i)a",
        ),
        *(
            "(?=a)",
            "(?<x>a)",
            "a*?",
            "a**",
            "a{2}{3}",
            "(a|)",
            "",
            "^$",
            "a|",
            "(^a)",
            "a$b",
            "é",
            "[é]",
            "a{,3}",
            "a{3,2}",
        ),
        *(
            "((a{255}){255}){255}",
            "***a",
            "[a",
            "(a",
            "a)",
            "a\\",
            "[z-a]",
            "[]a]",
            "x{",
            "]",
            "}",
            "\t",
            "[a-]-b]",
            "a\n",
        ),
    ],
)
def test_outside_the_subset(pattern):
    assert not agrees(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "^[a-z][a-z0-9_]*$",
        "^(red|green)$",
        r"^\$[0-9]+\.[0-9]{2}$",
        "^(?:ab|c){1,3}$",
        "x|y$",
        "^[-a-z]+$",
        "[0-9]{1,255}",
    ],
)
def test_inside_the_subset(pattern):
    assert agrees(pattern)
