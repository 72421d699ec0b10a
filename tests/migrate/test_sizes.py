"""How large a live table is: said in a plan, and a reason to run a step before the deployment."""

import json
from dataclasses import replace

import pytest

from compiler.dataset import Index, IndexColumn, Method
from compiler.migrate import sizes
from compiler.migrate.apply import apply_chain
from compiler.migrate.errors import TooLongError
from compiler.migrate.model import Effort, Mode
from compiler.migrate.patience import Patience
from compiler.migrate.relations import relation_of
from compiler.migrate.sizes import (
    BYTES_PER_SECOND,
    DEPLOYMENT_SECONDS,
    READ_BYTES_PER_SECOND,
    Size,
    seconds,
    size,
    work,
)
from tests.migrate.changing import ROWS, fill, grown
from tests.migrate.conftest import chain_of, writer
from tests.migrate.test_cli import edit_manifest, named_database, project, sluice
from tests.support.datasets import alert_events
from tests.support.postgres import every_major

__all__ = ["named_database", "project"]
TABLE = "datasets.alert_events_v1"


def indexed():
    dataset = alert_events()
    index = Index("by_sender", Method.BTREE, (IndexColumn("sender"),))
    return replace(dataset, indexes=(*dataset.indexes, index))


@every_major
def test_the_live_tables_rows_and_bytes(applied):
    database = applied(alert_events())
    relation = relation_of(chain_of(alert_events()))
    with database.session() as connection:
        assert size(connection, replace(relation, table="nothing")) == Size(0, 0)
        fill(database)
        assert size(connection, relation).rows is None
        database.execute(f"ANALYZE {TABLE}")
        found = size(connection, relation)
    assert found.rows == ROWS
    assert 8192 <= found.bytes < 2**20
    assert str(found).startswith(f"about {ROWS} rows, ")


@pytest.mark.parametrize(
    ("bytes_", "rows", "says"),
    [
        (0, None, "rows never counted, 0 bytes"),
        (8192, 1, "about 1 rows, 8.0 KiB"),
        (3 * 2**20 // 2, 12_000, "about 12,000 rows, 1.5 MiB"),
        (40 * 2**30, 10**9, "about 1,000,000,000 rows, 40.0 GiB"),
    ],
)
def test_sizes_are_told_in_units(bytes_, rows, says):
    assert str(Size(bytes_, rows)) == says


def test_only_work_that_grows_with_the_table_is_told():
    steps = grown(chain_of(alert_events()), indexed()).files[-1].migration.steps
    instant = replace(steps[0], effort=Effort.INSTANT)
    large = Size(20 * BYTES_PER_SECOND, 5)
    assert [seconds(one, large) for one in (steps[0], instant)] == [20, 0]
    reading = replace(steps[0], mode=Mode.OWN)
    assert seconds(reading, large) == 20 * BYTES_PER_SECOND // READ_BYTES_PER_SECOND
    assert [work(one, large) for one in (steps[0], instant)] == [f"scan of {large}", "instant"]
    assert work(steps[0], None) == "scan"


@every_major
def test_a_deployment_refuses_what_would_take_too_long(applied, monkeypatch):
    database = applied(alert_events())
    fill(database)
    chain = grown(chain_of(alert_events()), indexed())
    deploying = Patience(longest=DEPLOYMENT_SECONDS)
    large = Size((DEPLOYMENT_SECONDS + 60) * BYTES_PER_SECOND, 10**9)
    with monkeypatch.context() as patch:
        patch.setattr(sizes, "size", lambda *_: large)
        with pytest.raises(
            TooLongError,
            match=r"for about 11 minutes, longer than the 10 .*`sluice migrate apply alert_events`",
        ):
            apply_chain(database.conninfo, chain, writer(alert_events()), patience=deploying)
        assert database.apply(alert_events(), chain).applied == ("0002_add_index_by_sender.sql",)
        again = apply_chain(database.conninfo, chain, writer(alert_events()), patience=deploying)
    assert again.applied == ()


def test_a_plan_says_what_its_steps_work_on(project, named_database):
    sluice("plan")
    sluice("migrate", "apply", "--prefix", "test")
    fill(named_database)
    named_database.execute(f"ANALYZE {TABLE}")
    edit_manifest(
        project,
        lambda manifest: manifest["table"]["indexes"].append({"name": "by_sender", "columns": ["sender"]}),
    )
    text = sluice("plan", "--check", "--sizes").stdout
    assert f"    lock SHARE UPDATE EXCLUSIVE, scan of about {ROWS} rows, " in text
    markdown = sluice("plan", "--check", "--sizes", "--format", "markdown").stdout
    assert f"| SHARE UPDATE EXCLUSIVE | scan of about {ROWS} rows, " in markdown
    (document,) = json.loads(sluice("plan", "--sizes", "--format", "json").stdout)
    step = document["migrations"][0]["steps"][0]
    assert step["rows"] == ROWS
    assert step["bytes"] >= 8192
    (file,) = (project / "datasets/alert_events/migrations/v1").glob("0002*")
    assert "rows" not in file.read_text()


def test_sizes_need_a_database(project):
    sluice("plan")
    found = sluice("plan", "--sizes")
    assert (found.exit_code, "PGHOST" in found.stderr) == (1, True)
