"""Text -> one expression -> its canonical text."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from compiler.dataset import ColumnType
from compiler.expressions.refused import ExpressionRefused, Fault
from compiler.suggest import quoted
from compiler.table import type_name

_SELECT = "SELECT "


def canonical_expression(sql: str) -> str:
    """The expression in one canonical form, however it was spaced or spelled. Raises ValueError where it is none."""
    return _parsed(sql)[1]


def expression_fault(sql: str, columns: Mapping[str, ColumnType]) -> Fault | None:
    """Why the expression may not stand in a CHECK or a predicate over those columns, or None."""
    from compiler.expressions.walk import require_allowed

    try:
        node, _ = _parsed(sql)
        require_allowed(node, {name: type_name(type_) for name, type_ in columns.items()})
    except ExpressionRefused as refused:
        return refused.fault
    return None


@lru_cache(maxsize=1024)
def _parsed(sql: str) -> tuple[Any, str]:
    """The expression's syntax tree and its canonical text."""
    from pglast.stream import RawStream

    node = _only_expression(sql)
    text = str(RawStream()(node))
    if any(ord(character) < ord(" ") for character in text):
        raise ExpressionRefused("A string in the expression holds a control character.", "Write it without.")
    # The text is what is reviewed and run: it must mean what was parsed.
    if _only_expression(text) != node:
        raise ExpressionRefused(
            f"The expression {quoted(sql)} cannot be written back unchanged.", "Write it simpler."
        )
    return node, text


def _only_expression(sql: str) -> Any:
    from pglast import ast
    from pglast.parser import ParseError, parse_sql

    try:
        statements = parse_sql(_SELECT + sql)
    except ParseError as error:
        raise ExpressionRefused(_syntax_error(error, sql), "Write one SQL expression.") from error
    match [raw.stmt for raw in statements]:
        case [ast.SelectStmt(targetList=(ast.ResTarget(name=None, val=node),)) as select] if (
            _bare(select) and node
        ):
            return node
        case _:
            raise ExpressionRefused(
                f"{quoted(sql)} is not one single SQL expression.", "Write one SQL expression."
            )


def _bare(select: Any) -> bool:
    """Has the statement nothing but its target?"""
    clauses = (
        "distinctClause",
        "intoClause",
        "fromClause",
        "whereClause",
        "groupClause",
        "havingClause",
        "windowClause",
    )
    more = ("valuesLists", "sortClause", "limitOffset", "limitCount", "lockingClause", "withClause", "larg")
    return not any(getattr(select, clause) for clause in (*clauses, *more))


def _syntax_error(error: Exception, sql: str) -> str:
    message, index = (*error.args, None)[:2]
    at = f"character {max(index - len(_SELECT), 0) + 1} of " if isinstance(index, int) else ""
    return f"The expression is no SQL: {message} ({at}{quoted(sql)})."
