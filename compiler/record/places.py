"""Where in the author's files a part of the record schema stands."""

from __future__ import annotations

from dataclasses import dataclass

from compiler.problems import Finding, Pointer, Severity

ERROR = Severity.ERROR
WARNING = Severity.WARNING


@dataclass(frozen=True)
class Place:
    """A pointer into the manifest, or into `file` (a path as printed)."""

    pointer: Pointer
    file: str | None = None

    def below(self, *steps: str | int) -> Place:
        """The place of a part."""
        return Place((*self.pointer, *steps), self.file)

    def error(self, rule: str, message: str, fix: str | None = None, *, at_key: bool = False) -> Finding:
        """A finding here that stops the compiler."""
        return Finding(self.pointer, rule, message, fix, ERROR, at_key, self.file)

    def warning(self, rule: str, message: str, fix: str | None = None, *, at_key: bool = False) -> Finding:
        """A finding here that is shown and passes."""
        return Finding(self.pointer, rule, message, fix, WARNING, at_key, self.file)


class Refused(Exception):  # noqa: N818 - it carries a finding to the walk that collects it
    """Raised inside the analysis of one part; carries the finding that says why."""

    def __init__(self, finding: Finding) -> None:
        self.finding = finding
        super().__init__(finding.message)
