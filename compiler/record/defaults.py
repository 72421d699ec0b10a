"""Is a column's default a value that the column takes?"""

from __future__ import annotations

import jsonschema_rs

from compiler.canonical import Json
from compiler.dataset import ColumnType
from compiler.explain import explain
from compiler.record.bundle import Bundle
from compiler.record.domain import holder, limits
from compiler.table import type_name


def default_fault(value: Json, schema: Json, type_: ColumnType, bundle: Bundle) -> str | None:
    """Why the value is not admitted by the property's schema and its column's domain, or None."""
    asked = {"allOf": [schema], "$defs": bundle.definitions}
    own = jsonschema_rs.Draft202012Validator(asked, validate_formats=True, offline=True)
    if not own.is_valid(value):
        return explain(own.iter_errors(value), asked)[0].message.removesuffix(".")
    if holder(type_).is_valid(value):  # one that Postgres would round is not the one that the manifest says
        return None
    told = limits(type_, rounds=False)
    return f"{type_name(type_)} holds {told or 'other values'}"
