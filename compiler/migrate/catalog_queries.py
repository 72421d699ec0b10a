"""The catalog's questions, for Postgres 15 to 18. Each `odd` column says what a Shape has no place for, or is null.

Columns that a newer server has and an older one has not are read through to_jsonb() of the whole row.
"""

from __future__ import annotations

# $1 schema, $2 table.
TABLE = """
SELECT c.oid, obj_description(c.oid, 'pg_class') AS comment, array_remove(ARRAY[
    CASE WHEN c.relkind <> 'r' THEN 'it is no plain table' END,
    CASE WHEN c.relpersistence <> 'p' THEN 'it is not logged' END,
    CASE WHEN c.relrowsecurity OR c.relforcerowsecurity THEN 'row-level security is on' END,
    CASE WHEN EXISTS (SELECT FROM pg_inherits AS i WHERE c.oid IN (i.inhrelid, i.inhparent))
         THEN 'it takes part in inheritance' END
    ] || ARRAY(SELECT 'trigger ' || t.tgname FROM pg_trigger AS t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal)
      || ARRAY(SELECT 'rule ' || r.rulename FROM pg_rewrite AS r WHERE r.ev_class = c.oid AND r.rulename <> '_RETURN')
      || ARRAY(SELECT 'policy ' || p.polname FROM pg_policy AS p WHERE p.polrelid = c.oid), NULL) AS odd
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relname = %s
"""

# $1 table oid.
COLUMNS = """
SELECT a.attname::text AS name, format_type(a.atttypid, a.atttypmod) AS type, NOT a.attnotnull AS nullable,
       pg_get_expr(d.adbin, d.adrelid) AS expression, col_description(a.attrelid, a.attnum) AS comment,
       CASE WHEN a.attidentity <> '' THEN 'an identity column'
            WHEN a.attgenerated <> '' THEN 'a generated column'
            WHEN a.attcollation <> t.typcollation THEN 'of a collation of its own' END AS odd
FROM pg_attribute AS a
JOIN pg_type AS t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
"""

# $1 table oid. Not-null constraints are rows of their own from 18 on (contype n): columns say it already.
CONSTRAINTS = """
SELECT c.conname::text AS name, c.contype::text AS kind, pg_get_constraintdef(c.oid) AS definition,
       ARRAY(SELECT a.attname::text FROM unnest(c.conkey) WITH ORDINALITY AS k (number, place)
             JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = k.number ORDER BY k.place) AS columns,
       c.convalidated AS validated,
       CASE WHEN c.contype NOT IN ('c', 'p') THEN 'neither a CHECK nor the key: ' || pg_get_constraintdef(c.oid)
            WHEN c.condeferrable THEN 'deferrable'
            WHEN c.contype = 'c' AND c.connoinherit THEN 'NO INHERIT'
            WHEN NOT coalesce((to_jsonb(c) ->> 'conenforced')::boolean, true) THEN 'not enforced' END AS odd
FROM pg_constraint AS c
WHERE c.conrelid = %s AND c.contype <> 'n'
ORDER BY c.conname
"""

# $1 table oid. The key's own index is the constraint's.
INDEXES = """
SELECT i.relname::text AS name, m.amname::text AS method, x.indpred IS NOT NULL AS predicate,
       obj_description(i.oid, 'pg_class') AS comment, pg_get_indexdef(i.oid) AS definition,
       ARRAY(SELECT coalesce(a.attname::text, '') FROM generate_series(0, x.indnkeyatts - 1) AS k
             LEFT JOIN pg_attribute AS a ON a.attrelid = x.indrelid AND a.attnum = x.indkey[k] ORDER BY k) AS columns,
       ARRAY(SELECT a.attname::text FROM generate_series(x.indnkeyatts, x.indnatts - 1) AS k
             JOIN pg_attribute AS a ON a.attrelid = x.indrelid AND a.attnum = x.indkey[k] ORDER BY k) AS include,
       ARRAY(SELECT x.indoption[k] FROM generate_series(0, x.indnkeyatts - 1) AS k ORDER BY k) AS options,
       x.indisvalid AND x.indisready AND x.indislive AS valid,
       CASE WHEN x.indisunique THEN 'unique'
            WHEN x.indexprs IS NOT NULL THEN 'on an expression'
            WHEN EXISTS (SELECT FROM generate_series(0, x.indnkeyatts - 1) AS k
                         JOIN pg_opclass AS o ON o.oid = x.indclass[k] WHERE NOT o.opcdefault)
            THEN 'of an operator class that is not the default'
            WHEN EXISTS (SELECT FROM generate_series(0, x.indnkeyatts - 1) AS k
                         JOIN pg_attribute AS a ON a.attrelid = x.indrelid AND a.attnum = x.indkey[k]
                         WHERE x.indcollation[k] <> 0 AND x.indcollation[k] <> a.attcollation)
            THEN 'of a collation of its own' END AS odd
FROM pg_index AS x
JOIN pg_class AS i ON i.oid = x.indexrelid
JOIN pg_am AS m ON m.oid = i.relam
WHERE x.indrelid = %s AND NOT x.indisprimary
ORDER BY i.relname
"""

# $1 table oid, $2 schema, $3 view. A relation of that name which does not read this table is another generation's (or a
# stranger's), and no view of this one. Servers before 16 write the columns of a view's query with the table's name.
VIEW = """
WITH base AS (SELECT %s::oid AS oid),
view AS (
    SELECT c.oid, c.relkind, c.reloptions, pg_get_viewdef(c.oid) AS definition,
           ARRAY(SELECT a.attname::text FROM pg_attribute AS a
                 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum) AS columns
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = %s AND c.relname = %s AND c.relkind IN ('v', 'm')
      AND EXISTS (SELECT FROM pg_depend AS d JOIN pg_rewrite AS r ON r.oid = d.objid, base
                  WHERE d.classid = 'pg_rewrite'::regclass AND r.ev_class = c.oid
                    AND d.refclassid = 'pg_class'::regclass AND d.refobjid = base.oid)
),
plain AS (
    SELECT ' SELECT ' || string_agg(p.prefix || format('%%I', a.attname), E',\\n    ' ORDER BY a.attnum)
           || E'\\n   FROM ' || format('%%I.%%I', n.nspname, b.relname) || ';' AS definition
    FROM view
    JOIN pg_attribute AS a ON a.attrelid = view.oid AND a.attnum > 0,
         base JOIN pg_class AS b ON b.oid = base.oid JOIN pg_namespace AS n ON n.oid = b.relnamespace,
         LATERAL (VALUES (''), (format('%%I.', b.relname))) AS p (prefix)
    GROUP BY p.prefix, n.nspname, b.relname
)
SELECT view.columns, view.definition,
       CASE WHEN view.relkind <> 'v' THEN 'materialized'
            WHEN view.reloptions IS NOT NULL THEN 'not plain: ' || array_to_string(view.reloptions, ', ')
            WHEN EXISTS (SELECT FROM pg_trigger AS t WHERE t.tgrelid = view.oid) THEN 'not plain: it has triggers'
            WHEN EXISTS (SELECT FROM pg_rewrite AS r WHERE r.ev_class = view.oid AND r.rulename <> '_RETURN')
            THEN 'not plain: it has rules'
            WHEN view.definition NOT IN (SELECT plain.definition FROM plain)
            THEN 'no plain list of the table''s columns:' || view.definition END AS odd
FROM view
"""
