"""The expression of a CHECK or a partial index that was made by hand, where a manifest can say it.

Read from what the server writes for it, in the one canonical form that a manifest's expressions take: its id follows from that.
"""

from __future__ import annotations

from compiler.dataset import Expression
from compiler.expressions import canonical_expression, expression_fault
from compiler.table import Table

_CHECK = "CHECK "


def of_check(definition: str, table: Table) -> Expression | None:
    """The expression of pg_get_constraintdef's text; None where it is none that a manifest can say."""
    return _allowed(definition.removeprefix(_CHECK), table) if definition.startswith(_CHECK) else None


def of_index(definition: str, table: Table) -> Expression | None:
    """The predicate of pg_get_indexdef's text; None where there is none, or none that a manifest can say."""
    from pglast import ast
    from pglast.parser import parse_sql
    from pglast.stream import RawStream

    match parse_sql(definition)[0].stmt:
        case ast.IndexStmt(whereClause=where) if where:
            return _allowed(str(RawStream()(where)), table)
        case _:
            return None


def _allowed(text: str, table: Table) -> Expression | None:
    if expression_fault(text, {column.name: column.type for column in table.columns}):
        return None
    return Expression(canonical_expression(text))
