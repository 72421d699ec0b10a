from pathlib import Path

import pytest

from tests.invalid_manifests.cases import EXPECTED, cases, manifests, messages


@pytest.mark.parametrize("case", cases(), ids=lambda path: path.name)
def test_a_wrong_manifest_is_told_in_full(case: Path) -> None:
    assert messages(case) == (case / EXPECTED).read_text(encoding="utf-8")


@pytest.mark.parametrize("case", cases(), ids=lambda path: path.name)
def test_a_case_is_wrong(case: Path) -> None:
    assert manifests(case), "a case needs a manifest"
    lines = messages(case).splitlines()
    assert any(": warning: " not in line for line in lines), "a case needs an error"


def test_there_are_many() -> None:
    assert len(cases()) >= 150
