"""What a running sink tells over HTTP and in its log: what it did, whether it lives, what it waits for; never a value."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from dev.postgres_cluster import free_port
from sink_runtime import settings as names
from sink_runtime.pipeline.metrics import Metrics
from sink_runtime.records.reasons import Reason
from tests.sink import datasets
from tests.sink.deployment import Deployment, Sink
from tests.sink.messages import Message, alert
from tests.sink.store import PASSWORD, Store
from tests.support.waiting import until

Deploy = Callable[..., Deployment]
MakeStore = Callable[..., Store]


@dataclass
class Window:
    """A sink's HTTP port."""

    port: int

    def get(self, path: str) -> tuple[int, str]:
        """Status and body; 0 where nobody listens."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}") as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def told(self, path: str) -> tuple[int, Any]:
        status, body = self.get(path)
        return status, json.loads(body or "{}")

    @property
    def is_ready(self) -> bool:
        return self.get("/readyz")[0] == 200

    def values(self) -> dict[tuple[str, ...], float]:
        """Each sample by its name and its labels' values but dataset and version, which are always those."""
        found = {}
        for family in text_string_to_metric_families(self.get("/metrics")[1]):
            for sample in family.samples:
                labels = dict(sample.labels)
                if sample.name.startswith("sluice_sink_"):
                    assert (labels.pop("dataset"), labels.pop("version")) == ("alert_events", "1")
                found[sample.name.removeprefix("sluice_sink_"), *labels.values()] = sample.value
        return found


def start(deployment: Deployment, **more: str) -> tuple[Sink, Window]:
    port = free_port()
    sink = deployment.start(**{names.HTTP_PORT: str(port)} | more)
    return sink, Window(port)


def test_what_a_sink_did_is_counted_and_nothing_of_a_record_is_told(
    make_store: MakeStore, deploy: Deploy
) -> None:
    deployment = deploy(make_store(datasets.alert_events()))
    private = "a very confidential label"
    deployment.send(
        Message((alert("a"), alert("bad", "nonsense", labels={"note": private}), alert("b"))),
        Message((alert("a"),)),
        Message((alert("c", labels={"note": [private]}),)),
        Message((alert("d", **{private: 1}),)),
        Message((alert("e", labels={private: 1}),)),
        Message(body=b"not json, " + private.encode()),
    )
    sink, window = start(deployment)
    deployment.await_drained()
    until(lambda: window.values().get(("messages_deleted_total",)) == 6, deployment.tell)
    until(lambda: window.values().get(("events_published_total",), 0) >= 1, deployment.tell)
    found = window.values()
    assert found["messages_received_total",] == 6
    assert (found["records_inserted_total",], found["records_unchanged_total",]) == (2, 1)
    assert found["records_rejected_total", "schema_violation"] == 4
    assert found["records_rejected_total", "not_json"] == 1
    assert found["dead_letters_sent_total",] == 5
    assert (found["delete_failures_total",], found["messages_received_again_total",]) == (0, 0)
    assert found["commit_seconds_count",] == found["age_seconds_count",] == found["batch_records_count",] >= 1
    assert found["batch_records_sum",] == 3
    assert (found["held_messages",], found["held_bytes",], found["oldest_held_seconds",]) == (0, 0, 0)
    assert found["pace_records",] == 2000
    assert {name for kind, *labels in found if kind == "worker_up" for name in labels} >= {
        "writer-1",
        "deleter",
    }
    assert all(found[key] == 1 for key in found if key[0] == "worker_up")
    assert not any(found[key] for key in found if key[0] == "gate_closed")
    assert window.told("/healthz") == (200, {"healthy": True, "complaints": []})
    assert window.told("/readyz") == (200, {"ready": True, "state": "running", "waits_for": {}})
    told = window.get("/metrics")[1] + window.get("/readyz")[1]
    lines = sink.events("batch written") + sink.events("records rejected")
    assert {(line["dataset"], line["version"]) for line in lines} == {("alert_events", 1)}
    assert {line["batch"] for line in sink.events("records rejected")} <= {line["batch"] for line in lines}
    assert sum(line["commit_id"] is not None for line in lines if "commit_id" in line) >= 1
    assert sink.stop() == 0
    for secret in (private, PASSWORD, "nonsense"):
        assert secret not in told
        assert secret not in sink.log.read_text()


