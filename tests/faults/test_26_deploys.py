"""What changes while records flow: two sinks at once, an old sink on a newer table, producers ahead of the plan."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

from botocore.config import Config

from compiler.dataset import Text
from compiler.migrate.apply import apply_chain
from dev.emulator.client import session
from tests.faults.rig import DATASET, Rig
from tests.faults.servers import MakeRig, both_servers
from tests.migrate.changing import grown
from tests.migrate.conftest import chain_of, writer
from tests.sink import datasets
from tests.sink.datasets import column
from tests.sink.messages import monitored, numbered
from tests.support.proxies.aws import Answer, AwsProxy, Call
from tests.support.proxies.behaviours import lose_answer

UNKNOWN = "sha256:" + hashlib.sha256(b"the schema of tomorrow").hexdigest()
HELD_SECONDS = 900


@both_servers
def test_26_two_sinks_during_a_deploy_lose_and_double_nothing(rig: MakeRig) -> None:
    """The new one starts, the old one is stopped, and records come all the while."""
    one = rig(datasets.monitoring_events(batch_records=5), visibility_timeout_seconds=5)
    services = [f"s{number}" for number in range(90)]
    old = one.start_ready()
    one.send(*services[:30], together=3)
    new = one.start_ready()
    one.send(*services[30:60], together=3)
    old.process.terminate()
    one.send(*services[60:], together=3)
    assert old.process.wait(60) == 0
    one.await_exactly(services)
    one.await_announced()
    assert new.process.poll() is None


def test_35_an_old_sink_starts_again_after_expand(rig: MakeRig) -> None:
    one = rig(datasets.monitoring_events())
    first = one.start_ready()
    one.send("before")
    one.await_exactly(["before"])
    assert first.stop() == 0
    old = one.store.dataset
    wider = replace(
        old, columns=(*old.columns, column("region", Text()), column("zone", Text(), default="a"))
    )
    apply_chain(one.conninfo, grown(chain_of(old), wider), writer(old), old.owner)
    one.start()
    one.send("after")
    one.await_exactly(["before", "after"])
    assert one.store.fetch("SELECT service, region, zone FROM datasets.monitoring_events_v1 ORDER BY 1") == [
        ("after", None, "a"),
        ("before", None, "a"),
    ]


@both_servers
def test_36_a_producer_ahead_of_the_plan_is_held_and_not_rejected_at_once(rig: MakeRig) -> None:
    """A message that is not admitted under a schema that the plan does not know yet: the plan may lag."""
    one = rig(datasets.monitoring_events())
    one.start()
    one.send_body(_ahead(monitored("ahead", count="many"), monitored("with it")))
    one.send("beside it", schema=UNKNOWN)
    one.until(lambda: "beside it" in one.stored() and len(one.aws.extended()) > 0)
    [receipt] = one.aws.extended()
    one.until(lambda: one.deployment.counts(one.deployment.buffer) == (0, 1))
    assert one.deployment.counts(one.deployment.dead_letter) == (0, 0)
    assert one.aws.extended() == {receipt: 1}, "it is put off once, and no heartbeat overwrites that"


def test_36_a_message_of_an_unknown_schema_that_was_held_long_enough_is_rejected_so(rig: MakeRig) -> None:
    one = rig(datasets.monitoring_events())
    one.aws.on("ChangeMessageVisibilityBatch", _come_back_at_once)
    one.start()
    body = _ahead(monitored("ahead", count="many"), monitored("with it"))
    one.send_body(body)
    [letter] = one.letters(1)
    one.deployment.await_drained()
    assert letter["MessageAttributes"]["reason"]["StringValue"] == "schema_unknown"
    assert json.loads(letter["Body"])["schema"] == UNKNOWN
    assert one.stored() == ["with it"]
    one.check_commits()
    put_off = [
        int(entry["VisibilityTimeout"])
        for call in one.aws.of("ChangeMessageVisibilityBatch")
        for entry in call.entries()
    ]
    assert put_off == sorted(put_off)
    assert abs(sum(put_off) - HELD_SECONDS) < len(put_off)


def _ahead(*records: dict[str, object]) -> str:
    return json.dumps({"dataset": DATASET, "schema": UNKNOWN, "records": records})


def _come_back_at_once(call: Call) -> Answer:
    """Time passes faster: what is put off is there again."""
    return call.forward(
        request=call.request | {"Entries": [one | {"VisibilityTimeout": 0} for one in call.entries()]}
    )


@both_servers
def test_38_a_producers_retry_after_a_lost_answer_is_one_row(rig: MakeRig) -> None:
    """The SDK sends again on its own; the envelope's id makes both one, though each has a MessageId of its own."""
    one = rig(datasets.monitoring_events())
    with AwsProxy(one.server.state) as way:
        way.on("SendMessage", lose_answer, times=2)
        _produce(one, way, "told twice, and thrice")
        assert len(way.of("SendMessage")) == 3
    one.until(lambda: sum(one.deployment.counts(one.deployment.buffer)) == 3)
    one.start()
    one.await_exactly(["told twice, and thrice"])
    assert len(set(one.aws.received())) == 3


def _produce(one: Rig, way: AwsProxy, service: str) -> None:
    body = {"dataset": DATASET, "id": numbered(7), "records": [monitored(service)]}
    producer = session(replace(one.server.state, endpoint_url=way.endpoint_url)).client(
        "sqs", config=Config(retries={"mode": "standard", "max_attempts": 3})
    )
    producer.send_message(QueueUrl=one.deployment.buffer, MessageBody=json.dumps(body))
