"""A change in two phases: the table grows, the service takes the new plan, and what the old plan needs goes when it is gone."""

from __future__ import annotations

import json
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from pulumi import automation as auto

from compiler.migrate import propose
from compiler.migrate.session import APPLICATION_NAME
from compiler.pipeline import compile_datasets
from tests.engine.world import World
from tests.support.waiting import until

TABLE, SERVICE = "DatasetTable alert_events-table", "Service alert_events-sink"
CONTRACT = "DatasetTable alert_events-table-contract"
COLUMNS = (
    "SELECT attname FROM pg_attribute WHERE attrelid = 'datasets.alert_events_v1'::regclass"
    " AND attname IN ('region', 'sender') AND NOT attisdropped ORDER BY 1"
)
BOTH, NEW = [("region",), ("sender",)], [("region",)]
APPLYING = f"SELECT 1 FROM pg_stat_activity WHERE application_name = '{APPLICATION_NAME}'"
OLD_SINK = (
    "INSERT INTO sluice.sink_instances (dataset, instance, plan_sha256, version, contract, last_seen)"
    f" VALUES ('alert_events', 'old:1', 'sha256:{'a' * 64}', 1, 0, now() + interval '1 hour')"
)


def test_what_an_old_sink_needs_goes_after_the_service_has_the_new_plan_and_the_sink_is_gone(
    world: World,
) -> None:
    world.configure(datasets=["alert_events"])
    world.up()
    world.sql(OLD_SINK)
    world.manifest("alert_events", change)
    approve(world, (3, 1))

    seen = world.preview()
    shows_sql_hazards_and_rights(seen.step(TABLE).inputs, seen.step(CONTRACT).inputs)
    [allowed] = json.loads(seen.step("Policy scanner-send-1").inputs["policy"])["Statement"]
    assert allowed["Resource"] == ["arn:aws:sqs:eu-central-1:123456789012:embedded_alert_events_buffer"]
    assert seen.changes["TaskDefinition alert_events-sink"] == "replace"
    assert seen.changes[SERVICE] == "update"
    assert world.sql(COLUMNS) == [("sender",)]

    at_service: list[Any] = []
    with ThreadPoolExecutor(1) as beside:
        released: list[Future[None]] = []

        def watch(event: auto.EngineEvent) -> None:
            ended, begun = event.res_outputs_event, event.resource_pre_event
            if ended and ended.metadata.urn.endswith("Service::alert_events-sink"):
                at_service.append(world.sql(COLUMNS))
            if begun and begun.metadata.urn.endswith("::alert_events-table-contract"):
                released.append(beside.submit(end_the_old_sink, world))

        done = world.up(watch=watch)
        for one in released:
            one.result()

    ended = [one.key for one in done.ended if one.op == "update"]
    assert ended.index(TABLE) < ended.index(SERVICE) < ended.index(CONTRACT)
    assert at_service == [BOTH]
    assert world.sql(COLUMNS) == NEW
    assert world.sql("SELECT number, phase FROM sluice.migrations ORDER BY started_at") == [
        (1, "expand"),
        (2, "expand"),
        (3, "contract"),
    ]
    world.settles()


def change(value: dict[str, Any]) -> None:
    """A column more, one less, and a producer more."""
    value["record"]["properties"]["region"] = {"type": "string", "maxLength": 40}
    del value["table"]["columns"]["sender"]
    value["producers"].append("scanner")


def approve(world: World, step: tuple[int, int]) -> None:
    for one in compile_datasets(world.folder).require():
        if one.dataset.name == "alert_events":
            propose.approve(one.dataset, one.folder, [step], "Nobody reads it.")


def shows_sql_hazards_and_rights(table: Any, contract: Any) -> None:
    assert table["files"] == ["0002_add_region.sql"]
    assert any('ADD COLUMN "region"' in sql for sql in table["statements"])
    assert not any("DROP COLUMN" in sql for sql in table["statements"])
    assert table["hazards"] == []
    assert contract["files"] == ["0003_drop_sender.sql"]
    assert any('DROP COLUMN "sender"' in sql for sql in contract["statements"])
    [hazard] = contract["hazards"]
    assert "0003_drop_sender.sql" in hazard
    assert "data loss" in hazard


def end_the_old_sink(world: World) -> None:
    """Once the contract migration was tried and the column is still there."""
    until(lambda: bool(world.sql(APPLYING)))
    until(lambda: not world.sql(APPLYING))
    assert world.sql(COLUMNS) == BOTH
    world.sql("DELETE FROM sluice.sink_instances WHERE instance = 'old:1'")
