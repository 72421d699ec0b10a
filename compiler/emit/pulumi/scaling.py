"""How many sinks of a dataset run: the service's bounds, and the step policies with their alarms."""

from __future__ import annotations

import pulumi_aws as aws
from pulumi import Output, ResourceOptions

from compiler import names
from compiler.dataset import Dataset
from compiler.emit import scaling
from compiler.emit.pulumi.alarms import alarm
from compiler.emit.pulumi.compute import Compute
from compiler.emit.pulumi.deployment import Deployment
from compiler.emit.scaling import ScalingPolicy, Step

_DIMENSION, _SERVICE = "ecs:service:DesiredCount", "ecs"


def scaling_of(
    dataset: Dataset,
    deployment: Deployment,
    compute: Compute,
    service: aws.ecs.Service,
    here: ResourceOptions,
) -> None:
    """Bounds, and the policies within them; where the number is fixed the bounds alone hold it."""
    target = aws.appautoscaling.Target(
        f"{dataset.name}-sink",
        resource_id=Output.format("service/{0}/{1}", compute.cluster_name, service.name),
        scalable_dimension=_DIMENSION,
        service_namespace=_SERVICE,
        min_capacity=dataset.sink.min_tasks,
        max_capacity=dataset.sink.max_tasks,
        tags=deployment.tags(dataset),
        opts=here,
    )
    for one in scaling.policies_of(dataset, deployment.prefix):
        policy = _policy(one, dataset, deployment, target, here)
        alarm(one.alarm, dataset, deployment, [policy.arn], here)


def _policy(
    one: ScalingPolicy,
    dataset: Dataset,
    deployment: Deployment,
    target: aws.appautoscaling.Target,
    here: ResourceOptions,
) -> aws.appautoscaling.Policy:
    return aws.appautoscaling.Policy(
        f"{dataset.name}-{one.kind.replace('_', '-')}",
        name=names.alarm(deployment.prefix, dataset.name, one.kind),
        policy_type="StepScaling",
        resource_id=target.resource_id,
        scalable_dimension=target.scalable_dimension,
        service_namespace=target.service_namespace,
        step_scaling_policy_configuration=aws.appautoscaling.PolicyStepScalingPolicyConfigurationArgs(
            adjustment_type="ExactCapacity" if one.exact else "ChangeInCapacity",
            cooldown=one.cooldown_seconds,
            metric_aggregation_type="Maximum",
            step_adjustments=list(map(_step, one.steps)),
        ),
        opts=here,
    )


def _step(
    step: Step,
) -> aws.appautoscaling.PolicyStepScalingPolicyConfigurationStepAdjustmentArgs:
    return aws.appautoscaling.PolicyStepScalingPolicyConfigurationStepAdjustmentArgs(
        metric_interval_lower_bound=_bound(step.lower),
        metric_interval_upper_bound=_bound(step.upper),
        scaling_adjustment=step.tasks,
    )


def _bound(bound: int | None) -> str | None:
    """The provider takes bounds as text."""
    return None if bound is None else str(bound)
