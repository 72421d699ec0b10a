"""What an expression may use. All of it is IMMUTABLE in Postgres: the same row gives the same answer for ever.

Left out on purpose: whatever depends on the session (text of dates, `now()`), on other rows (aggregates, subqueries) or
on chance. tests/record asks Postgres for the volatility of each entry.
"""

from __future__ import annotations

from collections.abc import Mapping

# Function -> the type of its result, where that is the same for all arguments.
FUNCTIONS: Mapping[str, str | None] = {
    **dict.fromkeys(
        ("lower", "upper", "btrim", "ltrim", "rtrim", "left", "right", "substring", "substr"), "text"
    ),
    **dict.fromkeys(
        ("replace", "split_part", "md5", "reverse", "lpad", "rpad", "jsonb_extract_path_text"), "text"
    ),
    **dict.fromkeys(
        ("length", "char_length", "character_length", "octet_length", "strpos", "position"), "integer"
    ),
    **dict.fromkeys(("ascii", "num_nulls", "num_nonnulls", "jsonb_array_length"), "integer"),
    **dict.fromkeys(("starts_with", "jsonb_path_exists", "jsonb_path_match"), "boolean"),
    **dict.fromkeys(
        ("abs", "ceil", "ceiling", "floor", "round", "trunc", "mod", "power", "sqrt", "sign", "div"), None
    ),
    "jsonb_typeof": "text",
    "jsonb_extract_path": "jsonb",
    "jsonb_path_query_first": "jsonb",
    "like_escape": "text",
    "similar_to_escape": "text",
}

# Asked for often, and refused with a reason of their own.
CHANGING_FUNCTIONS = frozenset(
    (
        *("now", "clock_timestamp", "statement_timestamp", "transaction_timestamp", "timeofday"),
        *("random", "gen_random_uuid", "nextval", "currval", "txid_current", "pg_current_xact_id"),
        *("current_setting", "version", "pg_backend_pid"),
    )
)
AGGREGATES = frozenset(
    (
        "count",
        "sum",
        "avg",
        "min",
        "max",
        "array_agg",
        "string_agg",
        "jsonb_agg",
        "bool_and",
        "bool_or",
        "every",
    )
)

COMPARISONS = frozenset(("=", "<>", "!=", "<", "<=", ">", ">="))
ARITHMETIC = frozenset(("+", "-", "*", "/", "%", "^"))
MATCHING = frozenset(("~", "~*", "!~", "!~*", "~~", "~~*", "!~~", "!~~*"))
JSON_TESTS = frozenset(("@>", "<@", "?", "?|", "?&", "@?", "@@"))
JSON_PARTS: Mapping[str, str] = {"->": "jsonb", "->>": "text", "#>": "jsonb", "#>>": "text"}
OPERATORS = COMPARISONS | ARITHMETIC | MATCHING | JSON_TESTS | frozenset(JSON_PARTS) | {"||"}

# Postgres' grammar's own names for the types that a cast may name.
TYPES: Mapping[str, str] = {
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "numeric": "numeric",
    "float8": "double precision",
    "bool": "boolean",
    "text": "text",
    "uuid": "uuid",
    "jsonb": "jsonb",
    "date": "date",
    "timestamptz": "timestamp with time zone",
    "timetz": "time with time zone",
}

# Their text depends on the session (time zone, date style, form of bytes), so casts from and to other types are not
# immutable. The same is true of every array.
SESSION_TYPES = frozenset(
    (
        *("date", "timestamp with time zone", "time with time zone", "bytea"),
        *("bigint[]", "boolean[]", "date[]", "numeric[]", "text[]", "timestamp with time zone[]", "uuid[]"),
    )
)

# They look at a value of such a type, and at nothing of the session. Only bytes have a length.
SESSION_FUNCTIONS = frozenset(("num_nulls", "num_nonnulls"))
BYTES_FUNCTIONS = frozenset(("length", "octet_length"))
