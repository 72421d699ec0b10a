"""Resources that this machine has nothing to run: checked as AWS would, kept in the state, and named by their ARNs.

ECS clusters, task definitions, scaling, alarms, dashboards, log groups and security groups. The sinks' service, which does
run here, is in `services`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from dev.resources.checked import breaches, document_faults, faults, request_shape
from dev.resources.context import Context
from dev.resources.handler import Created, Properties, ResourceError, Served, State
from dev.resources.wire import UNKNOWN
from dev.tasks import Tasks, revision_of

Outputs = Callable[[Context, Properties], dict[str, Any]]
"""What AWS would answer, beside the inputs; `id` among it."""


class Declared(Served):
    """One resource type. `call` is the API call that makes it, service and operation; `called` are its names for properties
    that the provider calls otherwise. `documents` are properties that hold JSON, `replacing` those that make a new resource,
    `computed` what AWS answers beside the inputs. What is kept here nobody else changes: it never drifts.
    """

    carried = frozenset()  # all that the SDK's input type knows

    def __init__(
        self,
        token: str,
        call: tuple[str, str],
        outputs: Outputs,
        *,
        called: Mapping[str, str] | None = None,
        documents: frozenset[str] = frozenset(),
        replacing: frozenset[str] = frozenset({"name"}),
        computed: frozenset[str] = frozenset({"arn"}),
    ) -> None:
        self.type = token  # type: ignore[misc]  # one class for many types
        self.replacing = self.identity = replacing  # type: ignore[misc]
        self.documents = documents  # type: ignore[misc]
        self.computed = computed  # type: ignore[misc]
        self._call = call
        self._outputs = outputs
        self._called = called or {}

    def check(self, context: Context, old: Properties | None, new: Properties) -> dict[str, Any]:
        """Every property by name, type, and what AWS' model says of it, all faults in one error. What a preview does not
        know yet is judged when it is known.
        """
        del context, old
        found = [
            *faults(self.type, new),
            *breaches(request_shape(*self._call), new, self._called),
            *self.document_faults(new),
        ]
        if found:
            raise ResourceError("; ".join(found))
        return dict(new)

    def document_faults(self, new: Properties) -> list[str]:
        """What is wrong within properties that hold JSON."""
        found = []
        for name in sorted(self.documents & new.keys()):
            if new[name] == UNKNOWN:
                continue
            try:
                json.loads(new[name])
            except ValueError as error:
                found.append(f"`{name}` is not JSON: {error}")
        return found

    def create(self, context: Context, name: str, inputs: Properties) -> Created:
        """Keep it; AWS' answers are made up."""
        del name
        made = {**inputs, **self._outputs(context, inputs)}
        return Created(str(made.pop("id")), made)

    def update(self, context: Context, state: State, inputs: Properties) -> dict[str, Any]:
        """Keep it as it is now."""
        return self.create(context, state.id, inputs).outputs

    def read(self, context: Context, state: State) -> Properties | None:
        """As it was kept."""
        del context
        return state.inputs

    def delete(self, context: Context, state: State) -> None:
        """Nothing was made."""


class TaskDefinition(Declared):
    """A task definition: kept in the environment's folder as well, if there is one, where its service looks for it."""

    def document_faults(self, new: Properties) -> list[str]:
        """The containers are a document of ECS' own API."""
        found = super().document_faults(new)
        if found or new.get("containerDefinitions", UNKNOWN) == UNKNOWN:
            return found
        shape = request_shape(*self._call).members["containerDefinitions"]
        document = json.loads(new["containerDefinitions"])
        return list(document_faults(shape, document, "containerDefinitions"))

    def create(self, context: Context, name: str, inputs: Properties) -> Created:
        """A new revision."""
        made = super().create(context, name, inputs)
        revision = revision_of({key: value for key, value in inputs.items() if key in self.replacing})
        found = arn(context, "ecs", f"task-definition/{inputs['family']}:{revision}")
        if context.paths is not None:
            Tasks(context.paths).put(found, inputs)
        return Created(made.id, {**made.outputs, "arn": found, "revision": revision})

    def update(self, context: Context, state: State, inputs: Properties) -> dict[str, Any]:
        """Only tags change a revision in place."""
        del context
        return {**state.outputs, **inputs}


def arn(context: Context, service: str, path: str) -> str:
    """The ARN of something in the environment's account and region."""
    return f"arn:aws:{service}:{context.region}:{context.account}:{path}"


