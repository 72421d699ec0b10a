"""Users' SQL expressions (an index's `where`, the table's `checks`), parsed by Postgres' own grammar.

    parse.py    text -> expression -> one canonical text
    allowed.py  what an expression may use: immutable built-in functions, operators and types
    refused.py  why it is refused
    walk.py     does an expression use nothing else?

pglast is loaded only by a manifest that has an expression.
"""

from __future__ import annotations

from compiler.expressions.parse import canonical_expression, expression_fault
from compiler.expressions.refused import Fault

__all__ = ["Fault", "canonical_expression", "expression_fault"]
