"""Which names are good column names: what a reader can write in SQL without quoting."""

from __future__ import annotations

import re
from functools import lru_cache

from compiler import names

_GOOD = re.compile(r"[a-z_][a-z0-9_]*")

# What PostgreSQL 18 does not take as a bare column name (its reserved words, and those that name types and functions).
# fmt: off
RESERVED_WORDS = frozenset((
    "all", "analyse", "analyze", "and", "any", "array", "as", "asc", "asymmetric", "authorization", "binary", "both",
    "case", "cast", "check", "collate", "collation", "column", "concurrently", "constraint", "create", "cross",
    "current_catalog", "current_date", "current_role", "current_schema", "current_time", "current_timestamp",
    "current_user", "default", "deferrable", "desc", "distinct", "do", "else", "end", "except", "false", "fetch", "for",
    "foreign", "freeze", "from", "full", "grant", "group", "having", "ilike", "in", "initially", "inner", "intersect",
    "into", "is", "isnull", "join", "lateral", "leading", "left", "like", "limit", "localtime", "localtimestamp",
    "natural", "not", "notnull", "null", "offset", "on", "only", "or", "order", "outer", "overlaps", "placing",
    "primary", "references", "returning", "right", "select", "session_user", "similar", "some", "symmetric",
    "system_user", "table", "tablesample", "then", "to", "trailing", "true", "union", "unique", "user", "using",
    "variadic", "verbose", "when", "where", "window", "with",
))
# fmt: on

# Every table has these already, whatever is declared.
SYSTEM_COLUMNS = frozenset(("ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"))


@lru_cache(maxsize=4096)
def fault(name: str) -> str | None:
    """Why `name` is no good column name, as the end of a sentence, or None."""
    if len(name.encode()) > names.POSTGRES_LIMIT:
        return f"is over {names.POSTGRES_LIMIT} bytes, which is as long as a name in Postgres can be"
    if name != name.lower():
        return "has capital letters, which readers would have to quote"
    if not _GOOD.fullmatch(name):
        return "has characters other than a-z, 0-9 and _, or starts with a digit, so readers would have to quote it"
    if name in RESERVED_WORDS:
        return "is a reserved word of SQL"
    if name in SYSTEM_COLUMNS:
        return "is a system column of Postgres"
    if name.startswith(names.RESERVED_COLUMN_PREFIX):
        return f'starts with "{names.RESERVED_COLUMN_PREFIX}", which is reserved for Sluice\'s own columns'
    return None


def good_name(name: str) -> str:
    """A good column name that is near to `name`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    near = re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")[:50] or "value"
    if near[0].isdigit():
        near = f"n_{near}"
    if near.startswith(names.RESERVED_COLUMN_PREFIX):
        near = near.removeprefix(names.RESERVED_COLUMN_PREFIX) or "value"
    return near if fault(near) is None else f"{near}_value"
