"""What a campaign found: a line of JSON for each part that is done, so that one that was broken off goes on there."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / ".campaign"

Figures = dict[str, Any]


class Results:
    """The file of one campaign. A part is known by its key, which names its size and its seed too."""

    def __init__(self, campaign: str, folder: Path) -> None:
        self.campaign = campaign
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / f"{campaign}.jsonl"

    def lines(self) -> list[Figures]:
        """All parts that are done."""
        if not self._file.exists():
            return []
        return [json.loads(line) for line in self._file.read_text(encoding="utf-8").splitlines()]

    def part(self, key: str, run: Callable[[], Figures]) -> Figures:
        """The figures of a part; `run` finds them unless they are there. `problems` lists what must not be."""
        done = next((line for line in self.lines() if line["key"] == key), None)
        if done is not None:
            self.say(f"{key}: done before")
            return done
        started = time.monotonic()
        found = run()
        line = {
            "campaign": self.campaign,
            "key": key,
            "ended": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(time.monotonic() - started),
            **found,
        }
        with self._file.open("a", encoding="utf-8") as output:
            output.write(json.dumps(line, sort_keys=True) + "\n")
        self.say(json.dumps(line, sort_keys=True))
        return line

    def say(self, text: str) -> None:
        """How it goes, for whoever looks."""
        print(f"{datetime.now(UTC).isoformat(timespec='seconds')} {self.campaign}: {text}", flush=True)


def parser(doc: str | None) -> argparse.ArgumentParser:
    """The options that all campaigns have. One that is asked to stop takes its servers with it."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("asked to stop"))
    found = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument("--folder", type=Path, default=FOLDER, help="where results are kept")
    found.add_argument("--seed", type=int, default=1)
    return found


def exit_code(lines: Sequence[Figures]) -> int:
    """1 where any part found a problem."""
    return int(any(line["problems"] for line in lines))
