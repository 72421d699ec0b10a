"""Does an expression use nothing but the table's columns, literals and what is immutable?

Types are followed as far as that question needs them: casts and comparisons of dates depend on the session unless both
sides are of one type, or the literal says its offset.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pglast import ast
from pglast.enums import A_Expr_Kind
from pglast.stream import RawStream

from compiler.expressions.allowed import (
    AGGREGATES,
    ARITHMETIC,
    BYTES_FUNCTIONS,
    CHANGING_FUNCTIONS,
    FUNCTIONS,
    JSON_PARTS,
    OPERATORS,
    SESSION_FUNCTIONS,
    SESSION_TYPES,
    TYPES,
)
from compiler.expressions.parse import ExpressionRefused
from compiler.suggest import fix_for, quoted

_LITERAL = "a literal without a type"
_TIMESTAMP = "timestamp with time zone"
_TIME = "time with time zone"
_LITERALS = {
    "date": re.compile(r"\d{4}-\d{2}-\d{2}"),
    _TIMESTAMP: re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}(:\d{2})?)"),
    _TIME: re.compile(r"\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}(:\d{2})?)"),
}
_EXAMPLES = {
    "date": "'2026-01-31'",
    _TIMESTAMP: "'2026-01-31T00:00:00Z'",
    _TIME: "'12:00:00Z'",
}
_OPERATOR_KINDS = {A_Expr_Kind.AEXPR_OP, A_Expr_Kind.AEXPR_OP_ANY, A_Expr_Kind.AEXPR_OP_ALL}
_COMPARING_KINDS = {
    A_Expr_Kind.AEXPR_DISTINCT,
    A_Expr_Kind.AEXPR_NOT_DISTINCT,
    A_Expr_Kind.AEXPR_IN,
    A_Expr_Kind.AEXPR_BETWEEN,
    A_Expr_Kind.AEXPR_NOT_BETWEEN,
    A_Expr_Kind.AEXPR_LIKE,
    A_Expr_Kind.AEXPR_ILIKE,
    A_Expr_Kind.AEXPR_SIMILAR,
}
_NO_COMPARISON = "Compare columns of one type, or give the literal with its date and offset."


def require_allowed(node: Any, columns: Mapping[str, str]) -> None:
    """Raise ExpressionRefused where the expression uses something else, or is no condition."""
    found = _Walk(columns).type(node)
    if found not in {"boolean", None}:
        raise ExpressionRefused(
            f"{_shown(node)} is {found}, not a condition.", "Write a condition that is true or false."
        )


class _Walk:
    """Finds each node's type: a name of format_type(), `_LITERAL`, or None where the question does not need it."""

    def __init__(self, columns: Mapping[str, str]) -> None:
        self.columns = columns

    def type(self, node: Any) -> str | None:
        match node:
            case ast.ColumnRef():
                return self.column(node)
            case ast.A_Const():
                return _literal_type(node)
            case ast.TypeCast():
                return self.cast(node)
            case ast.A_Expr():
                return self.operation(node)
            case ast.FuncCall():
                return self.call(node)
            case ast.BoolExpr(args=args):
                self.all(args or ())
                return "boolean"
            case ast.NullTest(arg=arg) | ast.BooleanTest(arg=arg):
                self.type(arg)
                return "boolean"
            case ast.CoalesceExpr(args=args) | ast.MinMaxExpr(args=args) | ast.A_ArrayExpr(elements=args):
                return self.alike(node, args or ())
            case ast.CaseExpr():
                return self.case(node)
            case _:
                raise _refused(node)

    def all(self, nodes: Iterable[Any]) -> list[str | None]:
        return [self.type(node) for node in nodes]

    def column(self, node: Any) -> str:
        names = [getattr(field, "sval", "*") for field in node.fields]
        if len(names) != 1 or names[0] not in self.columns:
            text = ".".join(names)
            fix = fix_for(names[-1], self.columns, "Only the table's own columns can be used.")
            raise ExpressionRefused(f"The table has no column {quoted(text)}.", fix)
        return self.columns[names[0]]

    def cast(self, node: Any) -> str:
        names = [name.sval for name in node.typeName.names]
        target = TYPES.get(names[-1])
        if target is None or node.typeName.arrayBounds or (node.typeName.typmods and target != "numeric"):
            types = ", ".join(sorted(TYPES.values()))
            raise ExpressionRefused(
                f"{_shown(node)} casts to a type that cannot be used here.", f"Use one of {types}."
            )
        source = self.type(node.arg)
        if source == _LITERAL:
            _require_fixed([node.arg], target)
        elif source != target and (target in SESSION_TYPES or source in SESSION_TYPES):
            raise ExpressionRefused(
                f"{_shown(node)} depends on how the session writes dates, times, bytes and arrays.",
                "They can be compared with columns and literals of their own type.",
            )
        return target

    def operation(self, node: Any) -> str | None:
        kind = node.kind
        sides = [side for side in (node.lexpr, node.rexpr) if side is not None]
        operands = [part for side in sides for part in (side if isinstance(side, tuple) else (side,))]
        if kind == A_Expr_Kind.AEXPR_NULLIF:
            return self.alike(node, operands)
        name = node.name[-1].sval
        if kind in _OPERATOR_KINDS:
            if name not in OPERATORS or len(node.name) > 1:
                known = " ".join(sorted(OPERATORS))
                raise ExpressionRefused(f"The operator {name} cannot be used here.", f"Known are {known}.")
        elif kind not in _COMPARING_KINDS:
            raise _refused(node)
        types = self.all(operands)
        if name in JSON_PARTS:
            return JSON_PARTS[name]
        if name == "||":
            return _joined(node, types)
        if name in ARITHMETIC and kind == A_Expr_Kind.AEXPR_OP:
            return _computed(node, name, types)
        if kind in {A_Expr_Kind.AEXPR_OP_ANY, A_Expr_Kind.AEXPR_OP_ALL}:
            types = [found and found.removesuffix("[]") for found in types]
        _require_one_type(node, operands, types)
        return "boolean"

    def alike(self, node: Any, operands: Iterable[Any]) -> str | None:
        operands = list(operands)
        types = self.all(operands)
        _require_one_type(node, operands, types)
        known = [found for found in types if found not in {_LITERAL, None}]
        return known[0] if known and not isinstance(node, ast.A_ArrayExpr) else None

    def call(self, node: Any) -> str | None:
        names = [name.sval for name in node.funcname]
        name = names[-1]
        if name not in FUNCTIONS or (len(names) > 1 and names[:-1] != ["pg_catalog"]):
            raise _refused_function(node, name)
        if (
            node.agg_order
            or node.agg_filter
            or node.over
            or node.agg_star
            or node.agg_distinct
            or node.agg_within_group
        ):
            raise ExpressionRefused(
                f"{_shown(node)} looks at other rows.", "Use the columns of one row only."
            )
        types = self.all(node.args or ())
        if name == "length" and len(types) > 1:
            raise ExpressionRefused(f"{_shown(node)} depends on an encoding.", "Give length() one text.")
        _require_plain(node, name, types)
        return FUNCTIONS[name]

    def case(self, node: Any) -> str | None:
        results = [*(branch.result for branch in node.args), *([node.defresult] if node.defresult else [])]
        conditions = [branch.expr for branch in node.args]
        if node.arg is not None:
            self.alike(node, [node.arg, *conditions])
        else:
            self.all(conditions)
        return self.alike(node, results)


