"""Texts that SQL, Python or a reviewer could trip over: stored and read back exactly, or refused by name."""

from __future__ import annotations

import json

import psycopg
import pytest
from psycopg.sql import SQL, Identifier, Literal

from compiler.canonical import JsonDocument
from compiler.dataset import Check, Expression, OneOf
from compiler.expressions import canonical_expression, expression_fault
from compiler.migrate import files
from compiler.migrate.apply import status
from compiler.migrate.planner import Refused, plan
from compiler.table import table_of
from tests.migrate.cases import BASE, column, with_columns
from tests.migrate.changing import clear, grown, registration
from tests.migrate.conftest import chain_of
from tests.support.datasets import alert_events
from tests.support.postgres import every_major

TEXTS = [
    *(
        "'",
        "''",
        '"',
        '""',
        "\\",
        "\\\\'",
        "\\x41",
        "$$",
        "$body$",
        "$1",
        "%",
        "%s",
        "%(a)s",
        "%%",
        "{}",
        "{0}",
    ),
    *(";", "--", "/*", "*/", "; DROP TABLE datasets.alert_events_v1; --", "'); DROP TABLE x; --", "a\\'; --"),
    *("\n", "\r\n", "\t", "\x01", "\x7f", "\u0085", "\u2028", "\u202e", "\u2066", "\u200b", "\ufeff"),
    *(
        "\u0430dmin",
        "\uff07",
        "e\u0301",
        "\u212a",
        "\U0001f600",
        "null",
        "NULL",
        "true",
        "-- step 2: x",
        "{a,b}",
        " ",
    ),
]


def hostile(text):
    """A dataset with the text in each place where a manifest's author could write one, names apart."""
    word = json.dumps(text)
    return alert_events(
        **with_columns(column("c", default=JsonDocument.of(text), description=text)),
        checks=(
            *BASE.checks,
            Check("c", OneOf((JsonDocument.of(text).text, '"other"'))),
            Check("unlike", Expression(literal(text))),
        ),
        description=f"Of {word} and {text}",
    )


def literal(text):
    quoted = SQL("sender <> {}").format(Literal(text)).as_string(None)
    return quoted if text.isprintable() else "sender <> ''"


@every_major
def test_a_text_in_any_place_is_kept_as_it_is(database):
    for text in TEXTS:
        dataset = hostile(text)
        chain = grown(chain_of(alert_events()), dataset)
        for file in chain.files:
            assert files.read(files.write(file.migration)) == file.migration
        database.roles(dataset)
        database.apply(dataset, chain)
        found = status(database.conninfo, chain)
        assert (found.pending, found.drift, found.trouble) == ((), (), ()), text
        with psycopg.connect(**database.conninfo, autocommit=True) as connection:
            connection.execute(
                "INSERT INTO datasets.alert_events_v1 (org_id, dedupe_key, severity, raised_at, sender)"
                " VALUES (gen_random_uuid(), 'k', 'info', now(), 'somebody else')"
            )
            assert connection.execute("SELECT c FROM datasets.alert_events").fetchone() == (text,)
            comment = connection.execute(
                "SELECT col_description('datasets.alert_events_v1'::regclass, attnum) FROM pg_attribute"
                " WHERE attrelid = 'datasets.alert_events_v1'::regclass AND attname = 'c'"
            ).fetchone()
            assert comment == (text,)
            with pytest.raises(psycopg.errors.CheckViolation):
                connection.execute("UPDATE datasets.alert_events_v1 SET c = 'none of them'")
        clear(database)


@every_major
def test_a_name_is_kept_as_it_is_or_refused(database):
    for text in TEXTS:
        dataset = alert_events(**with_columns(column(text)))
        before = chain_of(alert_events())
        planned = plan(before, table_of(dataset), registration(dataset))
        if not text.isprintable():
            assert isinstance(planned, Refused), text
            assert repr(text) in planned.reasons[0]
            continue
        chain = grown(before, dataset)
        database.roles(dataset)
        database.apply(dataset, chain)
        assert status(database.conninfo, chain).drift == ()
        with psycopg.connect(**database.conninfo) as connection:
            connection.execute(SQL("SELECT {} FROM datasets.alert_events").format(Identifier(text)))
        clear(database)


@pytest.mark.parametrize("text", TEXTS)
def test_a_literal_in_an_expression_is_kept_as_it_is_or_refused(text):
    written = SQL("sender <> {}").format(Literal(text)).as_string(None)
    types = {one.name: one.type for one in BASE.columns}
    fault = expression_fault(written, types)
    if fault is None:
        assert canonical_expression(canonical_expression(written)) == canonical_expression(written)
        table = table_of(alert_events(checks=(Check("unlike", Expression(canonical_expression(written))),)))
        planned = plan(None, table, registration(alert_events()))
        assert isinstance(planned, Refused) == (not canonical_expression(written).isprintable())
    else:
        assert "control character" in fault.message
