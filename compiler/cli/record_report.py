"""What a plan does to the records that may be sent: in words, as Markdown, as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from compiler.cli.markdown import fenced, plain
from compiler.migrate.evolution import Evolution
from compiler.record.compatibility import Compatibility, Sample, Verdict, shown

_MOST = 5
_NOT_NEEDED = "evolve.compatible is not needed: remove it"


def record_lines(evolved: Evolution) -> Iterator[str]:
    """For a terminal, below the plan's own lines: samples of what is refused, or why all is well.

    Of a record that an earlier plan has written down nothing is told again, but that its reason may go.
    """
    if evolved.worst and not evolved.settled:
        yield f"  records: {_verdict(evolved)}"
        for sample in evolved.worst.refused[:_MOST]:
            told = "" if evolved.refused else f"{sample} "  # a refusal has told it already
            yield f"    refused now: {told}{shown(sample.record.value)}"
    if evolved.superfluous:
        yield f"  {_NOT_NEEDED}"


def record_markdown(evolved: Evolution) -> Iterator[str]:
    """For a review: the verdict, what changed, and sample records of both kinds."""
    if evolved.worst and evolved.last and not evolved.settled:
        yield from ("", f"**Records**: {plain(_verdict(evolved))}")
        yield from ("", *(f"* {plain(str(change))}" for change in evolved.last.changes))
        yield from _samples("Refused now", evolved.worst.refused)
        yield from _samples("Admitted now", evolved.last.admitted)
        if evolved.last.widens is Verdict.UNKNOWN:
            yield from ("", "Whether more is admitted than before cannot be proved.")
    if evolved.superfluous:
        yield from ("", f"{plain(_NOT_NEEDED)}.")


def record_document(evolved: Evolution) -> dict[str, Any]:
    """For a machine.

    `verdict` and `proof` are `yes`, `no`, `unknown` on "is every earlier record still admitted?", with and without the
    samples; `widens` is the same on "is more admitted now?". Samples are whole records.
    """
    worst, last = evolved.worst, evolved.last
    return {
        "verdict": str(worst.verdict if worst else Verdict.YES),
        "proof": str(worst.proof if worst else Verdict.YES),
        "refused": evolved.refused,
        "because": evolved.because,
        "because_needed": evolved.accepted,
        "changes": [str(change) for change in last.changes] if last else [],
        "widens": str(last.widens if last else Verdict.NO),
        "refused_now": _documents(worst.refused if worst else ()),
        "admitted_now": _documents(last.admitted if last else ()),
    }


def _verdict(evolved: Evolution) -> str:
    if evolved.accepted:
        return f'not proved to be all admitted still; accepted because "{evolved.because}"'
    match evolved.worst:
        case Compatibility(verdict=Verdict.NO):
            return "some that were admitted are refused now"
        case Compatibility(verdict=Verdict.UNKNOWN):
            return "not proved to be all admitted still"
        case _:
            return "all that were admitted still are"


def _samples(title: str, samples: tuple[Sample, ...]) -> Iterator[str]:
    if samples:
        yield from ("", f"{title}, for example:")
    for sample in samples[:_MOST]:
        yield from ("", plain(str(sample)), "", *fenced(shown(sample.record.value), "json"))
    if len(samples) > _MOST:
        yield from ("", f"… and {len(samples) - _MOST} more.")


def _documents(samples: Iterable[Sample]) -> list[dict[str, Any]]:
    return [{"why": str(sample), "record": sample.record.value} for sample in samples]
