"""A column's default, read back from the catalog as the JSON literal or the function that a Table would name."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from decimal import Decimal
from typing import Any

from compiler.canonical import Json
from compiler.literals import literal_json

# What pg_get_expr() writes for a constant of a type that a Table can have, and for nothing that runs code: a quoted
# text, a number or a boolean, with at most one cast. Anything else is compared by its text.
_CONSTANT = re.compile(
    r"(?:'(?:[^']|'')*'|-?[0-9][0-9.eE+-]*|\(-[0-9][0-9.eE+-]*\)|true|false)"
    r"(?:::[a-z ]+(?:\([0-9,]+\)|\[\])?)?",
    re.DOTALL,
)


def read_default(cursor: Any, type_name: str, expression: str) -> Json:
    """`[type, JSON literal]` for a constant, `[expression]` otherwise."""
    if not _CONSTANT.fullmatch(expression):
        return [expression]
    # The text is the catalog's own rendering of a constant, matched above: no value is spliced into it.
    row = cursor.execute(
        f"SELECT to_jsonb(({expression})::{type_name})::text AS value".replace("%", "%%"), ()
    ).fetchone()
    value = json.loads(row["value"], parse_float=_number)
    return [type_name, literal_json(type_name, _base64(value) if type_name == "bytea" else value)]


def _base64(text: str) -> str:
    """Bytes that the session writes in hexadecimal, as records and manifests hold them."""
    return b64encode(bytes.fromhex(text.removeprefix("\\x"))).decode()


def _number(text: str) -> Json:
    """A number that numeric(p,s) writes with its scale may be whole, and more exact than a float."""
    number = Decimal(text)
    return int(number) if number == number.to_integral_value() else float(number)
