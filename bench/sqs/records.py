"""Records of `alert_events`, about 250 bytes each: their text follows from their number, but for `raised_at`, which is now."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

ORGANISATIONS = 1000
_random = random.Random(20261125)  # noqa: S311 - not a secret
_ORGANISATIONS = [str(uuid.UUID(int=_random.getrandbits(128), version=4)) for _ in range(ORGANISATIONS)]
_SEVERITIES = ("info", "warning", "critical", "info", "warning")
_REGIONS = ("eu-central-1", "eu-west-1", "us-east-1")


def record(number: int, raised_at: str) -> str:
    """The JSON of a record; every number gives another key."""
    # A multiplication by a prime spreads the keys, as those of many producers are.
    spread = number * 2654435761 % 4294967296
    return (
        f'{{"org_id":"{_ORGANISATIONS[spread % ORGANISATIONS]}","dedupe_key":"disk-full/{spread:08x}/{number}",'
        f'"severity":"{_SEVERITIES[number % 5]}","raised_at":"{raised_at}","title":"Disk almost full on host {number % 997}",'
        f'"value":{number % 10000 / 100},"labels":{{"service":"api-{number % 37}","region":"{_REGIONS[number % 3]}"}}}}'
    )


def bodies(messages: int, records: int, dataset: str, start: int = 0) -> Iterator[str]:
    """Message bodies of `records` records each: envelopes of `dataset`, or one bare record where it is empty."""
    raised_at = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    for message in range(messages):
        first = start + message * records
        if dataset:
            listed = ",".join([record(number, raised_at) for number in range(first, first + records)])
            yield f'{{"dataset":"{dataset}","records":[{listed}]}}'
        else:
            yield record(first, raised_at)
