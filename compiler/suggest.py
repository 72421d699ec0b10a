"""`Did you mean "dedupe_key"?`"""

from __future__ import annotations

import json
from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """A question that names the known word nearest to `word`, or None where none is near."""
    from difflib import get_close_matches  # only where there is a problem

    candidates = sorted(set(known))
    folded = {candidate.casefold().replace("-", "_"): candidate for candidate in candidates}
    near = get_close_matches(word.casefold().replace("-", "_"), folded, n=1, cutoff=0.6)
    return f"Did you mean {quoted(folded[near[0]])}?" if near else None


def fix_for(word: str, known: Iterable[str], otherwise: str) -> str:
    """The nearest known word as a question, or `otherwise` where none is near."""
    return did_you_mean(word, known) or otherwise


def quoted(word: str) -> str:
    """The word in double quotes, as JSON writes it."""
    return json.dumps(word, ensure_ascii=False)


def listed(words: Iterable[str], conjunction: str = "or") -> str:
    """`"a", "b" or "c"`."""
    *head, last = [quoted(word) for word in words]
    return f"{', '.join(head)} {conjunction} {last}" if head else last


def counted(count: int, noun: str) -> str:
    """`1 item`, `1,200 items`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
