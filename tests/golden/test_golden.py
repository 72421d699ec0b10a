"""The compiler's output for the repository's datasets, byte for byte. `make golden` writes it anew."""

from __future__ import annotations

import pytest

from tests.golden.build import HERE, build
from tests.golden.regenerate import committed


@pytest.fixture(scope="module")
def built() -> dict[str, str]:
    return build()


@pytest.mark.parametrize("path", committed())
def test_the_output_is_the_reviewed_one(built, path):
    assert path in built, "nothing makes this file any more; run `make golden`"
    assert built[path] == (HERE / path).read_bytes().decode(), "review the change, then run `make golden`"


def test_nothing_is_made_without_a_golden_file(built):
    assert sorted(built) == committed()


def test_the_same_input_gives_the_same_bytes(built):
    assert build() == built
