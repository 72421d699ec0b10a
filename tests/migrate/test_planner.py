"""Planning: pure, deterministic, and honest about what it does not plan."""

from dataclasses import replace

import pytest

from compiler.dataset import (
    Bound,
    Check,
    Expression,
    Index,
    IndexColumn,
    Method,
    Numeric,
    Text,
)
from compiler.migrate import renames
from compiler.migrate.model import Chain
from compiler.migrate.planner import Create, Nothing, Refused, plan
from compiler.migrate.steps.register import Registration
from compiler.table import table_of
from tests.migrate.changing import grown
from tests.support.datasets import alert_events, integrity_signals


def registration(dataset):
    return Registration(dataset.name, dataset.version, dataset.uuid, dataset.owner)


def chain_of(dataset):
    table = table_of(dataset)
    planned = plan(None, table, registration(dataset))
    assert isinstance(planned, Create)
    return Chain(dataset.name, dataset.version, tuple(one.file for one in planned.files), table)


def column(name, /, **changes):
    columns = tuple(replace(c, **changes) if c.name == name else c for c in alert_events().columns)
    return {"columns": columns}


def named(name):
    """A column as `value` is, of another name."""
    return replace(next(c for c in alert_events().columns if c.name == "value"), name=name)


def test_the_same_table_gives_the_same_bytes():
    dataset = integrity_signals()
    first, second = (plan(None, table_of(dataset), registration(dataset)) for _ in range(2))
    assert first == second


def test_each_step_says_where_the_table_is_after_it():
    chain = chain_of(integrity_signals())
    steps = chain.files[0].migration.steps
    assert [step.title.split(" ")[0] for step in steps] == ["create"] * 4 + ["comment", "create", "register"]
    assert len({step.after for step in steps[:-1]}) == len(steps) - 1
    assert steps[-1].after == steps[-2].after == chain.table.fingerprint


def test_a_table_without_comments_has_no_comment_step():
    dataset = alert_events(description="", columns=column("dedupe_key", description=None)["columns"])
    assert "comment" not in " ".join(step.title for step in chain_of(dataset).files[0].migration.steps)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"owner": "somebody-else"},
        {"producers": ("x", "y")},
        {"columns": tuple(reversed(alert_events().columns))},
    ],
    ids=["same", "owner", "producers", "order of columns"],
)
def test_what_is_not_the_table_needs_no_migration(changes):
    dataset = alert_events(**changes)
    assert plan(chain_of(alert_events()), table_of(dataset), registration(dataset)) == Nothing()


PARTIAL = Index("some", Method.BTREE, (IndexColumn("sender"),), where=Expression("value > 1"))


def test_a_type_that_would_build_an_index_anew_under_the_lock_is_refused():
    new = alert_events(**column("value", type=Numeric(14, 4)), indexes=(PARTIAL,))
    refused = plan(chain_of(alert_events(indexes=(PARTIAL,))), table_of(new), registration(new))
    assert isinstance(refused, Refused)
    assert "the partial index alert_events_v1_some_idx would be built anew" in refused.reasons[0]


SEVERITY = alert_events().checks[1]


@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        (
            {"columns": (*alert_events().columns, replace(alert_events().columns[1], name="region"))},
            ["column region added (text): it takes no null and has no default"],
        ),
        ({"columns": alert_events().columns[1:]}, ["column org_id removed: it is part of the key"]),
        (
            column("value", type=Numeric(12, 5)),
            [
                "column value changed type from numeric(12,4) to numeric(12,5): a value of the old type may not fit"
            ],
        ),
        (
            column("value", type=Numeric(10, 4)),
            ["column value changed type from numeric(12,4) to numeric(10,4)"],
        ),
        (
            column("sender", type=Numeric()),
            ["column sender changed type from text to numeric: a value of the old type may not fit"],
        ),
        (
            column("sender", name="sent_by", renamed_from="sendr"),
            ["column sent_by is renamed from sendr, which the table does not have"],
        ),
        (
            column("sender", renamed_from="value"),
            [
                "column sender is renamed from value, and is there already",
            ],
        ),
        ({"schema": "public"}, ["schema changed from datasets to public"]),
    ],
)
def test_what_is_not_planned_is_refused_by_name(changes, reasons):
    dataset = alert_events(**changes)
    chain = chain_of(alert_events())
    refused = plan(chain, table_of(dataset), registration(dataset), renames.wanted(dataset, chain))
    assert isinstance(refused, Refused)
    for reason in reasons:
        assert any(found.startswith(reason) for found in refused.reasons), refused.reasons
    # A new version is the way out of what the table cannot become, and none of a hint that says nothing.
    is_hint = all(" is renamed from " in reason for reason in refused.reasons)
    assert ("set `version` to 2" in refused.way_out) is not is_hint


def test_a_hint_that_a_plan_has_followed_is_told_to_go_and_not_to_take_a_new_version():
    """Left in the manifest it is met by a later plan, of another change."""
    dataset = alert_events(**column("sender", name="sent_by", renamed_from="sender"))
    chain = grown(chain_of(alert_events()), dataset)
    for note in ("one", "two"):  # the plan that followed the hint may be the last two files
        dataset = replace(dataset, columns=(*dataset.columns, named(note)))
        chain = grown(chain, dataset, hints={})
    later = replace(dataset, columns=(*dataset.columns, named("three")))
    refused = plan(chain, table_of(later), registration(later), renames.wanted(later, chain))
    assert refused == Refused(
        ("column sent_by is renamed from sender, and has been renamed already",), renames.REMOVE
    )
    typing_error = plan(chain, table_of(dataset), registration(dataset), {"five": "sent_bye"})
    assert isinstance(typing_error, Refused)
    assert typing_error.way_out == 'Did you mean "sent_by"?'


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (column("sender", name="a\nb"), "The column name 'a\\nb' is empty or holds"),
        (column("sender", name=""), "The column name '' is empty"),
        (column("sender", name="x" * 64), "has 64 bytes; Postgres keeps 63"),
        (column("sender", name="\u202eabc"), "a character that does not print"),
        ({"checks": (Check("odd", Expression("sender <> '\n'")),)}, "The expression of check 'ck_odd_"),
        (
            {
                "indexes": (
                    Index("odd", Method.BTREE, (IndexColumn("sender"),), where=Expression("sender = '\t'")),
                )
            },
            "The expression of index 'alert_events_v1_odd_idx'",
        ),
    ],
)
def test_what_sql_text_cannot_show_is_refused_by_name(changes, says):
    dataset = alert_events(**changes)
    refused = plan(None, table_of(dataset), registration(dataset))
    assert isinstance(refused, Refused)
    assert any(says in reason for reason in refused.reasons), refused.reasons


def test_a_bound_with_another_operator_is_no_sql():
    dataset = alert_events(checks=(Check("value", Bound("= 1 OR 1 =", "1")),))
    with pytest.raises(ValueError, match="is no bound"):
        plan(None, table_of(dataset), registration(dataset))


def test_the_sample_type_is_text():
    assert alert_events().column("sender").type == Text()
