"""What `sluice plan` came to, as a person reads it in a terminal or a review, or as a machine does."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, assert_never

from compiler.cli.markdown import fenced, plain
from compiler.migrate import history
from compiler.migrate.approve import approving
from compiler.migrate.chain import TABLE
from compiler.migrate.model import Hazard, Step
from compiler.migrate.planner import Change, Create, Nothing, Refused, Written
from compiler.migrate.propose import Proposal
from compiler.migrate.sizes import Size, work


def reported(proposal: Proposal, form: str, *, check: bool = False, size: Size | None = None) -> str:
    """A proposal as `text`, `markdown` or `json`; with `check` nothing was written. `size` is the live table's.

    What is printed is those of all proposals, `together`.
    """
    match form:
        case "json":
            return json.dumps(_document(proposal, size), indent=2, ensure_ascii=False)
        case "markdown":
            return "".join(f"{line}\n" for line in _markdown(proposal, size))
        case _:
            return "".join(f"{line}\n" for line in _lines(proposal, size, check=check))


def together(reports: Iterable[str], form: str) -> str:
    """What is printed of several proposals: `reports` are theirs; as `json` one list."""
    if form != "json":
        return "".join(reports)
    items = [report.replace("\n", "\n  ") for report in reports]  # a string in JSON holds no line end
    return "[\n  " + ",\n  ".join(items) + "\n]\n" if items else "[]\n"


def _lines(proposal: Proposal, size: Size | None, *, check: bool) -> Iterable[str]:
    title = f"{proposal.dataset} v{proposal.version}"
    match proposal.plan:
        case Nothing():
            yield f"{title}: {_without_sql(proposal)}"
        case Create(files) | Change(files):
            for written in files:
                yield from _migration_lines(title, written, size)
        case Refused(reasons, way_out):
            yield f"{title}: refused"
            yield from (f"  {reason}" for reason in reasons)
            yield f"  {way_out}"
        case _:
            assert_never(proposal.plan)
    if proposal.evolution:
        from compiler.cli.record_report import record_lines  # most records are unchanged

        yield from record_lines(proposal.evolution)
    yield from (f"  {'would write' if check else 'wrote'} {path}" for path in proposal.paths)
    yield from (f"  to approve: {text}" for text in _to_approve(proposal))


def _without_sql(proposal: Proposal) -> str:
    """What is new where no migration is."""
    news = {history.FILE: "the record schema is new", TABLE: "what others manage on the table is new"}
    return " and ".join(news[path.name] for path in proposal.paths) or "nothing to do"


def _migration_lines(title: str, file: Written, size: Size | None) -> Iterable[str]:
    yield f"{title}: {file.name}, phase {file.migration.phase}"
    for number, step in enumerate(file.migration.steps, start=1):
        hazard = "" if step.hazard is Hazard.NONE else f", hazard {step.hazard}"
        yield f"  step {number}: {step.title}    lock {step.lock}, {work(step, size)}{hazard}"


def _to_approve(proposal: Proposal) -> Iterable[str]:
    """The commands that approve the hazards of what was planned."""
    if isinstance(proposal.plan, Change):
        for written in proposal.plan.files:
            for number, _ in written.migration.unapproved():
                yield approving(proposal.dataset, written.migration, number)


def _document(proposal: Proposal, size: Size | None) -> dict[str, Any]:
    """`result` is `nothing`, `create`, `change` or `refused`; fields that a result does not have are empty.

    `records` is None where the record schema is the first or unchanged.
    """
    document: dict[str, Any] = {
        "dataset": proposal.dataset,
        "version": proposal.version,
        "result": type(proposal.plan).__name__.lower(),
        "files": [str(path) for path in proposal.paths],
        "migrations": [],
        "to_approve": list(_to_approve(proposal)),
        "reasons": [],
        "way_out": None,
        "records": None,
    }
    if proposal.evolution:
        from compiler.cli.record_report import record_document

        document["records"] = record_document(proposal.evolution)
    match proposal.plan:
        case Nothing():
            pass
        case Create(files) | Change(files):
            document["migrations"] = [_migration(written, size) for written in files]
        case Refused(reasons, way_out):
            document |= {"reasons": list(reasons), "way_out": way_out}
        case _:
            assert_never(proposal.plan)
    return document


def _migration(file: Written, size: Size | None) -> dict[str, Any]:
    steps = [
        {
            "title": step.title,
            "lock": str(step.lock),
            "effort": str(step.effort),
            "mode": str(step.mode),
            "hazard": str(step.hazard),
            "after": step.after,
            "sql": step.sql,
            "violations": step.violations or None,
            "rows": size.rows if size and step.scan else None,
            "bytes": size.bytes if size and step.scan else None,
        }
        for step in file.migration.steps
    ]
    return {"file": file.name, "phase": str(file.migration.phase), "steps": steps}


def _markdown(proposal: Proposal, size: Size | None) -> Iterator[str]:
    """For a comment on a change under review: a table of the steps, then their SQL."""
    title = f"### {proposal.dataset} v{proposal.version}"
    match proposal.plan:
        case Nothing():
            yield f"{title}: {_without_sql(proposal)}"
        case Create(files) | Change(files):
            for written in files:
                yield from _migration_markdown(title, written, size)
            commands = tuple(_to_approve(proposal))
            if commands:
                yield from ("", "To approve, after review:", "", *fenced("\n".join(commands), "sh"))
        case Refused(reasons, way_out):
            yield from (
                f"{title}: refused",
                "",
                *(f"* {plain(reason)}" for reason in reasons),
                "",
                plain(way_out),
            )
        case _:
            assert_never(proposal.plan)
    if proposal.evolution:
        from compiler.cli.record_report import record_markdown

        yield from record_markdown(proposal.evolution)
    yield ""


def _migration_markdown(title: str, file: Written, size: Size | None) -> Iterator[str]:
    yield f"{title}: {file.name}, phase {file.migration.phase}"
    yield from ("", "| step | lock | work | runs | hazard |", "|---|---|---|---|---|")
    for number, step in enumerate(file.migration.steps, start=1):
        yield _row(number, step, size)
    yield from ("", *fenced("\n".join(step.sql for step in file.migration.steps)), "")


def _row(number: int, step: Step, size: Size | None) -> str:
    hazard = "none" if step.hazard is Hazard.NONE else f"**{step.hazard}**"
    return f"| {number}. {plain(step.title)} | {step.lock} | {work(step, size)} | {step.mode} | {hazard} |"
