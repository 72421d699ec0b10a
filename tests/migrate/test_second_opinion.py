"""Squawk, a linter of migrations by others, on every statement that the cases plan; where we differ stands why."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

from compiler.migrate.model import POSTGRES_MINIMUM, Effort, Hazard, Lock, Mode, Phase, Step
from compiler.migrate.run import parts
from tests.migrate.cases import CASES
from tests.migrate.changing import grown
from tests.migrate.conftest import chain_of
from tests.support.datasets import alert_events

SQUAWK = Path(sys.executable).parent / "squawk"

# Rule -> the transactions in which its finding is expected, and why it is no fault there.
EXPECTED: dict[str, tuple[Callable[[tuple[Step, ...]], bool], str]] = {
    "ban-drop-column": (
        lambda steps: steps[0].phase is Phase.CONTRACT and steps[0].hazard is Hazard.DATA_LOSS,
        "the column goes when no sink writes it any more, and a reviewer has approved the loss",
    ),
    "ban-drop-constraint": (
        lambda steps: steps[0].lock is Lock.ACCESS_EXCLUSIVE,
        "a CHECK goes where the manifest drops it or another one takes its place; the key's where the new key's index is there",
    ),
    "ban-drop-default": (
        lambda steps: (
            all(step.phase is Phase.CONTRACT for step in steps)
            or _is_titled(steps, "drop the default", "widen")
        ),
        "sinks of both plans write the column, or it may be null",
    ),
    "ban-drop-not-null": (
        lambda steps: _is_titled(steps, "let "),
        "readers are told by the manifest's review; sinks of the old plan write as before",
    ),
    "ban-drop-view": (
        lambda steps: "CREATE VIEW" in steps[0].sql and steps[0].mode is Mode.OWN,
        "the view is made anew in the same transaction, with its privileges and comments",
    ),
    "changing-column-type": (
        lambda steps: steps[0].hazard is Hazard.TABLE_REWRITE or _is_titled(steps, "widen"),
        "a widening writes no row, which test_run measures; a rewrite is a hazard, and refused on a large table",
    ),
    "renaming-column": (
        lambda steps: steps[0].hazard is Hazard.BLOCKED_WRITES,
        "a hazard, with a reviewer's approval",
    ),
    "renaming-object": (
        lambda steps: _is_titled(steps, "rename column", "replace index"),
        "a CHECK's or an index's name is used by no client",
    ),
    "adding-not-nullable-field": (
        lambda steps: _is_titled(steps, "let "),
        "a validated CHECK has proven it before, in the same file: no row is read under the lock",
    ),
    "prefer-robust-stmts": (
        lambda steps: steps[0].mode is Mode.NONE,
        "the journal says where to go on after a kill; IF NOT EXISTS would take an invalid index for a finished one",
    ),
}


def _is_titled(steps: tuple[Step, ...], *starts: str) -> bool:
    return any(step.title.startswith(starts) for step in steps)


def transactions() -> Iterator[tuple[Step, ...]]:
    """The steps of each transaction of every change, each once. A first migration makes what nobody uses yet."""
    seen = set()
    for case in CASES.values():
        chain = grown(chain_of(alert_events(**case.old)), alert_events(**case.new))
        for file in chain.files[1:]:
            for part in parts(file.migration.steps):
                steps = tuple(step for _, step in part)
                text = as_run(steps)
                if text not in seen:
                    seen.add(text)
                    yield steps


def as_run(steps: tuple[Step, ...]) -> str:
    """The statements that the applier sends."""
    alone = steps[0].mode is Mode.NONE
    scope = "SET" if alone else "SET LOCAL"
    lines = []
    for step in steps:
        lines += [
            f"{scope} lock_timeout = '{step.lock_timeout}s';",
            f"{scope} statement_timeout = '{step.statement_timeout}s';",
            step.sql,
        ]
    return "\n".join(lines if alone else ["BEGIN;", *lines, "COMMIT;"]) + "\n"


def findings(folder: Path, files: dict[str, tuple[Step, ...]]) -> dict[str, set[str]]:
    """The rules that Squawk finds broken in each file."""
    for name, steps in files.items():
        (folder / name).write_text(as_run(steps), encoding="utf-8")
    done = subprocess.run(
        [SQUAWK, "--pg-version", str(POSTGRES_MINIMUM), "--reporter", "json", *sorted(files)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    found = defaultdict(set)
    for one in json.loads(done.stdout):
        found[one["file"]].add(one["rule_name"])
    return found


def test_squawk_finds_what_is_expected_and_nothing_else(tmp_path):
    files = {f"{number:04d}.sql": steps for number, steps in enumerate(transactions())}
    assert len(files) > 100
    found = findings(tmp_path, files)
    unexpected = [
        (rule, as_run(files[name]))
        for name, rules in sorted(found.items())
        for rule in sorted(rules)
        if rule not in EXPECTED or not EXPECTED[rule][0](files[name])
    ]
    assert unexpected == []
    assert set().union(*found.values()) == EXPECTED.keys(), "an exception that nothing needs"


def test_squawk_sees_what_would_do_harm(tmp_path):
    """The linter is at work: a plain index build and a CHECK that scans under its lock are found."""
    step = Step("x", "", Lock.SHARE, Effort.SCAN, "", Mode.OWN)
    bad = {
        "1.sql": 'CREATE INDEX "i" ON "t" ("a");',
        "2.sql": 'ALTER TABLE "t" ADD CONSTRAINT "c" CHECK ("a" > 0);',
    }
    files = {name: (Step(**{**step.__dict__, "sql": sql}),) for name, sql in bad.items()}
    found = findings(tmp_path, files)
    assert "require-concurrent-index-creation" in found["1.sql"]
    assert "constraint-missing-not-valid" in found["2.sql"]
