"""A dataset's alarms as CloudWatch takes them, and the one log metric that one of them needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi
import pulumi_aws as aws
from pulumi import ResourceOptions

from compiler import names
from compiler.dataset import Dataset
from compiler.emit import alarms, metrics
from compiler.emit.alarms import Alarm
from compiler.emit.metrics import Metric
from compiler.emit.pulumi.deployment import Deployment

_RESULT = "result"


def alarms_of(
    dataset: Dataset,
    deployment: Deployment,
    cluster: str,
    logs: aws.cloudwatch.LogGroup,
    here: ResourceOptions,
) -> Mapping[str, aws.cloudwatch.MetricAlarm]:
    """Every alarm of the dataset by its kind; the owner's topic is told when one rings and when it ends."""
    if dataset.alarms.publish_failures:
        _publish_failures(dataset, deployment, logs, here)
    topic = deployment.stack.alarm_topic(dataset.owner)
    told = [topic] if topic else []
    return {
        one.kind: alarm(one, dataset, deployment, told, here, ok_actions=told)
        for one in alarms.alarms_of(dataset, deployment.prefix, cluster)
    }


def alarm(
    one: Alarm,
    dataset: Dataset,
    deployment: Deployment,
    actions: Sequence[pulumi.Input[str]],
    here: ResourceOptions,
    ok_actions: Sequence[str] = (),
) -> aws.cloudwatch.MetricAlarm:
    """One alarm: an expression over metrics by the minute."""
    return aws.cloudwatch.MetricAlarm(
        f"{dataset.name}-{one.kind.replace('_', '-')}",
        name=names.alarm(deployment.prefix, dataset.name, one.kind),
        alarm_description=one.description,
        metric_queries=_queries(one),
        comparison_operator="LessThanThreshold" if one.below else "GreaterThanThreshold",
        threshold=one.threshold,
        evaluation_periods=one.minutes,
        datapoints_to_alarm=one.minutes,
        treat_missing_data=str(one.missing),
        alarm_actions=list(actions),
        ok_actions=list(ok_actions),
        tags=deployment.tags(dataset),
        opts=here,
    )


def _queries(one: Alarm) -> list[aws.cloudwatch.MetricAlarmMetricQueryArgs]:
    """The metrics, and what is made of them; the alarm looks at the one that returns data."""
    if one.expression is None:
        return [_metric(metric, returns=True) for metric in one.metrics]
    result = aws.cloudwatch.MetricAlarmMetricQueryArgs(
        id=_RESULT, expression=one.expression, label=one.kind.replace("_", " "), return_data=True
    )
    return [*(_metric(metric, returns=False) for metric in one.metrics), result]


def _metric(metric: Metric, *, returns: bool) -> aws.cloudwatch.MetricAlarmMetricQueryArgs:
    return aws.cloudwatch.MetricAlarmMetricQueryArgs(
        id=metric.id,
        metric=aws.cloudwatch.MetricAlarmMetricQueryMetricArgs(
            namespace=metric.namespace,
            metric_name=metric.name,
            stat=metric.statistic,
            period=metrics.PERIOD_SECONDS,
            dimensions=dict(metric.dimensions) or None,
        ),
        return_data=returns,
    )


def _publish_failures(
    dataset: Dataset, deployment: Deployment, logs: aws.cloudwatch.LogGroup, here: ResourceOptions
) -> None:
    metric = alarms.publish_failures(dataset, deployment.prefix)
    aws.cloudwatch.LogMetricFilter(
        f"{dataset.name}-publish-failures",
        name=names.alarm(deployment.prefix, dataset.name, "publish_failures"),
        log_group_name=logs.name,
        pattern=alarms.PUBLISH_FAILURE_PATTERN,
        metric_transformation=aws.cloudwatch.LogMetricFilterMetricTransformationArgs(
            namespace=metric.namespace, name=metric.name, value="1", unit="Count"
        ),
        opts=here,
    )