def _require_plain(node: Any, name: str, types: list[str | None]) -> None:
    found = SESSION_TYPES.intersection(types)
    takes = SESSION_FUNCTIONS | (BYTES_FUNCTIONS if found == {"bytea"} else frozenset())
    if found and name not in takes:
        raise ExpressionRefused(f"{_shown(node)} cannot take a {min(found)}.", _NO_COMPARISON)


def _literal_type(node: Any) -> str | None:
    if node.isnull or isinstance(node.val, ast.String):
        return _LITERAL
    match node.val:
        case ast.Integer():
            return "integer"
        case ast.Float():
            return "numeric"
        case ast.Boolean():
            return "boolean"
        case _:
            raise _refused(node)


def _require_one_type(node: Any, operands: list[Any], types: list[str | None]) -> None:
    """Comparing a date or time with another type, or with a literal that leaves something open, asks the session."""
    dated = {found for found in types if found in SESSION_TYPES}
    if not dated:
        return
    others = {found for found in types if found not in dated and found != _LITERAL}
    if len(dated) > 1 or others:
        raise ExpressionRefused(
            f"{_shown(node)} compares different types by the session's settings.", _NO_COMPARISON
        )
    _require_fixed(
        [part for part, found in zip(operands, types, strict=True) if found == _LITERAL], dated.pop()
    )


