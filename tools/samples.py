"""The samples of docs/migrations.md: what the commands print in one story, on a real Postgres. `make samples` writes them.

In the page a sample stands between `<!-- sample: NAME -->` and `<!-- end -->`, indented by four. Hashes, process ids, durations
and sizes are masked (`samples_world`); a test makes all samples anew and compares.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from textwrap import indent
from typing import Any

from tools.pages import ROOT
from tools.samples_world import NAME, PREFIX, World, world

PAGE = ROOT / "docs" / "migrations.md"
_SAMPLE = re.compile(r"(?<=<!-- sample: )([a-z-]+)( -->\n)(.*?)(?=<!-- end -->\n)", re.DOTALL)
_APPLY = ("migrate", "apply", "--prefix", PREFIX)
_TABLE = "datasets.alert_events_v1"
# Its plan is of a chain without the contract file.
_OLD_SINK = """
INSERT INTO sluice.sink_instances (dataset, role, instance, plan_sha256, version, contract, started_at, last_seen)
VALUES ('alert_events', current_user, 'sink-7f9c:1', 'sha256:' || repeat('5b21c09d', 8), 1, 0, now(), now())
"""


def samples() -> dict[str, str]:
    """Each sample by name. Takes some seconds: servers, locks that are waited for, a process that is killed."""
    found: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder, world(Path(folder).resolve()) as here:
        for chapter in (_records, _grow, _lock, _revert, _rows, _by_hand, _fork):
            found |= chapter(here)
    return found


def page(text: str, found: Mapping[str, str]) -> str:
    """The page's text with these samples. Raises KeyError where it asks for another."""
    return _SAMPLE.sub(lambda match: f"{match[1]}{match[2]}{indent(found[match[1]], ' ' * 4)}", text)


def _column(name: str, **keywords: Any) -> Any:
    return lambda manifest: manifest["record"]["properties"].update({name: {"type": "string", **keywords}})


def _records(here: World) -> dict[str, str]:
    """An enum that loses a word, and one that gains one; both taken back."""
    found = {}
    for name, words, how in (
        ("refused", ["warning", "critical"], ()),
        ("admitted", ["info", "warning", "critical", "page"], ("--check", "--format", "markdown")),
    ):
        here.edit(_severity(words))
        found[name] = here.sluice("plan", *how, NAME)
        here.git("checkout", ".")
    return {**found, "reason": _reason(here)}


def _reason(here: World) -> str:
    """A property is removed that a record did not have to have; its author says why no such record waits."""
    name = "integrity_signals"
    why = "The scanner never filled note: no row has one, and its code that would is gone."
    with here.with_dataset(name):
        here.edit(lambda manifest: manifest["record"]["$defs"]["finding"]["properties"].pop("note"), name)
        here.edit(lambda manifest: manifest.update(evolve={"compatible": why}), name)
        return here.sluice("plan", "--check", "--format", "markdown", name)


def _severity(words: list[str]) -> Any:
    return lambda manifest: manifest["record"]["properties"]["severity"].update(enum=words)


def _grow(here: World) -> dict[str, str]:
    """A column and an index; the build waits for an old snapshot, its applier is killed, and another goes on."""
    here.edit(_column("region", maxLength=40))
    here.edit(
        lambda manifest: manifest["table"]["indexes"].append({"name": "by_region", "columns": ["region"]})
    )
    found = {"sizes": here.sluice("plan", "--check", "--sizes", NAME), "plan": here.sluice("plan", NAME)}
    found["file"] = _masked_file(here, "0002_change.sql")
    here.commit("region")
    report = ("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", "SELECT count(*) FROM sluice.datasets")
    with here.session(*report):
        found["build"] = here.until("waits for pid", lambda process: process.kill(), *_APPLY)
        here.wait_for_no_build()
    return {**found, "resume": here.sluice(*_APPLY)}


def _masked_file(here: World, name: str) -> str:
    path = f"datasets/{NAME}/migrations/v1/{name}"
    text = here.masked((here.root / path).read_text(encoding="utf-8"))
    return f"$ cat {path}\n{text}"


def _lock(here: World) -> dict[str, str]:
    """A lock that another session is in the way of, until it ends."""
    here.edit(_column("zone"))
    here.sluice("plan", NAME)
    here.commit("zone")
    with here.session("SELECT count(*) FROM datasets.alert_events_v1") as report:
        return {"lock": here.until("no lock yet", lambda _: report.rollback(), *_APPLY)}


def _revert(here: World) -> dict[str, str]:
    """The last commit is taken back in git, while the database has its migration."""
    here.git("revert", "--no-edit", "HEAD")
    ahead = here.sluice(*_APPLY)
    here.edit(lambda manifest: manifest.update(evolve={"compatible": "No job sends zone."}))
    undo = here.sluice("plan", NAME, "--undo", "0003")
    approve = here.sluice("plan", NAME, "--approve", "0004.1", "--because", "Nobody has read it.")
    here.database(_OLD_SINK)
    held = here.sluice(*_APPLY)
    here.database("DELETE FROM sluice.sink_instances")
    here.sluice(*_APPLY)
    here.commit("zone goes")
    return {"ahead": ahead, "undo": undo, "approve": approve, "approval": _approval(here), "held": held}


def _approval(here: World) -> str:
    text = _masked_file(here, "0004_drop_zone.sql")
    return "".join(f"{line}\n" for line in text.splitlines() if line.startswith("-- approved"))


def _rows(here: World) -> dict[str, str]:
    """A CHECK that two rows break."""
    here.edit(lambda manifest: manifest["table"].update(checks={"value": "value <= 100"}))
    here.sluice("plan", NAME)
    here.commit("a limit")
    found = {"dry-run": here.sluice(*_APPLY, "--dry-run", NAME), "rows": here.sluice(*_APPLY)}
    here.database("UPDATE datasets.alert_events_v1 SET value = 100")
    here.sluice(*_APPLY)
    return found


def _by_hand(here: World) -> dict[str, str]:
    """A column added and an index made in the night."""
    here.database(
        f"ALTER TABLE {_TABLE} ADD COLUMN extra text", f"CREATE INDEX slow_query ON {_TABLE} (sender)"
    )
    found = {"drift": here.sluice(*_APPLY), "cannot-adopt": here.sluice("migrate", "adopt", NAME)}
    here.database("ALTER INDEX datasets.slow_query RENAME TO alert_events_v1_slow_query_idx")
    found["adopt"] = here.sluice("migrate", "adopt", NAME)
    here.edit(_column("extra"))
    index = {"name": "slow_query", "columns": ["sender"]}
    here.edit(lambda manifest: manifest["table"]["indexes"].append(index))
    here.sluice("plan", NAME)
    here.commit("extra")
    return {**found, "entered": here.sluice(*_APPLY)}


def _fork(here: World) -> dict[str, str]:
    """Two branches plan from one base, and are merged."""
    here.git("switch", "-q", "-c", "ours")
    _branch(here, "team")
    here.git("switch", "-q", "main")
    _branch(here, "host")
    here.git("switch", "-q", "ours")
    here.git("merge", "main", check=False)
    here.git("checkout", "--ours", f"datasets/{NAME}/dataset.json")
    here.edit(_column("host"))
    return {"fork": here.sluice("check"), "rebase": here.sluice("plan", NAME, "--rebase")}


def _branch(here: World, name: str) -> None:
    here.edit(_column(name))
    here.sluice("plan", NAME)
    here.commit(name)


def main() -> None:
    """Write the page's samples."""
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), samples()), encoding="utf-8")


if __name__ == "__main__":
    main()
