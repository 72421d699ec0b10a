"""Values as Pulumi's wire has them: what a number is, and what is not known yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""Stands in a preview for a value that only an update will know (Pulumi's `UnknownStringValue`)."""


def exact(value: Any) -> Any:
    """A value with its integers: every number on the wire is a float."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {key: exact(one) for key, one in value.items()}
    return [exact(one) for one in value] if isinstance(value, list) else value
