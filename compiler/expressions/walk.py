"""Does an expression use nothing but the table's columns, literals and what is immutable?

Types are followed as far as that question needs them: casts and comparisons of dates depend on the session unless both
sides are of one type, or the literal says its offset.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pglast import ast
from pglast.enums import A_Expr_Kind

from compiler.expressions import kinds
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
from compiler.expressions.kinds import LITERAL as _LITERAL
from compiler.expressions.moments import NO_COMPARISON, computed, require_fixed, require_one_type, shown
from compiler.expressions.operands import require_computable
from compiler.expressions.refused import ExpressionRefused
from compiler.suggest import fix_for, quoted

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
_ALIKE_KINDS = {
    A_Expr_Kind.AEXPR_DISTINCT,
    A_Expr_Kind.AEXPR_NOT_DISTINCT,
    A_Expr_Kind.AEXPR_IN,
    A_Expr_Kind.AEXPR_BETWEEN,
    A_Expr_Kind.AEXPR_NOT_BETWEEN,
}


def require_allowed(node: Any, columns: Mapping[str, str]) -> None:
    """Raise ExpressionRefused where the expression uses something else, or is no condition."""
    walk = _Walk(columns)
    found = walk.type(node)
    if not walk.read:
        raise ExpressionRefused(
            f"{shown(node)} reads no column, and so says the same of every row.", "Name a column in it."
        )
    if found not in {"boolean", None}:
        raise ExpressionRefused(
            f"{shown(node)} is {found}, not a condition.", "Write a condition that is true or false."
        )


class _Walk:
    """Finds each node's type: a name of format_type(), `_LITERAL`, or None where the question does not need it."""

    def __init__(self, columns: Mapping[str, str]) -> None:
        self.columns = columns
        self.read: set[str] = set()

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
                for part in args or ():
                    _require_condition(part, self.type(part))
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
        self.read.add(names[0])
        return self.columns[names[0]]

    def cast(self, node: Any) -> str:
        names = [name.sval for name in node.typeName.names]
        target = TYPES.get(names[-1])
        if target is None or node.typeName.arrayBounds or (node.typeName.typmods and target != "numeric"):
            types = ", ".join(sorted(TYPES.values()))
            raise ExpressionRefused(
                f"{shown(node)} casts to a type that cannot be used here.", f"Use one of {types}."
            )
        source = self.type(node.arg)
        if source == _LITERAL:
            require_fixed([node.arg], target)
        elif source != target and (target in SESSION_TYPES or source in SESSION_TYPES):
            raise ExpressionRefused(
                f"{shown(node)} depends on how the session writes dates, times, bytes and arrays.",
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
        if kind in {A_Expr_Kind.AEXPR_OP_ANY, A_Expr_Kind.AEXPR_OP_ALL}:
            types = [found and found.removesuffix("[]") for found in types]
        require_computable(node, name)
        if kind in _OPERATOR_KINDS:
            _require_match(node, kinds.mismatch(name, types, _texts(operands, types)))
        elif kind in _ALIKE_KINDS:
            _require_match(node, kinds.alike(types, _texts(operands, types)))
        else:
            _require_match(node, kinds.mismatch("~~", types, ()))
        if name in JSON_PARTS:
            return JSON_PARTS[name]
        if name == "||":
            return _joined(node, types)
        if name in ARITHMETIC and kind == A_Expr_Kind.AEXPR_OP:
            return computed(node, name, types)
        require_one_type(node, operands, types)
        return "boolean"

    def alike(self, node: Any, operands: Iterable[Any]) -> str | None:
        operands = list(operands)
        types = self.all(operands)
        _require_match(node, kinds.alike(types, _texts(operands, types)))
        require_one_type(node, operands, types)
        known = [found for found in types if found not in {_LITERAL, None}]
        if isinstance(node, ast.A_ArrayExpr):
            return None
        # Of literals alone, even of one that reads true, Postgres makes a text.
        return known[0] if known else ("text" if None not in types else None)

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
            raise ExpressionRefused(f"{shown(node)} looks at other rows.", "Use the columns of one row only.")
        types = self.all(node.args or ())
        if name == "length" and len(types) > 1:
            raise ExpressionRefused(f"{shown(node)} depends on an encoding.", "Give length() one text.")
        _require_plain(node, name, types)
        _require_match(node, kinds.argument(name, types))
        return FUNCTIONS[name]

    def case(self, node: Any) -> str | None:
        results = [*(branch.result for branch in node.args), *([node.defresult] if node.defresult else [])]
        conditions = [branch.expr for branch in node.args]
        if node.arg is not None:
            self.alike(node, [node.arg, *conditions])
        else:
            for condition in conditions:
                _require_condition(condition, self.type(condition))
        return self.alike(node, results)


def _require_condition(node: Any, found: str | None) -> None:
    if found not in {"boolean", None, _LITERAL}:
        raise ExpressionRefused(
            f"{shown(node)} is {found}, not a condition.", "Write a condition that is true or false."
        )


def _require_match(node: Any, mismatch: str | None) -> None:
    if mismatch is not None:
        raise ExpressionRefused(
            f"{shown(node)} {mismatch}, for which Postgres has no operator or function.",
            "Use values of one kind, or cast one of them.",
        )


def _texts(operands: Iterable[Any], types: Iterable[str | None]) -> list[str]:
    """The texts of the literals without a type among the operands."""
    literals = [one for one, found in zip(operands, types, strict=True) if found == _LITERAL]
    texts = (getattr(getattr(one, "val", None), "sval", None) for one in literals)
    return [text for text in texts if text is not None]


def _require_plain(node: Any, name: str, types: list[str | None]) -> None:
    found = SESSION_TYPES.intersection(types)
    takes = SESSION_FUNCTIONS | (BYTES_FUNCTIONS if found == {"bytea"} else frozenset())
    if found and name not in takes:
        raise ExpressionRefused(f"{shown(node)} cannot take a {min(found)}.", NO_COMPARISON)


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


def _joined(node: Any, types: list[str | None]) -> str:
    for wanted in ("jsonb", "text"):
        if wanted in types and all(found in {wanted, _LITERAL} for found in types):
            return wanted
    if all(found == _LITERAL for found in types):
        return "text"
    raise ExpressionRefused(
        f"{shown(node)} joins values that are not all text.", "Cast each side with ::text."
    )


def _refused_function(node: Any, name: str) -> ExpressionRefused:
    if name in CHANGING_FUNCTIONS:
        message = f"{shown(node)} gives another answer each time, and a constraint or index needs the same for ever."
        return ExpressionRefused(message, "Compare with a column or a literal.")
    if name in AGGREGATES:
        message = f"{shown(node)} looks at many rows, and the expression sees one."
        return ExpressionRefused(message, "Use the columns of one row only.")
    fix = fix_for(name, FUNCTIONS, f"Known are {', '.join(sorted(FUNCTIONS))}.")
    return ExpressionRefused(f"The function {quoted(name)} cannot be used here.", fix)


def _refused(node: Any) -> ExpressionRefused:
    match node:
        case ast.SubLink():
            reason = "A subquery looks at other rows."
        case ast.SQLValueFunction():
            reason = f"{shown(node)} gives another answer each time."
        case ast.ParamRef():
            reason = "A parameter has no value here."
        case ast.ResTarget() | ast.A_Star():
            reason = "A star stands for several values."
        case _:
            reason = f"{shown(node)} cannot be used here."
    return ExpressionRefused(
        reason, "Use the table's own columns, literals and immutable built-in functions."
    )
