"""What others manage on a table is neither drift nor touched; all else still is."""

from dataclasses import replace

import pytest

from compiler.migrate import table_json
from compiler.migrate.apply import status
from compiler.migrate.errors import DriftError
from compiler.migrate.unplanned import unplanned
from compiler.table import table_of
from tests.migrate.cases import REGION, with_columns
from tests.migrate.changing import grown
from tests.migrate.conftest import chain_of
from tests.support.datasets import alert_events
from tests.support.postgres import every_major

TABLE = "datasets.alert_events_v1"
# What others did -> how the manifest says that it is theirs.
THEIRS = {
    f"CREATE INDEX mine ON {TABLE} (lower(dedupe_key))": "index:mine",
    f"CREATE UNIQUE INDEX mine2 ON {TABLE} (sender, dedupe_key)": "index:mine2",
    f"ALTER TABLE {TABLE} ADD CONSTRAINT once UNIQUE (sender, raised_at)": "constraint:once",
    f"ALTER TABLE {TABLE} ADD CONSTRAINT short CHECK (char_length(sender) < 99) NOT VALID": "constraint:short",
    f"ALTER TABLE {TABLE} ADD COLUMN extra integer NOT NULL DEFAULT 5": "column:extra",
    f'ALTER TABLE {TABLE} ADD COLUMN "odd: one" text COLLATE "C"': "column:odd: one",
    f"COMMENT ON COLUMN {TABLE}.extra IS 'theirs'": "column:extra",
    "CREATE FUNCTION datasets.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'": "trigger:audit",
    f"CREATE TRIGGER audit BEFORE INSERT ON {TABLE} FOR EACH ROW EXECUTE FUNCTION datasets.f()": "trigger:audit",
    f"CREATE RULE ignore AS ON DELETE TO {TABLE} DO ALSO NOTHING": "rule:ignore",
    f"ALTER TABLE {TABLE} ENABLE ROW LEVEL SECURITY": "policy:all of it",
    f'CREATE POLICY "all of it" ON {TABLE} USING (true)': "policy:all of it",
}


def unmanaged(*names, dataset=None):
    """The dataset's chain as it is once these names stand in the manifest."""
    dataset = replace(dataset or alert_events(), unmanaged=tuple(sorted(set(names))))
    return dataset, chain_of(dataset)


@every_major
def test_what_is_left_to_others_is_no_drift(applied):
    database = applied(alert_events())
    database.execute(*THEIRS)
    plain = chain_of(alert_events())
    assert len(status(database.conninfo, plain).drift) >= 8
    dataset, chain = unmanaged(*THEIRS.values())
    assert status(database.conninfo, chain).drift == ()
    longer = grown(chain, replace(alert_events(**with_columns(REGION)), unmanaged=dataset.unmanaged))
    assert database.apply(dataset, longer).applied == ("0002_add_region.sql",)
    database.execute(f"ALTER TABLE {TABLE} DROP COLUMN extra", "DROP INDEX datasets.mine")
    assert status(database.conninfo, longer).drift == ()
    fewer = replace(longer, table=replace(longer.table, unmanaged=("policy:all of it",)))
    assert "trigger audit" in status(database.conninfo, fewer).drift


def test_everything_else_still_is(applied):
    database = applied(alert_events())
    _, chain = unmanaged("index:mine", "column:extra")
    database.execute(
        f"CREATE INDEX other ON {TABLE} (sender)", f"ALTER TABLE {TABLE} ENABLE ROW LEVEL SECURITY"
    )
    with pytest.raises(DriftError) as caught:
        database.apply(alert_events(), chain)
    assert caught.value.objects == ("index other added", "row-level security is on")


def test_a_column_that_no_sink_could_fill_is_told(applied):
    database = applied(alert_events())
    database.execute(f"ALTER TABLE {TABLE} ADD COLUMN extra text NOT NULL")
    _, chain = unmanaged("column:extra")
    (found,) = status(database.conninfo, chain).drift
    assert "takes no null without a default: no sink could write a row" in found


def test_the_key_is_never_left_to_others(applied):
    database = applied(alert_events())
    database.execute(f"ALTER TABLE {TABLE} RENAME CONSTRAINT alert_events_v1_key TO k")
    _, chain = unmanaged("constraint:k", "index:k")
    assert any("primary key k should be named" in text for text in status(database.conninfo, chain).drift)


def test_what_the_chain_made_is_not_given_away():
    _, chain = unmanaged("column:region", "index:alert_events_v1_recent_idx")
    old = table_of(alert_events(**with_columns(REGION)))
    assert [reason.split(" (")[0] for reason in unplanned(old, chain.table, {})] == [
        "column region is left to others",
        "index alert_events_v1_recent_idx is left to others",
    ]


def test_it_is_no_part_of_the_fingerprint_and_stands_in_table_json():
    dataset, chain = unmanaged("index:mine")
    assert chain.end == table_of(alert_events()).fingerprint == table_of(dataset).fingerprint
    text = table_json.dumps(chain.table)
    assert '"unmanaged": [\n    "index:mine"\n  ]' in text
    assert table_json.loads(text) == chain.table
    assert "unmanaged" not in table_json.dumps(table_of(alert_events()))
