"""A reviewer's approval of a step's hazard, written into its file. No driver is imported.

An approval names the step's SQL by its hash, so it is void when the SQL changes. It changes the file's bytes, and with
them what the files after it say of it: only files that no database has seen can be approved, and apply refuses the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from compiler.canonical import sha256_bytes
from compiler.migrate import files
from compiler.migrate.model import Approval, Chain, ChainFile, Hazard, Migration
from compiler.problems import Finding

UNAPPROVED = "hazard-unapproved"


class ApproveError(ValueError):
    """There is nothing to approve as it was asked for."""


def approving(dataset: str, migration: Migration, step: int) -> str:
    """The command that approves a step."""
    return f'sluice plan {dataset} --approve {migration.number:04d}.{step} --because "<why>"'


def approved(chain: Chain, steps: Iterable[tuple[int, int]], why: str) -> tuple[tuple[ChainFile, str], ...]:
    """The files that change, each with its new text, when the steps (file number, step number) are approved.

    Raises ApproveError for a step that is not there or has no hazard, and for a reason that a header cannot hold.
    """
    if not why.strip() or '"' in why or not why.isprintable():
        raise ApproveError("The reason is one line of text without double quotes.")
    wanted = dict.fromkeys(steps)
    known = {
        (file.migration.number, step)
        for file in chain.files
        for step in range(1, len(file.migration.steps) + 1)
    }
    for number, step in wanted.keys() - known:
        raise ApproveError(f"There is no step {number:04d}.{step} in this chain.")
    return tuple(_rewritten(chain, wanted, why))


def _rewritten(
    chain: Chain, wanted: Mapping[tuple[int, int], None], why: str
) -> Iterator[tuple[ChainFile, str]]:
    previous: str | None = None
    for member in chain.files:
        chosen = [step for number, step in wanted if number == member.migration.number]
        if not chosen and previous is None:
            continue
        migration = replace(
            member.migration,
            approvals=_approvals(member, sorted(chosen), why),
            previous=previous or member.migration.previous,
        )
        text = files.write(migration)
        previous = sha256_bytes(text.encode())
        yield ChainFile(member.name, migration, previous), text


def _approvals(member: ChainFile, chosen: Iterable[int], why: str) -> tuple[Approval, ...]:
    kept = {one.step: one for one in member.migration.approvals}
    for number in chosen:
        step = member.migration.steps[number - 1]
        if step.hazard is Hazard.NONE:
            raise ApproveError(
                f"Step {member.migration.number:04d}.{number} ({step.title}) has no hazard to approve."
            )
        kept[number] = Approval(number, step.hazard, step.sql12, why)
    return tuple(kept[number] for number in sorted(kept))


def with_approvals(migration: Migration, given: tuple[Approval, ...]) -> Migration:
    """The migration with the approvals that were given elsewhere for steps with its very hazards and SQL."""
    steps = enumerate(migration.steps, start=1)
    found = ((number, next((one for one in given if one.fits(step)), None)) for number, step in steps)
    return replace(migration, approvals=tuple(replace(one, step=number) for number, one in found if one))


def approval_findings(chain: Chain) -> Iterator[Finding]:
    """Hazards that nobody has approved, and approvals of what is not there."""
    for member in chain.files:
        for number, step in member.migration.unapproved():
            yield Finding(
                (),
                UNAPPROVED,
                f"Step {number} ({step.title}) may do harm ({step.hazard}), and nobody has approved it.",
                f"After review: `{approving(chain.dataset, member.migration, number)}`.",
                file=member.path,
            )
        for one in member.migration.void_approvals():
            yield Finding(
                (),
                "approval-void",
                f"The approval of step {one.step} ({one.hazard}, sql12:{one.sql12}) is of no step as it is here.",
                "Remove its line only with the SQL that it was for; restore the file from git otherwise.",
                file=member.path,
            )
