"""One dataset's sinks: where they log, who is told of them, the service that runs them, and how many it runs."""

from __future__ import annotations

import pulumi_aws as aws
from pulumi import ResourceOptions

from compiler import names
from compiler.dataset import Dataset
from compiler.emit import alarms, container
from compiler.emit.pulumi.alarms import alarms_of
from compiler.emit.pulumi.compute import Compute
from compiler.emit.pulumi.deployment import Deployment
from compiler.emit.pulumi.scaling import scaling_of
from compiler.emit.pulumi.service import Rollout, service_of


def sinks_of(
    dataset: Dataset, deployment: Deployment, compute: Compute, rollout: Rollout, here: ResourceOptions
) -> aws.ecs.Service:
    """The service, with what it needs and what follows from it."""
    logs = aws.cloudwatch.LogGroup(
        f"{dataset.name}-sink",
        name=names.log_group(deployment.prefix, dataset.name),
        retention_in_days=container.LOG_RETENTION_DAYS,
        tags=deployment.tags(dataset),
        opts=here,
    )
    rings = alarms_of(dataset, deployment, compute.cluster_name, logs, here)
    service = service_of(dataset, deployment, compute, logs, rollout, rings[alarms.NOT_COMMITTING], here)
    scaling_of(dataset, deployment, compute, service, here)
    return service
