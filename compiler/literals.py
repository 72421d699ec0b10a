"""JSON literals of a column's type: the one spelling by which they are compared, and their text in SQL."""

from __future__ import annotations

import json
from base64 import b64decode
from datetime import UTC, datetime, time
from decimal import Decimal

from compiler.canonical import Json
from compiler.dataset import Array, BigInt, Bytea, ColumnType, ElementType, Integer, Jsonb


def literal_json(type_text: str, value: Json) -> Json:
    """A JSON literal in the one spelling of its value: a uuid in lower case, an instant in UTC, whole numbers whole.

    A time of day keeps its offset, which Postgres stores with it; base64 has one spelling already.

    Postgres writes 1e300 with all its digits; JSON may write them so or not.
    """
    match type_text, value:
        case "uuid", str():
            return value.lower()
        case "timestamp with time zone", str():
            return datetime.fromisoformat(value.upper()).astimezone(UTC).isoformat()
        case "time with time zone", str():
            return time.fromisoformat(value.upper()).isoformat()
        case "double precision", int() | float():
            return float(value)
        case array, list() if array.endswith("[]"):
            return [literal_json(array.removesuffix("[]"), item) for item in value]
        case _:
            return _whole_numbers(value)


def _whole_numbers(value: Json) -> Json:
    match value:
        case float() if value.is_integer():
            return int(Decimal(repr(value)))
        case list():
            return [_whole_numbers(item) for item in value]
        case dict():
            return {key: _whole_numbers(item) for key, item in value.items()}
        case _:
            return value


def constant_text(type_: ColumnType, text: str) -> str:
    """The literal as Postgres reads it between quotes; `text` is the JSON literal's text, and no null."""
    value = json.loads(text, parse_float=str)
    match type_, value:
        case Array(element), list():
            return f"{{{','.join(_element(element, item) for item in value)}}}"
        case Bytea(), str():
            return f"\\x{b64decode(value, validate=True).hex()}"
        case BigInt() | Integer(), str():  # 1e3 and 10.0 are integers of JSON and none of Postgres
            return str(int(Decimal(value)))
        case (Jsonb(), _) | (_, bool()):
            return text
        case _:
            return str(value)


def _element(type_: ElementType, value: Json) -> str:
    """An element of an array's text. All but null are quoted, so that a text such as NULL stays one."""
    if value is None:
        return "NULL"
    text = constant_text(type_, json.dumps(value, ensure_ascii=False))
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
