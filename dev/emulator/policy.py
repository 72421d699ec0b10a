"""Decide what an IAM policy document says of one request.

This is the part of IAM's evaluation that our own policies use: Allow and Deny, Action, NotAction, Resource, NotResource,
Principal, and the condition operators below. What is not understood never allows and always denies, so that the
emulator may refuse what AWS would permit, and never the other way round.
Source of the rules: IAM User Guide, "Policy evaluation logic" and "IAM JSON policy elements".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import Any

Document = Mapping[str, Any]


class Decision(Enum):
    """What a policy says: an explicit deny wins over any allow; silence is a refusal in the end."""

    ALLOW = "allow"
    DENY = "deny"
    SILENT = "silent"


@dataclass(frozen=True)
class Request:
    """One request as a policy sees it.

    `principals` holds every name that a Principal element may use for the caller, each as "AWS:<arn or account>" or
    "Service:<name>"; `context` holds the values of condition keys.
    """

    action: str
    resource: str
    principals: frozenset[str] = frozenset()
    context: Mapping[str, str] = field(default_factory=dict)


def decide(documents: Iterable[Document], request: Request) -> Decision:
    """What the documents say together of a request."""
    found = {decision for document in documents for decision in _decisions(document, request)}
    if Decision.DENY in found:
        return Decision.DENY
    return Decision.ALLOW if Decision.ALLOW in found else Decision.SILENT


def _decisions(document: Document, request: Request) -> Iterable[Decision]:
    for statement in _listed(document.get("Statement", [])):
        applies = _applies(statement, request)
        denies = statement.get("Effect") != "Allow"
        if applies is None:  # not understood
            applies = denies
        if applies:
            yield Decision.DENY if denies else Decision.ALLOW


def _applies(statement: Document, request: Request) -> bool | None:
    """Whether a statement is about the request; None where it holds an element that is not understood here."""
    parts = (
        _element(statement, "Action", request.action.lower(), str.lower),
        _resource(statement, request.resource),
        _principal(statement, request.principals),
        _conditions(statement.get("Condition", {}), request.context),
    )
    if any(part is False for part in parts):
        return False
    return None if None in parts else True


def _element(statement: Document, name: str, value: str, fold: Callable[[str], str] = str) -> bool | None:
    patterns, inverse = statement.get(name), statement.get(f"Not{name}")
    if (patterns is None) == (inverse is None):
        return None
    if patterns is not None:
        return any(matches(fold(pattern), value) for pattern in _listed(patterns))
    return not any(matches(fold(pattern), value) for pattern in _listed(inverse))


def _resource(statement: Document, resource: str) -> bool | None:
    """A trust policy has principals and no resource: it speaks of the role that it belongs to."""
    if "Principal" in statement and "Resource" not in statement and "NotResource" not in statement:
        return True
    return _element(statement, "Resource", resource)


def _principal(statement: Document, principals: frozenset[str]) -> bool | None:
    """An identity policy names no principal: it speaks of the identity that it is attached to."""
    if "NotPrincipal" in statement:
        return None
    if "Principal" not in statement:
        return True
    named = statement["Principal"]
    if named == "*":
        return True
    if not isinstance(named, Mapping):
        return None
    return any(
        (kind == "AWS" and name == "*") or f"{kind}:{name}" in principals
        for kind, names in named.items()
        for name in _listed(names)
    )


def _conditions(conditions: Mapping[str, Mapping[str, Any]], context: Mapping[str, str]) -> bool | None:
    found = [
        _condition(operator, key, values, context)
        for operator, keys in conditions.items()
        for key, values in keys.items()
    ]
    if any(one is False for one in found):
        return False
    return None if None in found else True


def _condition(operator: str, key: str, values: Any, context: Mapping[str, str]) -> bool | None:
    optional = operator.endswith("IfExists")
    compare = OPERATORS.get(operator.removesuffix("IfExists"))
    if compare is None:
        return None
    actual = {name.lower(): value for name, value in context.items()}.get(key.lower())
    if actual is None:
        return optional
    return any(compare(str(value), actual) for value in _listed(values))


@lru_cache(maxsize=1024)
def _pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)


def matches(pattern: str, value: str) -> bool:
    """Whether a pattern with the wildcards `*` and `?` covers the whole value."""
    return _pattern(pattern).fullmatch(value) is not None


def _bool(expected: str, actual: str) -> bool:
    return expected.lower() == actual.lower()


def _equal(expected: str, actual: str) -> bool:
    return expected == actual


OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "ArnEquals": matches,
    "ArnLike": matches,
    "Bool": _bool,
    "StringEquals": _equal,
    "StringLike": matches,
}


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]