def _require_fixed(literals: Iterable[Any], target: str) -> None:
    element = target.removesuffix("[]")
    for literal in literals:
        text = getattr(literal.val, "sval", None)
        if element not in _LITERALS or text is None:
            continue
        if element != target:
            raise ExpressionRefused(
                f"'{text}' as a {target} may mean another one in another session.",
                f"Compare single elements: {_EXAMPLES[element]} = ANY (column).",
            )
        if not _LITERALS[target].fullmatch(text):
            raise ExpressionRefused(
                f"'{text}' means another {target} in another session, or on another day.",
                f"Write it in full, such as {_EXAMPLES[target]}.",
            )


def _joined(node: Any, types: list[str | None]) -> str:
    for wanted in ("jsonb", "text"):
        if wanted in types and all(found in {wanted, _LITERAL} for found in types):
            return wanted
    if all(found == _LITERAL for found in types):
        return "text"
    raise ExpressionRefused(
        f"{_shown(node)} joins values that are not all text.", "Cast each side with ::text."
    )


def _computed(node: Any, name: str, types: list[str | None]) -> str | None:
    """Arithmetic on dates is immutable between two of one type, and between a date and an integer."""
    dated = {found for found in types if found in SESSION_TYPES}
    if not dated:
        return next((found for found in types if found not in {_LITERAL, None}), None)
    kind = dated.pop()
    if not dated and name == "-" and types == [kind, kind] and kind in {"date", _TIMESTAMP}:
        return "integer" if kind == "date" else "interval"
    if (
        not dated
        and kind == "date"
        and name in {"+", "-"}
        and types in (["date", "integer"], ["integer", "date"])
    ):
        return "date"
    raise ExpressionRefused(f"{_shown(node)} cannot be computed in every session alike.", _NO_COMPARISON)


def _refused_function(node: Any, name: str) -> ExpressionRefused:
    if name in CHANGING_FUNCTIONS:
        message = f"{_shown(node)} gives another answer each time, and a constraint or index needs the same for ever."
        return ExpressionRefused(message, "Compare with a column or a literal.")
    if name in AGGREGATES:
        message = f"{_shown(node)} looks at many rows, and the expression sees one."
        return ExpressionRefused(message, "Use the columns of one row only.")
    fix = fix_for(name, FUNCTIONS, f"Known are {', '.join(sorted(FUNCTIONS))}.")
    return ExpressionRefused(f"The function {quoted(name)} cannot be used here.", fix)


def _refused(node: Any) -> ExpressionRefused:
    match node:
        case ast.SubLink():
            reason = "A subquery looks at other rows."
        case ast.SQLValueFunction():
            reason = f"{_shown(node)} gives another answer each time."
        case ast.ParamRef():
            reason = "A parameter has no value here."
        case ast.ResTarget() | ast.A_Star():
            reason = "A star stands for several values."
        case _:
            reason = f"{_shown(node)} cannot be used here."
    return ExpressionRefused(
        reason, "Use the table's own columns, literals and immutable built-in functions."
    )


def _shown(node: Any) -> str:
    text = str(RawStream()(node))
    return text if len(text) <= 80 else f"{text[:77]}..."
