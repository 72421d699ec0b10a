"""What was changed by hand: a refresh sees it, the next update puts it back, and a table that is not git's is refused."""

from __future__ import annotations

import json

from tests.engine.world import World

QUEUE, TABLE = "embedded_alert_events_buffer", "DatasetTable alert_events-table"


def test_changes_by_hand_are_seen_and_put_back_and_a_tables_are_refused(world: World) -> None:
    world.configure(datasets=["alert_events"])
    world.up()
    change_by_hand(world)
    assert world.preview().changes == {}, "without a refresh the engine looks at nothing"
    assert world.refresh().drift == {
        "Queue alert_events-buffer": "update",
        "RedrivePolicy alert_events-buffer": "delete",
        "QueuePolicy alert_events-dlq": "update",
        "Topic alert_events-commits": "update",
        "TopicPolicy alert_events-commits": "update",
        "BucketPublicAccessBlock plans-private": "update",
        "Role alert_events-sink": "update",
        "RolePolicy alert_events-sink": "update",
        "RolePolicyAttachment monitor-send-1": "delete",
        "SinkLogin alert_events-login": "delete",
        "Role alert_events-reader": "update",
        "Grant alert_events-write": "update",
        "Grant alert_events-read": "update",
        "GrantRole alert_events-reader-analytics": "delete",
        TABLE: "update",
    }
    assert "by_hand" in drift_of_the_table(world)

    told = world.refused(world.up)
    assert "datasets.alert_events_v1 was changed outside of its migrations" in told
    assert "by_hand" in told
    assert "sluice migrate adopt alert_events" in told

    world.sql("ALTER TABLE datasets.alert_events_v1 DROP COLUMN by_hand")
    world.up()
    assert drift_of_the_table(world) == "[]"
    is_put_back(world)
    world.settles()


def test_a_migration_over_a_table_changed_by_hand_is_refused_without_any_refresh(world: World) -> None:
    world.configure(datasets=["alert_events"])
    world.up()
    world.sql("ALTER TABLE datasets.alert_events_v1 ALTER COLUMN title SET DEFAULT 'x'")
    world.manifest(
        "alert_events", lambda value: value["record"]["properties"].update(region={"type": "string"})
    )
    assert 'ADD COLUMN "region"' in world.preview().step(TABLE).inputs["statements"][0]
    assert "was changed outside of its migrations" in world.refused(world.up)
    assert (
        world.sql(
            "SELECT 1 FROM information_schema.columns WHERE table_name = 'alert_events_v1' AND column_name = 'region'"
        )
        == []
    )


def change_by_hand(world: World) -> None:
    """What somebody may do in a console, and in psql."""
    sqs, sns, iam = (world.aws(service) for service in ("sqs", "sns", "iam"))
    wanted = {"VisibilityTimeout": "31", "RedrivePolicy": ""}
    sqs.set_queue_attributes(QueueUrl=world.queue(QUEUE), Attributes=wanted)
    statement = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
    open_to_all = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    del statement["Principal"]
    allows_all = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    dead = world.queue("embedded_alert_events_dlq")
    sqs.set_queue_attributes(QueueUrl=dead, Attributes={"Policy": open_to_all})
    topic = "arn:aws:sns:eu-central-1:123456789012:embedded_alert_events_commits"
    sns.set_topic_attributes(TopicArn=topic, AttributeName="DisplayName", AttributeValue="hand")
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=open_to_all)
    outputs = world.outputs()["datasets"]["alert_events"]
    bucket = outputs["plan_uri"].split("/")[2]
    world.aws("s3").put_public_access_block(
        Bucket=bucket, PublicAccessBlockConfiguration={"BlockPublicAcls": False}
    )
    role = outputs["sink_role_arn"].rpartition("/")[2]
    iam.update_role(RoleName=role, Description="by hand")
    iam.put_role_policy(RoleName=role, PolicyName="sink", PolicyDocument=allows_all)
    [policy] = iam.list_attached_role_policies(RoleName="monitor")["AttachedPolicies"]
    iam.detach_role_policy(RoleName="monitor", PolicyArn=policy["PolicyArn"])
    world.aws("secretsmanager").delete_secret(SecretId=outputs["login_secret_arn"], RecoveryWindowInDays=7)
    world.sql("ALTER ROLE embedded_alert_events_r LOGIN")
    world.sql("GRANT DELETE ON datasets.alert_events_v1 TO embedded_alert_events_w")
    world.sql("REVOKE SELECT ON datasets.alert_events FROM embedded_alert_events_r")
    world.sql("REVOKE embedded_alert_events_r FROM analytics")
    world.sql("ALTER TABLE datasets.alert_events_v1 ADD COLUMN by_hand text")


def is_put_back(world: World) -> None:
    url = world.queue(QUEUE)
    found = world.aws("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert found["VisibilityTimeout"] == "120"
    assert json.loads(found["RedrivePolicy"])["maxReceiveCount"] == 10
    assert len(world.aws("iam").list_attached_role_policies(RoleName="monitor")["AttachedPolicies"]) == 1
    assert world.sql("SELECT rolcanlogin FROM pg_roles WHERE rolname = 'embedded_alert_events_r'") == [
        (False,)
    ]
    asked = "SELECT has_table_privilege('embedded_alert_events_w', 'datasets.alert_events_v1', 'DELETE')"
    assert world.sql(asked) == [(False,)]
    assert world.sql("SELECT pg_has_role('analytics', 'embedded_alert_events_r', 'MEMBER')") == [(True,)]


def drift_of_the_table(world: World) -> str:
    [found] = [one for urn, one in world.project.resources().items() if urn.endswith("::alert_events-table")]
    return json.dumps(found["outputs"]["drift"])
