"""When somebody is told, and how many sinks run: the arithmetic, and what CloudWatch and ECS are given of it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from compiler.dataset import Dataset
from compiler.emit import alarms, dashboard, scaling
from compiler.emit.alarms import Alarm, Missing
from compiler.operation import Alarms
from tests.support.datasets import alert_events

METRIC_ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
ALL = Alarms(300, depth=50_000, in_flight=True, tasks_below_minimum=True, publish_failures=True)
DAY = 86_400


def of(dataset: Dataset) -> dict[str, Alarm]:
    return {one.kind: one for one in alarms.alarms_of(dataset, "dev", "cluster")}


def with_sink(**fields: Any) -> Dataset:
    dataset = alert_events()
    return replace(dataset, sink=replace(dataset.sink, **fields))


def value(alarm: Alarm, **metrics: float | None) -> float | None:
    """What CloudWatch makes of one minute: the metric itself, or the expression; None where a value is missing."""
    if alarm.expression is None:
        return metrics[alarm.metrics[0].id]
    filled = {key: 0 if found is None and f"FILL({key}, 0)" in alarm.expression else found for key, found in metrics.items()}  # fmt: skip
    if None in filled.values():
        return None
    text = alarm.expression.replace(" AND ", " and ").replace("FILL(done, 0)", "done")
    names = {"IF": lambda condition, yes, no: yes if condition else no}
    return float(eval(text, {"__builtins__": {}}, {**names, **filled}))


def rings(alarm: Alarm, minutes: list[dict[str, float | None]]) -> bool:
    """Whether the alarm rings after these minutes."""
    if len(minutes) < alarm.minutes:
        return False
    found = [value(alarm, **minute) for minute in minutes[-alarm.minutes :]]
    missing = alarm.missing is Missing.BAD
    return all(
        missing if one is None else one < alarm.threshold if alarm.below else one > alarm.threshold
        for one in found
    )


def test_every_dataset_has_four_alarms_and_the_others_where_they_are_asked_for():
    default = ["oldest_age", "not_committing", "dead_letters", "dead_letters_age"]
    assert list(of(alert_events())) == default
    optional = ["depth", "in_flight", "tasks_below_minimum", "publish_failures"]
    assert list(of(alert_events(alarms=ALL))) == default + optional


def test_the_oldest_age_is_the_manifests():
    alarm = of(alert_events(alarms=Alarms(900)))["oldest_age"]
    assert not rings(alarm, [{"age": 900}])
    assert rings(alarm, [{"age": 901}])
    assert not rings(alarm, [{"age": None}]), "an idle queue has no age"


@pytest.mark.parametrize(
    ("minute", "expected"),
    [
        ({"waiting": 7, "done": 0}, True),
        ({"waiting": 7, "done": None}, True),
        ({"waiting": 7, "done": 10}, False),
        ({"waiting": 0, "done": 0}, False),
        ({"waiting": None, "done": None}, False),
    ],
    ids=["nobody deletes", "no deletes told", "a sink is at work", "nothing waits", "the queue sleeps"],
)
def test_a_sink_that_commits_nothing_is_told_of_by_the_queue_alone(minute, expected):
    alarm = of(alert_events())["not_committing"]
    assert rings(alarm, [minute] * 5) is expected
    assert not rings(alarm, [minute] * 4)


def test_a_batch_in_five_minutes_is_enough():
    stuck: dict[str, float | None] = {"waiting": 7, "done": 0}
    once: dict[str, float | None] = {"waiting": 7, "done": 1}
    assert not rings(of(alert_events())["not_committing"], [stuck, stuck, once, stuck, stuck])


def test_a_dataset_that_sleeps_is_given_the_time_to_wake():
    assert of(with_sink(min_tasks=0, latency_target_seconds=1_200))["not_committing"].minutes == 20
    assert of(with_sink(min_tasks=0, latency_target_seconds=DAY))["not_committing"].minutes == 1_440
    assert of(with_sink(min_tasks=1, latency_target_seconds=1_200))["not_committing"].minutes == 5


def test_a_dead_letter_that_somebody_looks_at_still_counts():
    alarm = of(alert_events())["dead_letters"]
    assert rings(alarm, [{"waiting": 0, "looked_at": 1}])
    assert rings(alarm, [{"waiting": 1, "looked_at": 0}])
    assert not rings(alarm, [{"waiting": 0, "looked_at": 0}])


@pytest.mark.parametrize(("retention", "days"), [(1, 11), (4, 8), (11, 1)])
def test_a_dead_letters_alarm_leaves_two_days_of_the_worst_case(retention, days):
    """The buffer may have held it for its whole retention, and the 14 days count from the first send."""
    dataset = alert_events()
    alarm = of(replace(dataset, buffer=replace(dataset.buffer, retention_days=retention)))["dead_letters_age"]
    assert alarm.threshold == days * DAY
    assert retention + days + 2 == 14
    assert rings(alarm, [{"age": days * DAY + 1.0}])


def test_the_optional_alarms():
    found = of(alert_events(alarms=ALL))
    assert rings(found["depth"], [{"waiting": 50_001}] * 3)
    assert not rings(found["depth"], [{"waiting": 50_001}, {"waiting": 49_000}, {"waiting": 50_001}])
    assert rings(found["in_flight"], [{"in_flight": 100_001}])
    assert found["in_flight"].threshold < 120_000, "where SQS hands out no more"
    assert rings(found["publish_failures"], [{"failures": 4}] * 5)
    assert not rings(found["publish_failures"], [{"failures": 4}] * 4 + [{"failures": None}]), "no such line: it went on"  # fmt: skip


def test_no_task_at_all_is_silence_and_rings():
    alarm = of(alert_events(alarms=ALL))["tasks_below_minimum"]
    assert rings(alarm, [{"tasks": None}] * 5)
    assert not rings(alarm, [{"tasks": 1}] * 5)
    two = of(replace(with_sink(min_tasks=2), alarms=ALL))["tasks_below_minimum"]
    assert rings(two, [{"tasks": 1}] * 5)


def test_failures_to_publish_are_counted_by_the_lines_that_the_sink_writes():
    pattern = alarms.PUBLISH_FAILURE_PATTERN
    line = {"event": "waiting", "waits_for": "topic"}  # as sink_runtime/patience.py and events.py write it
    for key, expected in line.items():
        assert f'$.{key} = "{expected}"' in pattern


# --- scaling --------------------------------------------------------------------------------------------------------


def steps(dataset: Dataset, backlog: int) -> int:
    """How many tasks the policies add for a backlog that lasts; as Application Auto Scaling finds the step."""
    for policy in scaling.policies_of(dataset, "dev"):
        alarm = policy.alarm
        if policy.exact or not rings(alarm, [{"waiting": backlog, "in_hand": 0}] * alarm.minutes):
            continue
        over = backlog - alarm.threshold
        for step in policy.steps:
            low = step.lower is None or over >= step.lower
            if low and (step.upper is None or over < step.upper):
                return step.tasks
    return 0


@pytest.mark.parametrize(
    ("target", "backlog", "expected"),
    [
        (60, 1_499, -1),
        (60, 1_500, 0),
        (60, 6_000, 0),
        (60, 6_001, 1),
        (60, 17_999, 1),
        (60, 18_000, 2),
        (60, 59_999, 2),
        (60, 60_000, 4),
        (5, 6_001, 1),
        (600, 60_000, 0),
        (600, 60_001, 1),
    ],
)
def test_the_bands_follow_the_latency_target(target, backlog, expected):
    assert steps(with_sink(latency_target_seconds=target), backlog) == expected


def test_what_is_in_hand_counts():
    out = scaling.policies_of(alert_events(), "dev")[0].alarm
    assert rings(out, [{"waiting": 0, "in_hand": 6_001}])


def test_only_a_dataset_that_sleeps_is_woken():
    assert [one.kind for one in scaling.policies_of(alert_events(), "dev")] == ["scale_out", "scale_in"]
    asleep = scaling.policies_of(with_sink(min_tasks=0, latency_target_seconds=1_200), "dev")
    wake = asleep[-1]
    assert (wake.kind, wake.exact, wake.steps[0].tasks) == ("wake", True, 1)
    assert rings(wake.alarm, [{"waiting": 1, "in_hand": 0}])
    assert not rings(wake.alarm, [{"waiting": 1, "in_hand": 1}]), "somebody is at work"
    assert rings(asleep[1].alarm, [{"waiting": None, "in_hand": None}] * 15), "a queue that sleeps is quiet"


def test_a_fixed_number_has_bounds_and_no_policy():
    assert scaling.policies_of(with_sink(min_tasks=3, max_tasks=3), "dev") == ()


# --- what is declared -----------------------------------------------------------------------------------------------


def test_every_alarm_tells_the_owners_topic_and_scaling_tells_nobody(graph):
    topic = "arn:aws:sns:eu-central-1:123456789012:alarms"
    for alarm in graph.of_type(METRIC_ALARM):
        if alarm.name.endswith(("scale-in", "scale-out")):
            assert "scalingPolicy" in alarm.inputs["alarmActions"][0]
            assert alarm.inputs["okActions"] == []
        else:
            assert alarm.inputs["alarmActions"] == alarm.inputs["okActions"] == [topic]


def test_an_alarm_looks_at_exactly_one_value(graph):
    for alarm in graph.of_type(METRIC_ALARM):
        queries = alarm.inputs["metricQueries"]
        assert [one["returnData"] for one in queries].count(True) == 1
        assert alarm.inputs["treatMissingData"] in ("notBreaching", "breaching")
        assert alarm.inputs["evaluationPeriods"] == alarm.inputs["datapointsToAlarm"]


def test_the_alarms_that_a_manifest_asks_for_are_declared(project):
    asked = {"depth": 9, "in_flight": True, "tasks_below_minimum": True, "publish_failures": True}
    project.manifest("alert_events", lambda manifest: manifest.update(alarms=asked))
    graph = project.record()
    for kind in ("depth", "in-flight", "tasks-below-minimum", "publish-failures"):
        graph.one(METRIC_ALARM, f"alert_events-{kind}")
    [lines] = graph.of_type("aws:cloudwatch/logMetricFilter:LogMetricFilter")
    assert lines.inputs["logGroupName"] == "/sluice/embedded/alert_events"
    counted = lines.inputs["metricTransformation"]
    [looked_at] = graph.one(METRIC_ALARM, "alert_events-publish-failures").inputs["metricQueries"]
    assert (counted["namespace"], counted["name"]) == (
        looked_at["metric"]["namespace"],
        looked_at["metric"]["metricName"],
    )


def test_the_dashboard_has_a_row_for_each_dataset(graph):
    [declared] = graph.of_type("aws:cloudwatch/dashboard:Dashboard")
    widgets = json.loads(declared.inputs["dashboardBody"])["widgets"]
    titles = [one["properties"]["markdown"] for one in widgets if one["type"] == "text"]
    assert [title.split()[1] for title in titles] == [
        "alert_events",
        "integrity_signals",
        "monitoring_events",
    ]
    boxes = {(one["x"], one["y"]) for one in widgets}
    assert len(boxes) == len(widgets) == 15


def test_a_stack_of_many_datasets_has_a_dashboard_that_cloudwatch_takes():
    many = [alert_events(name=f"d{number:03}") for number in range(120)]
    widgets = dashboard.body(many, "dev", "eu-central-1", "cluster")["widgets"]
    assert len(widgets) <= 500
    assert "d119" in widgets[-1]["properties"]["markdown"]
