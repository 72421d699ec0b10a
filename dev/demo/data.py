"""The demo's records: realistic, and the same at every run, so that every number is known beforehand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_DNS, uuid5

START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
ALERTS, REPEATED_ALERTS = 1_900, 100
ASSETS, OBSERVATIONS = 500, 3
EVENTS = 5_000
GOOD_BESIDE_BAD = 25
MORE = 400

SEVERITIES = ("info", "warning", "critical")
LEVELS = ("debug", "info", "info", "info", "warning", "error")

Record = dict[str, Any]


@dataclass(frozen=True)
class Sample:
    """One dataset's file: who publishes it, how many records it has and how many rows they come to."""

    dataset: str
    producer: str
    file: Path
    records: int
    rows: int


def write(folder: Path) -> tuple[Sample, ...]:
    """Write one JSON Lines file for each dataset into the folder, which exists."""
    alerts = [*map(_alert, range(ALERTS)), *map(_alert, range(REPEATED_ALERTS))]
    signals = list(_signals())
    events = list(map(_event, range(EVENTS)))
    return (
        Sample("alert_events", "monitor", _lines(folder / "alerts.jsonl", alerts), len(alerts), ALERTS),
        Sample(
            "integrity_signals", "scanner", _lines(folder / "signals.jsonl", signals), len(signals), ASSETS
        ),
        Sample("monitoring_events", "fleet", _lines(folder / "events.jsonl", events), EVENTS, EVENTS),
    )


def write_with_bad_records(folder: Path, datasets: Path) -> tuple[Sample, int]:
    """A file of alerts in which the dataset's own invalid examples stand between good ones; and how many are bad."""
    bad = [
        record
        for path in sorted((datasets / "alert_events" / "examples" / "invalid").glob("*.json"))
        for record in _examples(path)
    ]
    good = [_alert(ALERTS + number) for number in range(GOOD_BESIDE_BAD)]
    bad += [{**_alert(0), "title": "a \0 that Postgres cannot store"}, {**_alert(0), "labels": {"a": "\0"}}]
    mixed = [record for pair in zip_longest(bad, good) for record in pair if record is not None]
    file = _lines(folder / "alerts_with_bad_ones.jsonl", mixed)
    return Sample("alert_events", "monitor", file, len(mixed), ALERTS + GOOD_BESIDE_BAD), len(bad)


def write_more(folder: Path, when: str, *, runbook: bool = False) -> Sample:
    """A file of alerts that no other file has, with the property that the demo adds or without it."""
    more = {"runbook": "https://runbooks.example.org/disk-full"} if runbook else {}
    alerts = [
        {**_alert(number), "dedupe_key": f"disk-full/{when}-{number:05d}", **more} for number in range(MORE)
    ]
    return Sample("alert_events", "monitor", _lines(folder / f"alerts_{when}.jsonl", alerts), MORE, MORE)


def newest_score(asset: int) -> str:
    """The score that the newest observation of an asset has, as the numeric(6,3) column prints it."""
    return f"{_score(asset, OBSERVATIONS - 1):.3f}"


def asset_id(number: int) -> str:
    """The uuid of the demo's asset of that number."""
    return str(uuid5(NAMESPACE_DNS, f"asset-{number}.example.org"))


def _examples(path: Path) -> list[Any]:
    found = json.loads(path.read_text(encoding="utf-8"))
    return found if isinstance(found, list) else [found]


def _lines(file: Path, records: list[Any]) -> Path:
    file.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return file


def _alert(number: int) -> Record:
    return {
        "org_id": str(uuid5(NAMESPACE_DNS, f"org-{number % 20}.example.org")),
        "dedupe_key": f"disk-full/host-{number:05d}",
        "severity": SEVERITIES[number % 3],
        "raised_at": _time(number * 7),
        "title": f"Disk of host-{number:05d} is {80 + number % 20} % full",
        "value": (80 + number % 20) + number % 10 / 10,
        "labels": {"region": ("eu-central-1", "us-east-1")[number % 2], "service": f"service-{number % 12}"},
    }


def _signals() -> Iterator[Record]:
    """Every asset is observed several times, and the newest observation does not come last."""
    for observation in reversed(range(OBSERVATIONS)):
        for asset in range(ASSETS):
            yield {
                "asset_id": asset_id(asset),
                "check_name": "image-digest",
                "status": "ok",
                "score": _score(asset, observation),
                "observed_at": _time(observation * 86_400 + asset),
                "duration_ms": 20 + asset % 300,
                "findings": [],
            }


def _score(asset: int, observation: int) -> float:
    return 50 + (asset * 7 + observation * 13) % 50 + 0.125


def _event(number: int) -> Record:
    event: Record = {
        "source": f"host-{number % 250:03d}",
        "name": ("http.request", "disk.usage", "job.finished")[number % 3],
        "level": LEVELS[number % len(LEVELS)],
        "occurred_at": _time(number / 50),
        "value": number % 1000 / 8,
        "labels": {"zone": "abc"[number % 3], "canary": number % 20 == 0},
    }
    if number % 4 == 0:
        event["duration_ms"] = None if number % 8 else number / 16
    return event


def _time(seconds: float) -> str:
    return (START + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")
