"""The guard: what was changed by hand is named, and nothing is touched."""

import pytest

from compiler.migrate.apply import apply_in, status, status_in
from compiler.migrate.errors import DriftError
from tests.migrate.conftest import chain_of
from tests.support.datasets import alert_events, integrity_signals
from tests.support.postgres import every_major

TABLE = "datasets.integrity_signals_v1"
VIEW = "datasets.integrity_signals"
# What was done by hand -> what the report says.
CHANGES = {
    f"ALTER TABLE {TABLE} ADD COLUMN extra text": "column extra added (text)",
    f'ALTER TABLE {TABLE} ADD COLUMN extra text COLLATE "C"': "column extra is of a collation of its own",
    f"ALTER TABLE {TABLE} ADD COLUMN extra integer GENERATED ALWAYS AS IDENTITY": "column extra is an identity column",
    f"ALTER TABLE {TABLE} ADD COLUMN extra bigint GENERATED ALWAYS AS (id + 1) STORED": "column extra is a generated",
    f"ALTER TABLE {TABLE} DROP COLUMN nothing CASCADE": "column nothing removed (text)",
    f"ALTER TABLE {TABLE} RENAME COLUMN nothing TO something": "column something added (text)",
    f"ALTER TABLE {TABLE} ALTER COLUMN note DROP NOT NULL": "column note became nullable",
    f"ALTER TABLE {TABLE} ALTER COLUMN sluice_position TYPE bigint": "column sluice_position changed type from integer",
    f"ALTER TABLE {TABLE} ALTER COLUMN count SET DEFAULT 6": "column count changed its default from -5 to 6",
    f"ALTER TABLE {TABLE} ALTER COLUMN count DROP DEFAULT": "column count changed its default from -5 to none",
    f"ALTER TABLE {TABLE} ALTER COLUMN ref SET DEFAULT gen_random_uuid()": "to 'gen_random_uuid()'",
    f"ALTER TABLE {TABLE} DROP CONSTRAINT integrity_signals_v1_key": "key changed from (id, day) to ()",
    f"ALTER TABLE {TABLE} RENAME CONSTRAINT integrity_signals_v1_key TO k": "primary key k should be named integrity_",
    f"ALTER TABLE {TABLE} DROP CONSTRAINT ck_note_37f3c7c34a79": "check ck_note_37f3c7c34a79 removed",
    f"ALTER TABLE {TABLE} ADD CONSTRAINT mine CHECK (id > 0)": "check mine added",
    f"ALTER TABLE {TABLE} ADD CONSTRAINT ck_x_0123456789ab CHECK (id > 0) NOT VALID": "ck_x_0123456789ab is not valid",
    f"ALTER TABLE {TABLE} ADD CONSTRAINT mine CHECK (id > 0) NO INHERIT": "constraint mine is NO INHERIT",
    f"ALTER TABLE {TABLE} DROP CONSTRAINT ck_note_37f3c7c34a79,"
    " ADD CONSTRAINT ck_note_37f3c7c34a79 CHECK (char_length(note) <= 10)": "ck_note_37f3c7c34a79 was edited: CHECK ((char",
    f"ALTER TABLE {TABLE} ADD CONSTRAINT mine UNIQUE (note)": "constraint mine is neither a CHECK nor the key",
    f"ALTER TABLE {TABLE} ADD CONSTRAINT mine FOREIGN KEY (note) REFERENCES sluice.datasets": "FOREIGN KEY (note)",
    "DROP INDEX datasets.integrity_signals_v1_recent_idx": "index integrity_signals_v1_recent_idx removed",
    f"CREATE INDEX mine ON {TABLE} (note)": "index mine added",
    f"CREATE UNIQUE INDEX mine ON {TABLE} (note)": "index mine is unique",
    f"CREATE INDEX mine ON {TABLE} (lower(note))": "index mine is on an expression",
    f"CREATE INDEX mine ON {TABLE} (note text_pattern_ops)": "index mine is of an operator class",
    f'CREATE INDEX mine ON {TABLE} (note COLLATE "C")': "index mine is of a collation of its own",
    f"CREATE INDEX mine ON {TABLE} (note) WHERE id = 1": "index mine is partial, and its comment",
    "COMMENT ON INDEX datasets.integrity_signals_v1_open_idx IS NULL": "open_idx is partial, and its comment is not",
    f"DROP INDEX datasets.integrity_signals_v1_open_idx; CREATE INDEX integrity_signals_v1_open_idx ON {TABLE} (id)"
    " WHERE flag; COMMENT ON INDEX datasets.integrity_signals_v1_open_idx IS '62982dd8cbf7'": "open_idx was edited",
    "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'datasets.integrity_signals_v1_by_tag_idx'::regclass": (
        "index integrity_signals_v1_by_tag_idx is invalid: its build did not finish"
    ),
    f"COMMENT ON TABLE {TABLE} IS 'other'": "comment on the table changed",
    f"COMMENT ON COLUMN {TABLE}.note IS 'other'": "comment on column note changed",
    f"DROP VIEW {VIEW}": "view removed, or no longer on this table",
    f"CREATE OR REPLACE VIEW {VIEW} AS SELECT *, 1 AS one FROM {TABLE}": "view integrity_signals is no plain list",
    f"DROP VIEW {VIEW}; CREATE VIEW {VIEW} AS SELECT id, day FROM {TABLE}": "view changed its columns",
    f"DROP VIEW {VIEW}; CREATE VIEW {VIEW} AS SELECT id AS day, day AS id FROM {TABLE}": "is no plain list of the table",
    f"DROP VIEW {VIEW}; CREATE VIEW {VIEW} AS SELECT id FROM {TABLE} WHERE flag": "is no plain list of the table's",
    f"DROP VIEW {VIEW}; CREATE MATERIALIZED VIEW {VIEW} AS SELECT id FROM {TABLE}": "is materialized",
    f"ALTER VIEW {VIEW} SET (security_barrier = true)": "is not plain: security_barrier=true",
    f"CREATE RULE mine AS ON INSERT TO {VIEW} DO INSTEAD NOTHING": "is not plain: it has rules",
    f"CREATE RULE mine AS ON INSERT TO {TABLE} DO ALSO NOTHING": "rule mine",
    f"CREATE FUNCTION datasets.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
    f" CREATE TRIGGER mine BEFORE INSERT ON {TABLE} FOR EACH ROW EXECUTE FUNCTION datasets.f()": "trigger mine",
    f"ALTER TABLE {TABLE} ENABLE ROW LEVEL SECURITY": "row-level security is on",
    f"CREATE POLICY mine ON {TABLE}": "policy mine",
    f"ALTER TABLE {TABLE} SET UNLOGGED": "it is not logged",
    f"CREATE TABLE datasets.child () INHERITS ({TABLE})": "it takes part in inheritance",
    f"DROP TABLE {TABLE} CASCADE": "the table is missing",
    f"ALTER TABLE {TABLE} RENAME TO elsewhere": "the table is missing",
}


