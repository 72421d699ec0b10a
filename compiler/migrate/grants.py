"""A view that is dropped and made again in one transaction, with the privileges that it had."""

from __future__ import annotations

from compiler.migrate import render
from compiler.migrate.quoting import identifier, literal
from compiler.table import Table

# The owner's own privileges come with the new view. Column privileges are nothing that Sluice grants.
_REMEMBER = """\
SELECT set_config('sluice.view_grants', coalesce(string_agg(
    format('GRANT %s ON %s TO %s%s', a.privilege_type, c.oid::regclass,
        CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END,
        CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END), '; '), ''), true)
FROM pg_class AS c, aclexplode(c.relacl) AS a
WHERE c.oid = to_regclass({view}) AND a.grantee <> c.relowner;"""
_GRANT_AGAIN = "DO 'BEGIN EXECUTE current_setting(''sluice.view_grants''); END';"


def view_made_anew(table: Table, *between: str) -> str:
    """Statements that drop the table's view, run `between`, and make it again for the same readers.

    Who reads it waits for the transaction. Views that others built on it keep it from being dropped.
    """
    view = identifier(table.schema, table.view.name)
    return "\n".join(
        (
            _REMEMBER.replace("{view}", literal(view)),
            f"DROP VIEW IF EXISTS {view};",
            *between,
            render.create_view(table),
            _GRANT_AGAIN,
        )
    )
