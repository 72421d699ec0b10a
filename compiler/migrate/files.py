"""The migration file: written in one way, read strictly. What a reviewer approved is, byte for byte, what runs.

    -- sluice migration 0001  dataset alert_events v1  phase expand
    -- from sha256:…  to sha256:…  previous none  sql sha256:…
    -- planner 1  postgres 15+
    -- step 1: create table "alert_events_v1"    lock none, instant    after sha256:…
    CREATE TABLE …

Three header lines, then the steps; all lines end with LF. A step that is not plain (in one transaction with its
neighbours, the usual timeouts, no hazard) says how it runs in a second line, and what clears the way after a kill:

    -- step 2: create index "alert_events_v1_by_region_idx"    lock SHARE UPDATE EXCLUSIVE, scan    after sha256:…
    -- runs without a transaction    lock_timeout 0s, statement_timeout 0s    hazard none    partial sha256:…
    -- after a kill: DROP INDEX CONCURRENTLY "datasets"."alert_events_v1_by_region_idx";
    CREATE INDEX CONCURRENTLY …

A step that rows may stand in the way of has the query for them in a line of its own, and the approval of a hazard stands
among the headers:

    -- approved: step 2 data-loss sql12:41fd09aa31c7 because "Nobody reads it since March."
    -- refuses while there is: SELECT "org_id" FROM …

So do the marks of a file that makes what was done by hand somewhere, and of one whose SQL was edited and proven:

    -- adopts what was done by hand
    -- edited: "Fewer locks."  shadow postgres 18 sql sha256:…
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from compiler.migrate.model import PLANNER, Approval, Edit, Effort, Hazard, Lock, Migration, Mode, Phase, Step

NAME = re.compile(r"([0-9]{4})_([a-z0-9_]+)\.sql")

_HASH = r"sha256:[0-9a-f]{64}"
_FIRST = re.compile(
    r"-- sluice migration (?P<number>[0-9]{4})  "
    r"dataset (?P<dataset>[a-z][a-z0-9_]*) v(?P<version>[1-9][0-9]*)  "
    rf"phase (?P<phase>{'|'.join(Phase)})"
)
_SECOND = re.compile(
    rf"-- from (?P<before>{_HASH})  to (?P<after>{_HASH})  previous (?P<previous>none|{_HASH})  sql (?P<sql>{_HASH})"
)
_THIRD = re.compile(r"-- planner (?P<planner>[1-9][0-9]*)  postgres (?P<postgres>[1-9][0-9]*)\+")
_STEP = re.compile(
    rf"-- step (?P<number>[1-9][0-9]*): (?P<title>.+)    "
    rf"lock (?P<lock>{'|'.join(Lock)}), (?P<effort>{'|'.join(Effort)})    after (?P<after>{_HASH})"
)
_RUNS = re.compile(
    rf"-- runs (?P<mode>{'|'.join(Mode)})    "
    r"lock_timeout (?P<lock_timeout>[0-9]+)s, statement_timeout (?P<statement_timeout>[0-9]+)s    "
    rf"hazard (?P<hazard>{'|'.join(Hazard)})    partial (?P<partial>none|{_HASH}(?: {_HASH})*)"
)
_APPROVED = re.compile(
    rf"-- approved: step (?P<step>[1-9][0-9]*) (?P<hazard>{'|'.join(one.word for one in Hazard)}) "
    r'sql12:(?P<sql12>[0-9a-f]{12}) because "(?P<why>[^"]*[^" ][^"]*)"'
)
_ADOPTS = "-- adopts what was done by hand"
_EDITED = re.compile(
    r'-- edited: "(?P<why>[^"]*[^" ][^"]*)"  '
    rf"shadow postgres (?P<major>[1-9][0-9]*) sql (?P<sql>{_HASH})"
)
_RECOVERY = "-- after a kill: "
_VIOLATIONS = "-- refuses while there is: "
_BESIDE = ((_RECOVERY, "recovery"), (_VIOLATIONS, "violations"))


class FileError(ValueError):
    """The text is not a migration file; `line` counts from 1, 0 for the file as a whole."""

    def __init__(self, message: str, line: int = 0) -> None:
        self.line = line
        super().__init__(f"line {line}: {message}" if line else message)


class EditedError(FileError):
    """The file is well formed, but its SQL is not the SQL that its header was written for."""


def file_name(migration: Migration, slug: str) -> str:
    """`0001_create.sql`."""
    return f"{migration.number:04d}_{slug}.sql"


def write(migration: Migration) -> str:
    """The file's text; `read` gives the same migration back. Raises ValueError where the SQL cannot be told apart."""
    target = f"dataset {migration.dataset} v{migration.version}"
    ends = f"from {migration.before}  to {migration.after}"
    lines = [
        f"-- sluice migration {migration.number:04d}  {target}  phase {migration.phase}",
        f"-- {ends}  previous {migration.previous}  sql {migration.sql_sha256}",
        f"-- planner {migration.planner}  postgres {migration.postgres}+",
        *_mark_lines(migration),
        *map(approval_line, migration.approvals),
    ]
    for number, step in enumerate(migration.steps, start=1):
        lines += [_step_line(number, step), *_how(step), step.sql]
    text = "\n".join(lines) + "\n"
    if read(text) != migration:
        raise ValueError(
            f"{migration.dataset} {migration.number:04d}: the SQL holds a line that reads as a header"
        )
    return text