@every_major
def test_drift_is_named_and_nothing_is_changed(applied):
    dataset = integrity_signals()
    database = applied(dataset)
    chain = chain_of(dataset)
    for change, says in CHANGES.items():
        with database.session() as connection, connection.transaction(force_rollback=True):
            connection.execute("RESET ROLE")
            connection.execute("SET LOCAL allow_system_table_mods = on")
            connection.execute(change)
            connection.execute("SET ROLE sluice_owner")
            journal = connection.execute("TABLE sluice.migrations").fetchall()
            with pytest.raises(DriftError) as caught:
                apply_in(connection, chain, "test_integrity_signals_w")
            assert any(says in found for found in caught.value.objects), (change, caught.value.objects)
            assert status_in(connection, chain).drift == caught.value.objects
            assert connection.execute("TABLE sluice.migrations").fetchall() == journal
            assert str(caught.value).startswith("datasets.integrity_signals_v1 was changed outside")
    assert status(database.conninfo, chain).drift == ()


@every_major
def test_what_operators_may_do_is_no_drift(applied):
    dataset = integrity_signals()
    database = applied(dataset)
    database.execute(
        f"GRANT SELECT ON {VIEW} TO test_integrity_signals_r",
        f"GRANT INSERT, SELECT ON {TABLE} TO test_integrity_signals_w",
        f"ALTER TABLE {TABLE} SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.01)",
        f"ALTER TABLE {TABLE} ALTER COLUMN note SET STATISTICS 500",
        f"ALTER TABLE {TABLE} ALTER COLUMN tags SET STORAGE EXTERNAL",
        f"CREATE STATISTICS datasets.s ON id, day FROM {TABLE}",
        f"CREATE VIEW datasets.mine AS SELECT id FROM {VIEW}",
        f"VACUUM ANALYZE {TABLE}",
    )
    assert database.apply(dataset).applied == ()


@every_major
def test_a_table_that_no_migration_made_is_drift(database):
    dataset = alert_events()
    database.roles(dataset)
    database.execute("CREATE TABLE datasets.alert_events_v1 (id integer)")
    with pytest.raises(DriftError, match="the table is there"):
        database.apply(dataset)
    assert status(database.conninfo, chain_of(dataset)).drift == ("the table is there",)


def test_another_majors_texts_are_no_evidence(applied):
    """After an upgrade the server may write the same CHECK differently; shapes still compare."""
    dataset = alert_events()
    database = applied(dataset)
    database.execute(
        "UPDATE sluice.migrations SET snapshot = replace(replace(snapshot::text, 'char_length', 'length'),"
        """ '"major":', '"major":1')::json"""
    )
    assert database.apply(dataset).applied == ()
    database.execute("ALTER TABLE datasets.alert_events_v1 ADD COLUMN extra text")
    with pytest.raises(DriftError, match="column extra added"):
        database.apply(dataset)
