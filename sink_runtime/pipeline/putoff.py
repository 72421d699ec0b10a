"""How long a message is put off that may fare better later, by how often it was received: never a hot loop.

What waits for a newer plan or for another table's row is held for HOLD_SECONDS in all, in waits that double, and no
more often than leaves SQS a receive to spare: a message that SQS itself moves to the dead-letter queue tells no reason.
"""

from __future__ import annotations

HOLD_SECONDS = 900
_HOLDS = 5
FIRST_SECONDS = 30
LONGEST_SECONDS = 900


def hold_seconds(receives: int, max_receive_count: int) -> int | None:
    """How long to hold a message at its `receives`-th receive; None once it was held long enough, or may not be."""
    holds = min(_HOLDS, max_receive_count - 2)
    if receives > holds:
        return None
    share = 2.0 ** (receives - 1) / (2.0**holds - 1)
    return round(HOLD_SECONDS * share)


def backoff_seconds(receives: int) -> int:
    """How long to put a message off that nothing but SQS' own redrive will ever take."""
    return int(min(FIRST_SECONDS * 2.0 ** min(receives - 1, 10), LONGEST_SECONDS))