def _mark_lines(migration: Migration) -> Iterable[str]:
    if migration.adopts:
        yield _ADOPTS
    if migration.edited:
        how = migration.edited
        yield f'-- edited: "{how.why}"  shadow postgres {how.major} sql {how.sql_sha256}'


def approval_line(approval: Approval) -> str:
    """The header line that approves a step's hazard."""
    return (
        f"-- approved: step {approval.step} {approval.hazard.word} sql12:{approval.sql12} "
        f'because "{approval.why}"'
    )


def read(text: str, *, edited: bool = False) -> Migration:
    """The migration that a file's text says. Raises FileError, or EditedError where only the SQL was changed.

    With `edited` the SQL may be another than the header says.
    """
    lines = _lines(text)
    first = _header(_FIRST, lines, 0)
    second = _header(_SECOND, lines, 1)
    third = _header(_THIRD, lines, 2)
    if int(third["planner"]) > PLANNER:
        raise FileError(f"planner {third['planner']} wrote this file; this release reads up to {PLANNER}", 3)
    marks, start = _marks(lines, 3)
    approvals = tuple(_approvals(lines, start))
    start += len(approvals)
    migration = Migration(
        number=int(first["number"]),
        dataset=first["dataset"],
        version=int(first["version"]),
        phase=Phase(first["phase"]),
        before=second["before"],
        after=second["after"],
        previous=second["previous"],
        steps=tuple(_steps(lines[start:], start + 1, Phase(first["phase"]))),
        planner=int(third["planner"]),
        postgres=int(third["postgres"]),
        approvals=approvals,
        **marks,
    )
    _check(migration, migration.sql_sha256 if edited else second["sql"], edited=edited)
    return migration


def _check(migration: Migration, sql_sha256: str, *, edited: bool) -> None:
    if migration.sql_sha256 != sql_sha256:
        raise EditedError(
            f"the steps' SQL has the hash {migration.sql_sha256}, the header says {sql_sha256}", 2
        )
    if not edited and migration.edited and migration.edited.sql_sha256 != sql_sha256:
        raise EditedError(
            f"it was proven for the hash {migration.edited.sql_sha256}, the SQL has {sql_sha256}", 4
        )
    if migration.steps[-1].after != migration.after:
        raise FileError("the last step's fingerprint is not the one that the file goes to", 2)


def _marks(lines: list[str], at: int) -> tuple[dict[str, Any], int]:
    """What the lines after the headers say of the whole file, and the index of the first line after them."""
    marks: dict[str, Any] = {}
    if lines[at : at + 1] == [_ADOPTS]:
        marks["adopts"] = True
        at += 1
    if at < len(lines) and lines[at].startswith("-- edited:"):
        found = _EDITED.fullmatch(lines[at])
        if found is None:
            raise FileError('expected `-- edited: "<why>"  shadow postgres N sql sha256:…`', at + 1)
        marks["edited"] = Edit(found["why"], int(found["major"]), found["sql"])
        at += 1
    return marks, at


