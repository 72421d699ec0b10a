"""Text that Markdown shows as it is."""

from __future__ import annotations

import re


def plain(text: str) -> str:
    """Text whose punctuation Markdown takes for itself."""
    return re.sub(r"([\\`*_{}\[\]<>#|~&])", r"\\\1", text)


def fenced(text: str, language: str = "sql") -> tuple[str, ...]:
    """Code in a fence that is longer than any run of backticks in it."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return (f"{fence}{language}", text, fence)