def _cluster(context: Context, inputs: Properties) -> dict[str, Any]:
    found = arn(context, "ecs", f"cluster/{inputs['name']}")
    return {"id": found, "arn": found}


def _log_group(context: Context, inputs: Properties) -> dict[str, Any]:
    return {"id": inputs["name"], "arn": arn(context, "logs", f"log-group:{inputs['name']}")}


def _alarm(context: Context, inputs: Properties) -> dict[str, Any]:
    return {"id": inputs["name"], "arn": arn(context, "cloudwatch", f"alarm:{inputs['name']}")}


def _dashboard(context: Context, inputs: Properties) -> dict[str, Any]:
    name = inputs["dashboardName"]
    return {"id": name, "dashboardArn": f"arn:aws:cloudwatch::{context.account}:dashboard/{name}"}


def _target(context: Context, inputs: Properties) -> dict[str, Any]:
    return {
        "id": inputs["resourceId"],
        "arn": arn(context, "application-autoscaling", "scalable-target/local"),
    }


def _policy(context: Context, inputs: Properties) -> dict[str, Any]:
    path = f"scalingPolicy:local:resource/ecs/{inputs['resourceId']}:policyName/{inputs['name']}"
    return {"id": inputs["name"], "arn": arn(context, "autoscaling", path)}


def _security_group(context: Context, inputs: Properties) -> dict[str, Any]:
    return {
        "id": "sg-00000000",
        "arn": arn(context, "ec2", "security-group/sg-00000000"),
        "name": inputs["name"],
    }


def _named(_: Context, inputs: Properties) -> dict[str, Any]:
    return {"id": inputs["name"]}


def _family(_: Context, inputs: Properties) -> dict[str, Any]:
    return {"id": inputs["family"]}


DECLARED: tuple[Served, ...] = (
    Declared("aws:ecs/cluster:Cluster", ("ecs", "CreateCluster"), _cluster, called={"name": "clusterName"}),
    TaskDefinition(
        "aws:ecs/taskDefinition:TaskDefinition",
        ("ecs", "RegisterTaskDefinition"),
        _family,
        computed=frozenset({"arn", "revision"}),
        documents=frozenset({"containerDefinitions"}),
        replacing=frozenset(
            {
                "family",
                "containerDefinitions",
                "cpu",
                "memory",
                "executionRoleArn",
                "taskRoleArn",
                "networkMode",
                "requiresCompatibilities",
                "runtimePlatform",
            }
        ),
    ),
    Declared(
        "aws:cloudwatch/logGroup:LogGroup",
        ("logs", "CreateLogGroup"),
        _log_group,
        called={"name": "logGroupName"},
    ),
    Declared(
        "aws:cloudwatch/logMetricFilter:LogMetricFilter",
        ("logs", "PutMetricFilter"),
        _named,
        called={"name": "filterName", "pattern": "filterPattern"},
        computed=frozenset(),
        replacing=frozenset({"name", "logGroupName"}),
    ),
    Declared(
        "aws:cloudwatch/metricAlarm:MetricAlarm",
        ("cloudwatch", "PutMetricAlarm"),
        _alarm,
        called={"name": "AlarmName", "metricQueries": "Metrics", "metric": "MetricStat"},
    ),
    Declared(
        "aws:cloudwatch/dashboard:Dashboard",
        ("cloudwatch", "PutDashboard"),
        _dashboard,
        documents=frozenset({"dashboardBody"}),
        replacing=frozenset({"dashboardName"}),
        computed=frozenset({"dashboardArn"}),
    ),
    Declared(
        "aws:appautoscaling/target:Target",
        ("application-autoscaling", "RegisterScalableTarget"),
        _target,
        replacing=frozenset({"resourceId", "scalableDimension", "serviceNamespace"}),
    ),
    Declared(
        "aws:appautoscaling/policy:Policy",
        ("application-autoscaling", "PutScalingPolicy"),
        _policy,
        called={"name": "PolicyName"},
        replacing=frozenset({"name", "resourceId", "scalableDimension", "serviceNamespace"}),
    ),
    Declared(
        "aws:ec2/securityGroup:SecurityGroup",
        ("ec2", "CreateSecurityGroup"),
        _security_group,
        called={"name": "GroupName"},
        replacing=frozenset({"name", "description", "vpcId"}),
    ),
)