def _approvals(lines: list[str], at: int) -> Iterable[Approval]:
    for number, line in enumerate(lines[at:], start=at + 1):
        if not line.startswith("-- approved:"):
            return
        found = _APPROVED.fullmatch(line)
        if found is None:
            raise FileError('expected `-- approved: step N <hazard> sql12:<12 hex> because "<why>"`', number)
        hazard = next(one for one in Hazard if one.word == found["hazard"])
        yield Approval(int(found["step"]), hazard, found["sql12"], found["why"])


def _step_line(number: int, step: Step) -> str:
    return f"-- step {number}: {step.title}    lock {step.lock}, {step.effort}    after {step.after}"


def _how(step: Step) -> Iterable[str]:
    """How the step runs, where it is not plain."""
    plain = Step(step.title, step.sql, step.lock, step.effort, step.after, phase=step.phase)
    if step == plain:
        return
    limits = f"lock_timeout {step.lock_timeout}s, statement_timeout {step.statement_timeout}s"
    partial = " ".join(step.partial) or "none"
    yield f"-- runs {step.mode}    {limits}    hazard {step.hazard}    partial {partial}"
    yield from (f"{mark}{text}" for mark, name in _BESIDE if (text := getattr(step, name)))


def _lines(text: str) -> list[str]:
    """The lines, split at LF alone. Raises FileError for a BOM, a CR or a missing last line end."""
    if text.startswith("\ufeff"):
        raise FileError("the file starts with a byte order mark", 1)
    if "\r" in text:
        raise FileError(
            "the line ends with CR LF; migrations have LF alone", text[: text.index("\r")].count("\n") + 1
        )
    if not text.endswith("\n"):
        raise FileError("the last line has no line end; is the file cut off?")
    return text[:-1].split("\n")


def _header(pattern: re.Pattern[str], lines: list[str], index: int) -> re.Match[str]:
    found = pattern.fullmatch(lines[index]) if index < len(lines) else None
    if found is None:
        expected = (
            "-- sluice migration NNNN …",
            "-- from … to … previous … sql …",
            "-- planner N  postgres N+",
        )
        raise FileError(f"expected `{expected[index]}`", index + 1)
    return found


def _steps(lines: list[str], first: int, phase: Phase) -> Iterable[Step]:
    """The steps of the lines after the headers; `first` is the number of the first of these lines."""
    if not lines or not lines[0].startswith("-- step "):
        raise FileError("expected `-- step 1: …`", first)
    starts = [index for index, line in enumerate(lines) if line.startswith("-- step ")]
    for number, (start, end) in enumerate(zip(starts, [*starts[1:], len(lines)], strict=True), start=1):
        yield _step(number, lines[start:end], start + first, phase)


def _step(number: int, lines: list[str], line: int, phase: Phase) -> Step:
    found = _STEP.fullmatch(lines[0])
    if found is None:
        raise FileError("expected `-- step N: <what>    lock …, …    after sha256:…`", line)
    if found["number"] != str(number):
        raise FileError(f"expected step {number}, found step {found['number']}", line)
    how, rest = _read_how(lines[1:], line + 1)
    sql = "\n".join(rest)
    if not sql.strip():
        raise FileError(f"step {number} has no SQL", line)
    lock, effort = Lock(found["lock"]), Effort(found["effort"])
    return Step(found["title"], sql, lock, effort, found["after"], phase=phase, **how)


def _read_how(lines: list[str], line: int) -> tuple[dict[str, Any], list[str]]:
    """What the second line of a step says of it, if there is one, and the lines after it."""
    if not lines or not lines[0].startswith("-- runs "):
        return {}, lines
    found = _RUNS.fullmatch(lines[0])
    if found is None:
        raise FileError("expected `-- runs …    lock_timeout …    hazard …    partial …`", line)
    how: dict[str, Any] = {
        "mode": Mode(found["mode"]),
        "hazard": Hazard(found["hazard"]),
        "lock_timeout": int(found["lock_timeout"]),
        "statement_timeout": int(found["statement_timeout"]),
        "partial": () if found["partial"] == "none" else tuple(found["partial"].split(" ")),
    }
    rest = lines[1:]
    for mark, name in _BESIDE:
        if rest and rest[0].startswith(mark):
            how[name] = rest[0].removeprefix(mark)
            rest = rest[1:]
    return how, rest
