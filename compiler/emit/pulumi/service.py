"""One dataset's sinks as an ECS service on Fargate: its task definition, and the service itself."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws
from pulumi import CustomTimeouts, ResourceOptions

from compiler import names
from compiler.dataset import Dataset
from compiler.emit import container
from compiler.emit.container import SinkAddresses
from compiler.emit.pulumi.compute import Compute
from compiler.emit.pulumi.deployment import Deployment

_PLATFORM_VERSION = "1.4.0"
_ROLLOUT = "60m"  # pulling, starting, the deployment alarms' bake time, and draining what is replaced


@dataclass(frozen=True)
class Rollout:
    """What one deployment of the sinks is: the addresses they are told, who they are, which plan they apply."""

    addresses: Mapping[str, pulumi.Input[Any]]
    role: aws.iam.Role
    plan_sha256: str

    @property
    def resolved(self) -> pulumi.Output[SinkAddresses]:
        """The addresses once all of them are known."""
        return pulumi.Output.all(**self.addresses).apply(lambda found: SinkAddresses(**found))


def service_of(
    dataset: Dataset,
    deployment: Deployment,
    compute: Compute,
    logs: aws.cloudwatch.LogGroup,
    rollout: Rollout,
    watched: aws.cloudwatch.MetricAlarm,
    here: ResourceOptions,
) -> aws.ecs.Service:
    """The service. New tasks come first, then the old ones end; what does not come up, or rings the
    alarm `watched`, is rolled back.

    A rollback ends in a stable service, and so looks like a success to Pulumi: `sluice status --expect-plan` tells.
    """
    stack = deployment.stack
    task = _task_definition(dataset, deployment, compute, logs, rollout, here)
    return aws.ecs.Service(
        f"{dataset.name}-sink",
        name=names.service(deployment.prefix, dataset.name),
        cluster=compute.cluster,
        task_definition=task.arn,
        # Scaling's own from then on. The first deployment starts one at least, to be seen at work.
        desired_count=max(1, dataset.sink.min_tasks),
        launch_type="FARGATE",
        platform_version=_PLATFORM_VERSION,
        enable_execute_command=False,
        deployment_minimum_healthy_percent=100,
        deployment_maximum_percent=200,
        deployment_circuit_breaker=aws.ecs.ServiceDeploymentCircuitBreakerArgs(enable=True, rollback=True),
        alarms=aws.ecs.ServiceAlarmsArgs(alarm_names=[watched.name], enable=True, rollback=True),
        network_configuration=aws.ecs.ServiceNetworkConfigurationArgs(
            subnets=list(stack.network.subnets),
            security_groups=[compute.security_group.id, *stack.network.security_groups],
            assign_public_ip=stack.network.assign_public_ip,
        ),
        propagate_tags="SERVICE",
        wait_for_steady_state=True,
        tags={**deployment.tags(dataset), "sluice:plan": rollout.plan_sha256},
        opts=ResourceOptions.merge(
            here,
            ResourceOptions(
                ignore_changes=["desiredCount"],
                custom_timeouts=CustomTimeouts(create=_ROLLOUT, update=_ROLLOUT),
            ),
        ),
    )


def _task_definition(
    dataset: Dataset,
    deployment: Deployment,
    compute: Compute,
    logs: aws.cloudwatch.LogGroup,
    rollout: Rollout,
    here: ResourceOptions,
) -> aws.ecs.TaskDefinition:
    """A new revision where anything changes. Old ones stay: a rollback starts the last one again."""
    stack = deployment.stack

    def definitions(found: Sequence[Any]) -> str:
        addresses, log_group = found
        environment = container.sink_environment(stack, addresses)
        made = container.container_definitions(stack.image, environment, log_group, stack.region)
        return json.dumps(made, sort_keys=True)

    return aws.ecs.TaskDefinition(
        f"{dataset.name}-sink",
        family=names.service(deployment.prefix, dataset.name),
        requires_compatibilities=["FARGATE"],
        network_mode="awsvpc",
        cpu=str(container.CPU_UNITS),
        memory=str(container.MEMORY_MIB),
        runtime_platform=aws.ecs.TaskDefinitionRuntimePlatformArgs(
            cpu_architecture="X86_64", operating_system_family="LINUX"
        ),
        execution_role_arn=compute.execution_role,
        task_role_arn=rollout.role.arn,
        container_definitions=pulumi.Output.all(rollout.resolved, logs.name).apply(definitions),
        skip_destroy=True,
        tags=deployment.tags(dataset),
        opts=here,
    )
