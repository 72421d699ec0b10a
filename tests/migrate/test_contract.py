"""Contract migrations: approved before they run, and held back while a sink needs what they remove."""

from __future__ import annotations

from dataclasses import replace

import pytest

from compiler.dataset import Numeric
from compiler.migrate import run as run_module
from compiler.migrate.apply import apply_chain, status
from compiler.migrate.approve import ApproveError, approval_findings, approved
from compiler.migrate.errors import ApprovalError, HeldBackError, StepError
from compiler.migrate.model import Approval, Hazard
from tests.migrate.cases import REGION, edited, with_columns
from tests.migrate.changing import fill, grown
from tests.migrate.conftest import chain_of, writer
from tests.support.datasets import alert_events

OLD = alert_events(**with_columns(REGION))


@pytest.fixture
def grown_twice(database):
    """A filled table with a column that goes: 0002 drops nothing yet, 0003 would."""
    database.roles(OLD)
    chain = chain_of(OLD)
    database.apply(OLD, chain)
    fill(database)
    return database, grown(chain, alert_events())


def sees(database, contract: int, seen: str = "now()") -> None:
    database.execute(
        "INSERT INTO sluice.sink_instances (dataset, instance, plan_sha256, version, contract, last_seen)"
        f" VALUES ('alert_events', 'host:{contract}', 'sha256:{'a' * 64}', 1, {contract}, {seen})"
    )


def columns(database) -> set[str]:
    rows = database.fetch(
        "SELECT attname::text FROM pg_attribute WHERE attrelid = 'datasets.alert_events_v1'::regclass"
        " AND attnum > 0 AND NOT attisdropped"
    )
    return {name for (name,) in rows}


def test_nothing_runs_before_its_hazard_is_approved(grown_twice):
    database, chain = grown_twice
    bare = replace(chain.files[-1].migration, approvals=())
    unapproved = replace(chain, files=(*chain.files[:-1], replace(chain.files[-1], migration=bare)))
    with pytest.raises(ApprovalError, match=r"may do harm \(data loss\).*--approve 0002\.1 --because"):
        database.apply(alert_events(), unapproved)
    assert "region" in columns(database)
    assert database.apply(alert_events(), chain).applied == ("0002_drop_region.sql",)
    assert "region" not in columns(database)


def test_a_live_sink_of_an_older_plan_holds_it_back(grown_twice):
    database, chain = grown_twice
    sees(database, 2)
    sees(database, 0)
    with pytest.raises(
        HeldBackError, match=r"removes what running sinks need: host:0 with plan sha256:a.*Roll out"
    ):
        database.apply(alert_events(), chain)
    found = status(database.conninfo, chain)
    assert found.pending == ("0002_drop_region.sql",)
    assert [text.split()[0] for text in found.held_back] == ["host:0"]
    assert "region" in columns(database)
    database.execute(
        "UPDATE sluice.sink_instances SET last_seen = now() - interval '61 s' WHERE contract = 0"
    )
    assert database.apply(alert_events(), chain).applied == ("0002_drop_region.sql",)


def test_sinks_of_the_new_plan_and_dead_ones_do_not(grown_twice):
    database, chain = grown_twice
    sees(database, 2)
    sees(database, 0, "'-infinity'")
    sees(database, 1, "now() - interval '10 minutes'")
    assert database.apply(alert_events(), chain).applied == ("0002_drop_region.sql",)


def test_what_runs_before_the_sinks_leaves_the_contract_for_later(grown_twice):
    database, chain = grown_twice
    role = writer(OLD)
    result = apply_chain(database.conninfo, chain, role, expand_only=True)
    assert (result.applied, result.fingerprint) == ((), chain.files[0].migration.after)
    longer = grown(chain, alert_events(**with_columns(replace(REGION, name="zone"))))
    sees(database, 0)
    with pytest.raises(
        HeldBackError, match=r"the commit that ends in 0002_drop_region\.sql first; or stop these"
    ):
        apply_chain(database.conninfo, longer, role, expand_only=True)
    database.execute("DELETE FROM sluice.sink_instances")
    result = apply_chain(database.conninfo, longer, role, expand_only=True)
    assert result.applied == ("0002_drop_region.sql", "0003_add_zone.sql")


def test_an_approval_is_void_when_the_sql_changes(grown_twice):
    _, chain = grown_twice
    last = chain.files[-1]
    step = replace(last.migration.steps[0], sql=f"{last.migration.steps[0].sql}\nSELECT 1;")
    other = replace(chain, files=(replace(last, migration=replace(last.migration, steps=(step,))),))
    assert [finding.rule for finding in approval_findings(other)] == ["hazard-unapproved", "approval-void"]
    superfluous = Approval(7, Hazard.DATA_LOSS, "0" * 12, "x")
    more = replace(last.migration, approvals=(*last.migration.approvals, superfluous))
    found = approval_findings(replace(chain, files=(replace(last, migration=more),)))
    assert [finding.rule for finding in found] == ["approval-void"]
    assert list(approval_findings(chain)) == []


@pytest.mark.parametrize(
    ("steps", "why", "says"),
    [
        ([(9, 1)], "x", "There is no step 0009.1"),
        ([(1, 1)], "x", "has no hazard to approve"),
        ([(2, 1)], " ", "one line of text"),
        ([(2, 1)], 'so "they" say', "without double quotes"),
        ([(2, 1)], "a\nb", "one line of text"),
    ],
)
def test_what_cannot_be_approved_is_told(grown_twice, steps, why, says):
    _, chain = grown_twice
    with pytest.raises(ApproveError, match=says):
        approved(chain, steps, why)


def test_a_large_table_is_not_rewritten(database, monkeypatch):
    database.roles(alert_events())
    chain = chain_of(alert_events())
    database.apply(alert_events(), chain)
    fill(database)
    longer = grown(chain, alert_events(**edited("value", type=Numeric(14, 6))))
    monkeypatch.setattr(run_module, "REWRITE_BYTES", 8192)
    with pytest.raises(
        StepError, match=r"MiB anew, and nobody could read or write.*Set `version` one higher"
    ):
        database.apply(alert_events(), longer)
    monkeypatch.undo()
    assert database.apply(alert_events(), longer).fingerprint == longer.end
