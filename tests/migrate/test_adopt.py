"""Git follows what was done by hand: entered where it was done, run everywhere else."""

from dataclasses import replace

import pytest

from compiler import names
from compiler.canonical import short_id
from compiler.dataset import Expression
from compiler.migrate import catalog, journal
from compiler.migrate.adopt import adopted
from compiler.migrate.apply import status
from compiler.migrate.chain import read_chain
from compiler.migrate.entering import enter
from compiler.migrate.errors import ApprovalError, DriftError
from compiler.migrate.propose import approve, propose, propose_adopting, write
from compiler.migrate.rehearse import rehearse
from compiler.migrate.relations import relation_of
from compiler.table import check_id, table_of
from tests.migrate.conftest import chain_of, writer
from tests.support.datasets import alert_events
from tests.support.postgres import every_major

TABLE = "datasets.alert_events_v1"
POSITIVE = check_id("mine", Expression("value > CAST(0 AS numeric) AND sender <> CAST('x' AS text)"))


def _view(columns):
    return f"CREATE VIEW datasets.alert_events AS SELECT {', '.join(columns)} FROM {TABLE}; GRANT SELECT ON datasets.alert_events TO sluice_owner"


def _without(column, how=""):
    """A column dropped by somebody who makes the view anew."""
    shown = [name for name in table_of(alert_events()).view.columns if name != column]
    return f"DROP VIEW datasets.alert_events; ALTER TABLE {TABLE} DROP COLUMN {column} {how}; {_view(shown)}"


def _retyped(column, type_):
    shown = table_of(alert_events()).view.columns
    return f"DROP VIEW datasets.alert_events; ALTER TABLE {TABLE} ALTER COLUMN {column} TYPE {type_}; {_view(shown)}"


# What was done by hand -> what to write into the manifest.
TAKEN = {
    f"ALTER TABLE {TABLE} ADD COLUMN extra text": '$.record.properties.extra: {"type": "string"}',
    f"ALTER TABLE {TABLE} ADD COLUMN extra numeric(8,2) DEFAULT 1.5": "$.table.columns.extra.default: 1.5",
    f"ALTER TABLE {TABLE} ADD COLUMN extra bytea": (
        '$.record.properties.extra: {"type": "string", "contentEncoding": "base64"}'
    ),
    f"ALTER TABLE {TABLE} ADD COLUMN extra timetz": '$.record.properties.extra: {"type": "string", "format": "time"}',
    f"ALTER TABLE {TABLE} ADD COLUMN extra text[]": (
        '$.record.properties.extra: {"type": "array", "items": {"type": "string"}}'
    ),
    f"ALTER TABLE {TABLE} ADD COLUMN extra timestamptz[]": '$.table.columns.extra.type: "timestamptz[]"',
    f"ALTER TABLE {TABLE} ADD COLUMN extra bigint NOT NULL DEFAULT 7": "$.table.columns.extra.default: 7",
    f"ALTER TABLE {TABLE} ADD COLUMN extra jsonb; COMMENT ON COLUMN {TABLE}.extra IS 'More'": (
        '$.record.properties.extra: {"type": "object", "description": "More"}'
    ),
    f"CREATE INDEX alert_events_v1_by_sender_idx ON {TABLE} (sender, raised_at DESC)": (
        '$.table.indexes: add {"name": "by_sender", "columns": ["sender", '
        '{"column": "raised_at", "order": "desc", "nulls": "first"}]}'
    ),
    "DROP INDEX datasets.alert_events_v1_recent_idx": '$.table.indexes: remove "recent"',
    f"ALTER TABLE {TABLE} ALTER COLUMN value SET DEFAULT 3": "$.table.columns.value.default: 3",
    f"ALTER TABLE {TABLE} ALTER COLUMN raised_at DROP NOT NULL": "$.record.required, for raised_at: take it out",
    f"ALTER TABLE {TABLE} ALTER COLUMN value SET NOT NULL": '$.record.required, for value: add "value"',
    _without(
        "labels"
    ): "$.record.properties.labels, or $.table.columns.labels where the platform fills it: remove it",
    _retyped("value", "numeric(14,4)"): '$.table.columns.value.type: "numeric(14,4)"',
    f"ALTER TABLE {TABLE} ADD COLUMN extra timestamptz NOT NULL DEFAULT now()": (
        '$.table.columns.extra: {"from": "$ingested_at"}'
    ),
    f"ALTER TABLE {TABLE} ADD CONSTRAINT {names.check('mine', POSITIVE)} CHECK (value > 0 AND sender <> 'x')": (
        """$.table.checks.mine: "value > CAST(0 AS numeric) AND sender <> CAST('x' AS text)\""""
    ),
    f"CREATE INDEX alert_events_v1_mine_idx ON {TABLE} (sender) WHERE value > 7;"
    f"COMMENT ON INDEX datasets.alert_events_v1_mine_idx IS '{short_id(['expression', 'value > CAST(7 AS numeric)'])}'": (
        '$.table.indexes: add {"name": "mine", "columns": ["sender"], "where": "value > CAST(7 AS numeric)"}'
    ),
    f"COMMENT ON TABLE {TABLE} IS 'Other'": '$.description: "Other"',
    f"COMMENT ON COLUMN {TABLE}.value IS 'Other'": '$.record.properties.value.description: "Other"',
}
# What was done by hand -> why git cannot follow.
LEFT = {
    f"ALTER TABLE {TABLE} ADD COLUMN extra integer": "column extra added (integer)",
    f"ALTER TABLE {TABLE} ADD COLUMN extra uuid DEFAULT gen_random_uuid()": "column extra added (uuid)",
    f"ALTER TABLE {TABLE} ADD COLUMN extra text NOT NULL": "column extra added (text): it takes no null",
    f"ALTER TABLE {TABLE} DROP COLUMN labels CASCADE": "view removed, or no longer on this table",
    _without("labels") + f"; ALTER TABLE {TABLE} ADD COLUMN tags jsonb": (
        "column labels removed and column tags added (jsonb): if it was renamed, rename it back"
    ),
    _without("dedupe_key", "CASCADE"): "column dedupe_key removed (text)",
    _retyped("value", "real"): "column value changed type from numeric(12,4) to real",
    _retyped("value", "numeric(8,2)"): "a value of the old type may not fit",
    f"ALTER TABLE {TABLE} ADD CONSTRAINT mine CHECK (value > 0 AND sender <> 'x')": (
        'check mine added; it could be taken over after ALTER TABLE "datasets"."alert_events_v1" RENAME CONSTRAINT "mine" '
        f'TO "{names.check("mine", POSITIVE)}";'
    ),
    f"ALTER TABLE {TABLE} ADD CONSTRAINT mine CHECK (random() > 0)": "check mine added",
    f"ALTER TABLE {TABLE} ADD CONSTRAINT mine CHECK (value > 0) NOT VALID": "check mine is not validated",
    f"CREATE INDEX alert_events_v1_mine_idx ON {TABLE} (sender) WHERE value > 7": (
        'it could be taken over after COMMENT ON INDEX "datasets"."alert_events_v1_mine_idx" IS '
        f"'{short_id(['expression', 'value > CAST(7 AS numeric)'])}';"
    ),
    f"CREATE INDEX mine ON {TABLE} (sender)": (
        'index mine added; it could be taken over after ALTER INDEX "datasets"."mine" RENAME TO '
        '"alert_events_v1_mine_idx";'
    ),
    f"CREATE INDEX mine ON {TABLE} (lower(sender))": "index mine is on an expression",
    f"CREATE UNIQUE INDEX alert_events_v1_by_sender_idx ON {TABLE} (sender)": "alert_events_v1_by_sender_idx is unique",
    f"ALTER TABLE {TABLE} ALTER COLUMN ingested_at DROP DEFAULT": "column ingested_at changed its default",
    f"ALTER TABLE {TABLE} ENABLE ROW LEVEL SECURITY": "row-level security is on",
}


