"""What may go and what may not: a protected stack keeps its data, an unprotected one goes whole but for its rows."""

from __future__ import annotations

from tests.engine.world import World


def test_a_protected_stack_is_not_destroyed_and_an_unprotected_one_goes_but_for_its_rows(
    world: World,
) -> None:
    world.configure(datasets=["alert_events", "monitoring_events"], protect=True)
    world.up()
    world.sql(
        "INSERT INTO datasets.alert_events_v1 (org_id, dedupe_key, severity, raised_at, ingested_at, sender)"
        " VALUES (gen_random_uuid(), 'k', 'info', now(), now(), 'me')"
    )
    told = world.refused(world.destroy)
    assert "protect" in told
    assert "alert_events-table" in told
    assert world.queue("embedded_alert_events_buffer")
    a_dataset_that_is_simply_gone_is_refused(world)

    world.configure(datasets=["alert_events", "monitoring_events"], protect=False)
    world.up()
    world.destroy()
    assert world.project.resources() == {}
    assert world.aws("sqs").list_queues().get("QueueUrls", []) == []
    assert world.aws("sns").list_topics()["Topics"] == []
    assert world.aws("s3").list_buckets()["Buckets"] == []
    assert [one["RoleName"] for one in world.aws("iam").list_roles(PathPrefix="/sluice/")["Roles"]] == []
    assert world.aws("iam").list_policies(Scope="Local")["Policies"] == []
    assert world.sql("SELECT rolname FROM pg_roles WHERE rolname LIKE 'embedded_%'") == []
    assert world.sql("SELECT dedupe_key FROM datasets.alert_events") == [("k",)]

    found = world.up()
    assert set(found.changes.values()) == {"create"}
    assert world.sql("SELECT dedupe_key FROM datasets.alert_events") == [("k",)]
    assert world.sql("SELECT count(*) FROM sluice.migrations") == [(2,)]
    world.settles()


def a_dataset_that_is_simply_gone_is_refused(world: World) -> None:
    world.configure(datasets=["alert_events"])
    told = world.refused(world.up)
    assert "monitoring_events-table" in told
    assert "protect" in told
    assert world.queue("embedded_monitoring_events_buffer")
