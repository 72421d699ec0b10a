"""Limits of one property that leave nothing between them: a table would be made that no record can fill."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from compiler.problems import Finding
from compiler.record.kinds import Facts, Kind
from compiler.record.objects import Member
from compiler.suggest import quoted

# types, keyword of the least, keyword of the most, whether the two may be equal
_PAIRS = (
    (Kind.NUMBER, "minimum", "maximum", True),
    (Kind.NUMBER, "minimum", "exclusiveMaximum", False),
    (Kind.NUMBER, "exclusiveMinimum", "maximum", False),
    (Kind.NUMBER, "exclusiveMinimum", "exclusiveMaximum", False),
    (Kind.STRING, "minLength", "maxLength", True),
    (Kind.ARRAY, "minItems", "maxItems", True),
    (Kind.OBJECT, "minProperties", "maxProperties", True),
)


def contradictions(members: Iterable[Member]) -> Iterator[Finding]:
    """Properties whose only type is one that two limits leave no value of; null aside."""
    for member in members:
        for text in _contradictions(member.facts):
            yield member.place.error(
                "record-property-never",
                f"The property {quoted(member.name)} admits no value: {text}.",
                "Mend one of the limits.",
                at_key=True,
            )


def _contradictions(facts: Facts) -> Iterator[str]:
    kind = facts.value_kind
    for limited, least, most, equal in _PAIRS if kind else ():
        if kind & ~limited:
            continue  # no limit of numbers speaks of a text
        low, high = max(facts.values(least), default=None), min(facts.values(most), default=None)
        if low is not None and high is not None and (low > high or (low == high and not equal)):
            yield f"{quoted(least)} {low} leaves nothing below {quoted(most)} {high}"
