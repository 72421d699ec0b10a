"""A dataset's record against every earlier one of its version: what its authors and reviewers must know.

An unchanged record costs nothing: it was judged when `sluice plan` wrote it down. Entries of another version never count.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from compiler.canonical import Json
from compiler.dataset import Dataset
from compiler.examples import valid_examples
from compiler.migrate.history import HistoryEntry, of_version, settled
from compiler.problems import Finding, Pointer, Severity
from compiler.record.compatibility import (
    Compatibility,
    Sample,
    Verdict,
    compare,
    shown,
)
from compiler.record.meaning import same_meaning

RULE = "incompatible-record"
_WORST_FIRST = (Verdict.NO, Verdict.UNKNOWN, Verdict.YES)


@dataclass(frozen=True)
class RecordRefusal:
    """A sentence on one difference, its place in the manifest, and a record that shows it where one was found."""

    told: str
    pointer: Pointer
    sample: Sample | None = None


@dataclass(frozen=True)
class Evolution:
    """What a changed record, or a reason given for one, came to.

    `worst` is the comparison that decides, among those with each earlier record schema of the version, and `last` that
    with the one before; both are None where there is none. `because` is the manifest's `evolve.compatible`. `settled`:
    the history has the present record already.
    """

    version: int
    because: str | None
    settled: bool
    worst: Compatibility | None
    last: Compatibility | None

    @property
    def refused(self) -> bool:
        """Whether the dataset cannot go on in this version."""
        if self.settled or self.worst is None:
            return False
        return self.worst.verdict is Verdict.NO or (
            self.worst.verdict is Verdict.UNKNOWN and self.because is None
        )

    @property
    def accepted(self) -> bool:
        """Whether the reason in the manifest is what lets the dataset go on."""
        return bool(self.because and self.worst and self.worst.verdict is Verdict.UNKNOWN)

    @property
    def superfluous(self) -> bool:
        """Whether there is a reason and nothing that needs it."""
        return bool(self.because) and (self.worst is None or self.worst.verdict is Verdict.YES)

    @property
    def refusals(self) -> tuple[RecordRefusal, ...]:
        """Why it is refused, one for each difference; empty where it is not."""
        if not self.refused or self.worst is None:
            return ()
        if not self.worst.refused:
            return (self._unshown(self.worst),)
        return tuple(
            RecordRefusal(self._sentence(sample), _place([sample.pointer], gone=sample.gone), sample)
            for sample in self.worst.refused
        )

    @property
    def way_out(self) -> str:
        """What the author may do instead."""
        ways = f'Take the change back, or set "version" to {self.version + 1}: a new version is a table of its own.'
        if self.worst and self.worst.verdict is Verdict.UNKNOWN:
            return f'{ways} Or say in "evolve.compatible" why no such record was sent or waits.'
        return f'{ways} The reason in "evolve.compatible" does not hold.' if self.because else ways

    def _unshown(self, found: Compatibility) -> RecordRefusal:
        """Without a sample the changes themselves are told."""
        opening = "It cannot be proved that no" if found.verdict is Verdict.UNKNOWN else "A"
        changes = "; ".join(map(str, found.changes))
        told = f"{opening} record that version {self.version} admitted is refused now: {changes}."
        return RecordRefusal(told, _place([change.pointer for change in found.changes]))

    def _sentence(self, sample: Sample) -> str:
        told = f"A record that version {self.version} admitted is refused now: {sample}"
        proved = self.worst and self.worst.proof is Verdict.UNKNOWN and not sample.gone
        return f"{told} The schemas alone leave it open; a record proves it." if proved else told


def evolution(dataset: Dataset, entries: tuple[HistoryEntry, ...], folder: Path) -> Evolution | None:
    """Judge the dataset's record; None where it is the first, or unchanged, and no reason is given for it."""
    ours = of_version(entries, dataset.version)
    unchanged = settled(ours, dataset)
    if unchanged and dataset.compatible_because is None:
        return None
    found = _comparisons(dataset, ours, folder)
    worst = min(found, key=lambda one: _WORST_FIRST.index(one.verdict), default=None)
    return Evolution(
        dataset.version, dataset.compatible_because, unchanged, worst, found[0] if found else None
    )


def evolution_findings(evolved: Evolution | None) -> Iterator[Finding]:
    """The same for `sluice check`, in the manifest: at the property, or at the record."""
    if evolved is None:
        return
    if evolved.superfluous:
        yield Finding(
            ("evolve", "compatible"),
            "superfluous-reason",
            f"No record that version {evolved.version} admitted before is refused, so no reason is needed.",
            "Remove it.",
            Severity.WARNING,
        )
    for refusal in evolved.refusals:
        example = f" Such a record: {shown(refusal.sample.record.value)}" if refusal.sample else ""
        yield Finding(refusal.pointer, RULE, f"{refusal.told}{example}", evolved.way_out)


def _comparisons(dataset: Dataset, ours: tuple[HistoryEntry, ...], folder: Path) -> list[Compatibility]:
    """With each earlier effective schema that differs from the present one, newest first."""
    met = [dataset.effective]
    for entry in reversed(ours):
        if not any(same_meaning(entry.effective, other) for other in met):
            met.append(entry.effective)
    known: tuple[Json, ...] = valid_examples(folder) if met[1:] else ()
    return [compare(earlier, dataset.effective, known) for earlier in met[1:]]


def _place(pointers: Sequence[Pointer], *, gone: bool = False) -> Pointer:
    """The property in the manifest that all the values belong to; the record where that is no single one."""
    properties = {pointer[:1] for pointer in pointers}
    if len(properties) != 1 or () in properties:
        return ("record",)
    return ("record", "properties", *(() if gone and len(pointers[0]) == 1 else properties.pop()))