def by_hand(connection, change):
    connection.execute("RESET ROLE")
    connection.execute(change)
    connection.execute("SET ROLE sluice_owner")


def seen(connection, chain):
    live = catalog.read(connection, relation_of(chain))
    position = journal.read_position(connection, chain.dataset, chain.version)
    return live, adopted(chain.table, live, position.snapshot, journal.server_major(connection))


@every_major
def test_what_a_manifest_can_say_is_taken_over(applied):
    chain = chain_of(alert_events())
    with applied(alert_events()).session() as connection:
        for change, says in TAKEN.items():
            with connection.transaction(force_rollback=True):
                by_hand(connection, change)
                live, found = seen(connection, chain)
                assert found.left == (), change
                assert found.table.fingerprint == live.shape.fingerprint, change
                assert any(line.startswith(says) for line in found.manifest), (change, found.manifest)


def test_all_of_it_at_once(applied):
    chain = chain_of(alert_events())
    check = next(one for one in chain.table.checks if one.column == "severity")
    changes = [text for text in TAKEN if "extra" not in text and "VIEW" not in text]
    with applied(alert_events()).session() as connection:
        by_hand(connection, "; ".join([*changes, f"ALTER TABLE {TABLE} DROP CONSTRAINT {check.name}"]))
        live, found = seen(connection, chain)
    assert (found.left, found.table.fingerprint) == ((), live.shape.fingerprint)
    assert "$.record.properties.severity: enum or const: remove it" in found.manifest


@every_major
def test_what_it_cannot_say_is_named(applied):
    chain = chain_of(alert_events())
    with applied(alert_events()).session() as connection:
        for change, says in LEFT.items():
            with connection.transaction(force_rollback=True):
                by_hand(connection, change)
                _, found = seen(connection, chain)
                assert any(says in text for text in found.left), (change, found.left)