def test_every_reason_is_counted_from_the_start() -> None:
    """Prometheus sees no increase where a counter's first sample is already one."""
    told = generate_latest(Metrics("alert_events", 1).registry).decode()
    [rejected] = [
        one for one in text_string_to_metric_families(told) if one.name == "sluice_sink_records_rejected"
    ]
    counted = {sample.labels["reason"] for sample in rejected.samples if sample.name.endswith("_total")}
    assert counted == set(Reason)
    assert {sample.value for sample in rejected.samples if sample.name.endswith("_total")} == {0}


def test_what_is_waited_for_is_told_and_is_healthy(make_store: MakeStore, deploy: Deploy) -> None:
    store = make_store(datasets.alert_events())
    store.execute("ALTER TABLE datasets.alert_events_v1 ADD COLUMN region text NOT NULL")
    deployment = deploy(store)
    sink, window = start(deployment)
    until(lambda: "plan" in window.told("/readyz")[1].get("waits_for", {}), deployment.tell)
    status, told = window.told("/readyz")
    assert (status, told["ready"], told["state"]) == (503, False, "running")
    assert "column region is NOT NULL" in told["waits_for"]["plan"]
    assert window.get("/healthz")[0] == 200
    assert window.values()["gate_closed", "plan"] == 1
    until(lambda: window.values()["waits_total", "plan"] >= 1)
    store.execute("ALTER TABLE datasets.alert_events_v1 ALTER COLUMN region DROP NOT NULL")
    until(lambda: window.is_ready, deployment.tell)
    assert window.values()["gate_closed", "plan"] == 0
    assert {line["waited_for"] for line in sink.events("went on")} == {"plan"}
    assert {line["level"] for line in sink.events("waiting")} == {"error"}, "a person must look"
    assert window.get("/nothing")[0] == 404


def test_a_topic_that_is_away_is_told_and_keeps_nothing_from_being_written(
    make_store: MakeStore, deploy: Deploy
) -> None:
    deployment = deploy(make_store(datasets.alert_events()))
    deployment.send(Message((alert("a"),)))
    _, window = start(deployment, SLUICE_TOPIC_ARN=deployment.topic + "-that-is-not-there")
    deployment.await_drained()
    until(lambda: "topic" in window.told("/readyz")[1].get("waits_for", {}), deployment.tell)
    assert window.is_ready
    until(lambda: window.values()["unpublished_events",] == 1, deployment.tell)
    assert window.values()["gate_closed", "topic"] == 0
    assert window.values()["waits_total", "topic"] >= 1


def test_a_sink_without_its_plan_is_healthy_and_not_ready(make_store: MakeStore, deploy: Deploy) -> None:
    deployment = deploy(make_store(datasets.alert_events()))
    sink, window = start(deployment, SLUICE_PLAN="s3://nowhere/plan.json")
    until(lambda: bool(sink.events("waiting")), deployment.tell)
    status, told = window.told("/readyz")
    assert (status, told["state"], list(told["waits_for"])) == (503, "starting", ["plan"])
    assert (window.get("/healthz")[0], window.get("/metrics")[0]) == (200, 200)
    assert sink.stop() == 0


def test_a_port_that_is_taken_is_told(make_store: MakeStore, deploy: Deploy) -> None:
    deployment = deploy(make_store(datasets.alert_events()))
    _, window = start(deployment)
    until(lambda: window.get("/healthz")[0] == 200, deployment.tell)
    second = deployment.start(SLUICE_HTTP_PORT=str(window.port))
    assert second.process.wait() == 2
    assert f"SLUICE_HTTP_PORT: cannot listen on 127.0.0.1:{window.port}" in second.log.read_text()
