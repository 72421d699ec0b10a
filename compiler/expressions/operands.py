"""Right sides with which an operation can only fail: Postgres would say so when the first row is written, or the index built."""

from __future__ import annotations

import re
from typing import Any

from pglast import ast

from compiler.expressions.moments import shown
from compiler.expressions.refused import ExpressionRefused

_REGULAR = frozenset(("~", "~*", "!~", "!~*"))
_ESCAPE = re.compile(r"\\.", re.DOTALL)
_SET = re.compile(r"\[\^?\]?(?:\[[:.=].*?[:.=]\]|[^\]])*\]", re.DOTALL)
_NO_OPERAND = re.compile(r"(?:^|[(|])[*+?]")
_GROUP = re.compile(r"\((?:\?[:=!]|\?<[=!])")


def require_computable(node: Any, operator: str) -> None:
    """Raise ExpressionRefused for a division by the literal 0, and for a text that no regular expression can be."""
    literal = node.rexpr.arg if isinstance(node.rexpr, ast.TypeCast) else node.rexpr
    if not isinstance(literal, ast.A_Const) or literal.isnull:
        return
    if operator in {"/", "%"} and _is_zero(literal.val):
        raise ExpressionRefused(f"{shown(node)} divides by zero.", "Divide by another number.")
    if operator in _REGULAR and isinstance(literal.val, ast.String) and literal.val.sval:
        fault = _fault(literal.val.sval)
        if fault:
            raise ExpressionRefused(f"{shown(node)} has no regular expression: {fault}.", "Mend the pattern.")


def _is_zero(value: Any) -> bool:
    match value:
        case ast.Integer(ival=number):
            return not number
        case ast.Float(fval=str(text)):
            return float(text) == 0
        case _:
            return False


def _fault(pattern: str) -> str | None:
    """What is certainly wrong with it, in any of Postgres' flavours but the literal one."""
    if pattern.startswith(("***", "(?")):
        return None
    rest = _SET.sub("x", _ESCAPE.sub("x", pattern))
    if "[" in rest:
        return "a [ without its ]"
    if rest.count("(") != rest.count(")"):
        return "a parenthesis without the other"
    return "nothing before a *, + or ?" if _NO_OPERAND.search(_GROUP.sub("(", rest)) else None
