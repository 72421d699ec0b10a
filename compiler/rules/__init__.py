"""What a manifest's JSON Schema cannot say: the meaning rules, each a small function that yields findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from compiler.manifest import RawManifest
from compiler.problems import Finding
from compiler.record import analyse
from compiler.record.remainder import remainder
from compiler.rules.alarms import ALARM_RULES
from compiler.rules.collisions import CROSS_RULES
from compiler.rules.identity import IDENTITY_RULES
from compiler.rules.limits import LIMIT_RULES
from compiler.rules.principals import PRINCIPAL_RULES
from compiler.rules.record import RECORD_RULES
from compiler.rules.unmanaged import UNMANAGED_RULES

__all__ = ["CROSS_RULES", "MEANING_RULES", "OPERATION_RULES", "meaning_findings"]

# Of `buffer`, `sink`, `alarms` and `events` alone, which an environment may override.
OPERATION_RULES: tuple[Callable[[RawManifest], Iterable[Finding]], ...] = (*LIMIT_RULES, *ALARM_RULES)

MEANING_RULES: tuple[Callable[[RawManifest], Iterable[Finding]], ...] = (
    *IDENTITY_RULES,
    *RECORD_RULES,
    *PRINCIPAL_RULES,
    *OPERATION_RULES,
    *UNMANAGED_RULES,
)


def meaning_findings(manifest: RawManifest) -> tuple[Finding, ...]:
    """Every finding of every rule on one manifest of the right shape.

    A fault in a property keeps the record from being analysed; then the rest is judged without that property.
    """
    found = tuple(finding for rule in MEANING_RULES for finding in rule(manifest))
    analysis = analyse(manifest)
    left = remainder(manifest, analysis.findings) if not analysis.is_whole else None
    if left is None:
        return found
    more = (finding for finding in meaning_findings(left.manifest) if left.says_nothing_of(finding))
    return tuple(dict.fromkeys((*found, *more)))
