"""Every fault of the list in docs/reliability.md has a test of its number, where the list says."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent
LIST = HERE.parents[1] / "docs" / "reliability.md"


def test_every_fault_of_the_list_has_its_test() -> None:
    rows = re.findall(
        r"^\| (\d+) \| .* \| `(test_\w+\.py)` \|", LIST.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert [int(number) for number, _ in rows] == list(range(1, 41))
    missing = [
        number
        for number, file in rows
        if f"\ndef test_{int(number):02d}_" not in (HERE / file).read_text(encoding="utf-8")
    ]
    assert missing == []
