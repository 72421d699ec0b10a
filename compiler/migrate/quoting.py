"""Names and literals as SQL text, through psycopg.sql, with no connection and no character that cannot be seen.

A migration file is read by people and by line. So a literal never spans lines, and what does not print (line ends,
other controls, bidirectional overrides) is written as an escape: the text that a reviewer sees is the text that runs.
"""

from __future__ import annotations

from functools import lru_cache


@lru_cache(maxsize=4096)
def identifier(*parts: str) -> str:
    """A quoted, dotted name. Raises ValueError for a part that cannot be shown; `refusals` names it before."""
    from psycopg import sql  # a driver takes long to load, and most chains ask for no SQL

    for part in parts:
        if not part or not part.isprintable():
            raise ValueError(f"{part!r} is no name that SQL text can show")
    return sql.Identifier(*parts).as_string(None)


def columns(names: tuple[str, ...]) -> str:
    """Quoted names, comma-separated."""
    return ", ".join(identifier(name) for name in names)


@lru_cache(maxsize=4096)  # a comment stands on the table and on the view, and datasets share words
def literal(text: str) -> str:
    """A quoted string constant on one line."""
    from psycopg import sql

    quoted = sql.Literal(text).as_string(None).strip()
    if quoted[1:-1].isprintable():
        return quoted
    # Without a backslash in it, a constant means the same under the E prefix, which the escapes need.
    escaped = quoted if quoted.startswith("E") else f"E{quoted}"
    return "".join(char if char.isprintable() else _escape(char) for char in escaped)


def _escape(char: str) -> str:
    code = ord(char)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