@pytest.fixture
def adopting(applied, tmp_path):
    """A database that was changed by hand, in an expand and a contract file's way, and the chain that follows it."""
    dataset = alert_events()
    database = applied(dataset)
    write(propose(dataset, tmp_path))
    database.execute(
        f"ALTER TABLE {TABLE} ADD COLUMN extra text",
        f"ALTER TABLE {TABLE} ALTER COLUMN value SET NOT NULL",
        f"CREATE INDEX alert_events_v1_by_sender_idx ON {TABLE} (sender)",
    )
    chain = read_chain(tmp_path, dataset.name, 1)
    with database.session() as connection:
        _, found = seen(connection, chain)
    write(propose_adopting(dataset, tmp_path, chain, found.table))
    return database, read_chain(tmp_path, dataset.name, 1)


def test_where_it_was_done_it_is_entered_and_nothing_is_changed(adopting):
    database, chain = adopting
    names = tuple(file.name for file in chain.files[1:])
    assert [file.migration.adopts for file in chain.files] == [False, True, True]
    files = "SELECT oid, relfilenode, xmin::text FROM pg_class WHERE relname LIKE 'alert_events%' ORDER BY 1"
    before = database.fetch(files)
    assert status(database.conninfo, chain).drift == ()
    with database.session() as connection:
        foreseen = rehearse(connection, chain, writer(alert_events()), prepared=True)
    assert (foreseen.steps, foreseen.obstacles) == ((), ())
    assert database.apply(alert_events(), chain).applied == names
    assert database.fetch(files) == before
    found = status(database.conninfo, chain)
    assert (found.pending, found.drift) == ((), ())
    steps = "SELECT count(*) FROM sluice.migration_steps WHERE number > 1 AND finished_at IS NOT NULL"
    assert database.fetch(steps) == [(sum(len(file.migration.steps) for file in chain.files[1:]),)]
    database.execute(f"ALTER TABLE {TABLE} DROP COLUMN extra")
    assert status(database.conninfo, chain).drift == ("column extra removed (text)",)


def test_elsewhere_it_is_run(adopting):
    database, chain = adopting
    database.execute(
        f"ALTER TABLE {TABLE} DROP COLUMN extra",
        f"ALTER TABLE {TABLE} ALTER COLUMN value DROP NOT NULL",
        "DROP INDEX datasets.alert_events_v1_by_sender_idx",
    )
    assert len(database.apply(alert_events(), chain).applied) == 2
    assert status(database.conninfo, chain).drift == ()
    assert database.fetch(
        "SELECT count(*) FROM pg_class WHERE relname = 'alert_events_v1_by_sender_idx'"
    ) == [(1,)]


def test_what_was_dropped_is_entered_here_and_waits_for_approval_elsewhere(applied, tmp_path):
    """Elsewhere a column's values are lost, so that somebody must have approved it there."""
    dataset = alert_events()
    database = applied(dataset)
    write(propose(dataset, tmp_path))
    check = f"ADD CONSTRAINT {names.check('mine', POSITIVE)} CHECK (value > 0 AND sender <> 'x')"
    database.execute(_without("labels"), f"ALTER TABLE {TABLE} {check}")
    chain = read_chain(tmp_path, dataset.name, 1)
    with database.session() as connection:
        _, found = seen(connection, chain)
    write(propose_adopting(dataset, tmp_path, chain, found.table))
    chain = read_chain(tmp_path, dataset.name, 1)
    assert [file.name for file in chain.files[1:]] == ["0002_drop_labels.sql"]
    with database.session() as connection, connection.transaction(force_rollback=True):
        assert (
            enter(connection, chain, journal.read_position(connection, chain.dataset, 1)) == chain.files[1:]
        )
    shown = table_of(dataset).view.columns
    database.execute(
        f"DROP VIEW datasets.alert_events; ALTER TABLE {TABLE} ADD COLUMN labels jsonb; {_view(shown)};"
        "ALTER VIEW datasets.alert_events OWNER TO sluice_owner;"
        f"ALTER TABLE {TABLE} DROP CONSTRAINT {names.check('mine', POSITIVE)}"
    )
    with pytest.raises(ApprovalError, match="data loss"):
        database.apply(dataset, chain)
    steps = [(2, number) for number, _ in chain.files[-1].migration.unapproved()]
    approve(dataset, tmp_path, steps, "Nobody reads them.")
    chain = read_chain(tmp_path, dataset.name, 1)
    assert database.apply(dataset, chain).applied == ("0002_drop_labels.sql",)
    assert status(database.conninfo, chain).drift == ()


def test_only_the_whole_of_it_is_entered_and_only_from_a_file_that_says_so(adopting):
    database, chain = adopting
    plain = replace(
        chain,
        files=tuple(replace(file, migration=replace(file.migration, adopts=False)) for file in chain.files),
    )
    with pytest.raises(
        DriftError,
        match=r"`sluice migrate adopt alert_events`, from the commit .*; or leave them .*unmanaged",
    ):
        database.apply(alert_events(), plain)
    database.execute(f"ALTER TABLE {TABLE} ADD COLUMN more text")
    with pytest.raises(DriftError, match="column more added"):
        database.apply(alert_events(), chain)
