"""A manifest whose record schema has faults in some properties, without them: the rest can be judged in the same run.

A property that has a fault becomes one that admits anything. What is then found of it, or of what names it, follows
from the replacement and says nothing of the manifest; everything else holds as it stands.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from compiler.canonical import Json
from compiler.manifest import RawManifest
from compiler.problems import Finding, Pointer, Severity

_PROPERTIES = ("record", "properties")
_ONE_OF_MANY = (
    ("table", "indexes"),
    ("table", "checks"),
)  # an item of these is one statement on several columns


@dataclass(frozen=True)
class Remainder:
    """The manifest that is left to judge, and the names of the properties that were replaced."""

    manifest: RawManifest
    doubtful: frozenset[str]

    def says_nothing_of(self, finding: Finding) -> bool:
        """Whether the finding has to do with no property that was replaced."""
        if finding.pointer[:2] == _PROPERTIES and set(finding.pointer[2:3]) & self.doubtful:
            return False
        told = [
            finding.message,
            finding.fix or "",
            *map(str, finding.pointer),
            self._subject(finding.pointer),
        ]
        return not any(
            re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) for name in self.doubtful for text in told
        )

    def _subject(self, pointer: Pointer) -> str:
        """What the finding is about, as JSON text; a whole section is no subject."""
        if pointer[:1] == ("record",) or len(pointer) < 2:
            return ""
        length = 3 if pointer[:2] in _ONE_OF_MANY else len(pointer)
        value: Json = self.manifest.value
        for step in pointer[:length]:
            try:
                value = value[step]
            except (KeyError, IndexError, TypeError):
                return ""
        return json.dumps(value, ensure_ascii=False)


def remainder(manifest: RawManifest, faults: Iterable[Finding]) -> Remainder | None:
    """What is left without the properties that have an error; None where an error is not within one property."""
    properties = manifest.value["record"].get("properties", {})
    wrong = [fault for fault in faults if fault.severity is Severity.ERROR]
    names = {
        fault.pointer[2] for fault in wrong if fault.pointer[:2] == _PROPERTIES and len(fault.pointer) > 2
    }
    doubtful = frozenset(
        name for name in names if isinstance(name, str) and properties.get(name) not in ({}, None)
    )
    if not doubtful or any(fault.file for fault in wrong) or len(names) != len(doubtful):
        return None
    if any(fault.pointer[:2] != _PROPERTIES or len(fault.pointer) < 3 for fault in wrong):
        return None
    left = {**properties, **{name: {} for name in doubtful}}
    record = {**manifest.value["record"], "properties": left}
    return Remainder(RawManifest({**manifest.value, "record": record}, manifest.folder), doubtful)
