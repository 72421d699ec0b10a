"""What `sluice migrate` found, as a person reads it in a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from compiler.migrate.apply import Status
from compiler.migrate.errors import ways_out
from compiler.migrate.model import Hazard
from compiler.migrate.rehearse import Foreseen, Rehearsal
from compiler.migrate.verify import Verified


def status_text(status: Status) -> str:
    """Where a chain stands."""
    head = f"{status.dataset} v{status.version}: {len(status.applied)} applied, {len(status.pending)} pending"
    return _text(
        [
            head,
            *(f"  pending: {name}" for name in status.pending),
            *(f"  waits for the sink {text}" for text in status.held_back),
            *(f"  changed outside of its migrations: {text}" for text in status.drift),
            *([f"  {ways_out(status.dataset)}"] if status.drift else []),
            *(f"  {text}" for text in status.trouble),
        ]
    )


def rehearsal_text(found: Rehearsal) -> str:
    """What would run, with its SQL, and what stands in its way."""
    title = f"{found.dataset} v{found.version}"
    lines = []
    for name, steps in groupby(found.steps, lambda one: one.file.name):
        lines += [f"{title}: would run {name}", *(line for one in steps for line in _foreseen(one))]
    if not found.steps and not found.obstacles:
        lines.append(f"{title}: nothing to do")
    if found.obstacles:
        lines.append(f"{title}: cannot be applied as it is")
        lines += [f"  {line}" for text in found.obstacles for line in text.split("\n")]
    return _text(lines)


def _foreseen(one: Foreseen) -> Iterator[str]:
    step = one.step
    hazard = "" if step.hazard is Hazard.NONE else f", hazard {step.hazard}"
    yield f"  step {one.number}: {step.title}    lock {step.lock}, {step.effort}{hazard}"
    yield from (f"    {line}" for line in step.sql.split("\n"))
    if step.violations:
        found = "cannot be looked for before earlier steps have run" if one.later else one.rows or "none"
        yield f"    in the way: {found}"


def verified_text(found: Verified) -> str:
    """What a table was found to be, and what was kept of it."""
    title = f"{found.dataset} v{found.version}"
    if found.wrong:
        return _text([f"{title}: not as the journal says", *(f"  {text}" for text in found.wrong)])
    if found.last is None:
        return _text([f"{title}: nothing is applied yet"])
    lines = [f"{title}: as {found.last} left it"]
    if found.rebased:
        old, new = found.rebased
        lines.append(f"  its texts were kept from Postgres {old}; those of Postgres {new} are kept now")
        lines += [f"  written differently: {text}" for text in found.rewritten]
    return _text(lines)


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
