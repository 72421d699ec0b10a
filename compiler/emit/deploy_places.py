"""Where a stack's resources are for whoever deploys them, and what the calls of a resource type are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from compiler.emit.graph import Graph, Recorded
from compiler.emit.rights import POLICY, ROLE
from compiler.stack import StackConfig

Condition = Mapping[str, Any]


class Places:
    """Where the resources of one stack are: ARNs by the names that others refer to them by."""

    def __init__(self, graph: Graph, stack: StackConfig) -> None:
        self.graph = graph
        self.stack = stack
        self._roles = {str(one.inputs["name"]): one.arn for one in graph.of_type(ROLE)}
        bound = (principal.aws_arn for _, principal in stack.principals)
        self._bound = {arn.rpartition("/")[2]: arn for arn in bound if arn}
        self.policies = [one.arn for one in graph.of_type(POLICY)]

    def own(self, resource: Recorded) -> list[str]:
        """The resource itself."""
        return [resource.arn]

    def queue(self, resource: Recorded) -> list[str]:
        """The queue that a resource belongs to."""
        name = resource.inputs["queueUrl"].rpartition("/")[2]
        return [self._regional("sqs", name)]

    def topic(self, resource: Recorded) -> list[str]:
        """The topic that a resource belongs to."""
        return [str(resource.inputs["arn"])]

    def bucket(self, resource: Recorded) -> list[str]:
        """The bucket itself, or that a resource belongs to."""
        return [f"arn:{self._partition}:s3:::{resource.inputs['bucket']}"]

    def plans(self, resource: Recorded) -> list[str]:
        """Every plan of the object's dataset: the next one has another key."""
        folder = str(resource.inputs["key"]).rpartition("/")[0]
        return [f"{self.bucket(resource)[0]}/{folder}/*"]

    def role(self, resource: Recorded) -> list[str]:
        """The role that a resource belongs to: the stack's own or a bound one."""
        name = str(resource.inputs["role"])
        known = self._roles.get(name) or self._bound.get(name)
        return [known or f"arn:{self._partition}:iam::{self.stack.account}:role/{name}"]

    def keys(self, resource: Recorded) -> list[str]:
        """Any key: its id is chosen when it is made."""
        del resource
        return [self._regional("kms", "key/*")]

    def alias(self, resource: Recorded) -> list[str]:
        """The alias itself."""
        return [self._regional("kms", str(resource.inputs["name"]))]

    def secret(self, resource: Recorded) -> list[str]:
        """A secret by its name, before it is there and after; Secrets Manager adds six characters."""
        arn = self._regional("secretsmanager", f"secret:{resource.inputs['secret_name']}")
        return [arn, f"{arn}-??????"]

    def service(self, resource: Recorded) -> list[str]:
        """An ECS service and its deployments."""
        path = f"{resource.inputs['cluster'].rpartition('/')[2]}/{resource.inputs['name']}"
        return [
            self._regional("ecs", f"service/{path}"),
            self._regional("ecs", f"service-deployment/{path}/*"),
        ]

    def cluster(self, resource: Recorded) -> list[str]:
        """An ECS cluster."""
        return [self._regional("ecs", f"cluster/{resource.inputs['name']}")]

    def revisions(self, resource: Recorded) -> list[str]:
        """Every revision of a task definition."""
        return [self._regional("ecs", f"task-definition/{resource.inputs['family']}:*")]

    def log_group(self, resource: Recorded) -> list[str]:
        """A log group and what is in it, or the group that a filter reads."""
        name = resource.inputs.get("logGroupName") or resource.inputs["name"]
        return [self._regional("logs", f"log-group:{name}"), self._regional("logs", f"log-group:{name}:*")]

    def alarm(self, resource: Recorded) -> list[str]:
        """An alarm."""
        return [self._regional("cloudwatch", f"alarm:{resource.inputs['name']}")]

    def dashboard(self, resource: Recorded) -> list[str]:
        """A dashboard; it belongs to no region."""
        name = resource.inputs["dashboardName"]
        return [f"arn:{self._partition}:cloudwatch::{self.stack.account}:dashboard/{name}"]

    def scalable(self, resource: Recorded) -> list[str]:
        """Any scalable target: its id is chosen when it is registered."""
        del resource
        return [self._regional("application-autoscaling", "scalable-target/*")]

    def security_groups(self, resource: Recorded) -> list[str]:
        """Any security group, whose id is chosen when it is made, and the VPC that it is made in."""
        vpc = f"vpc/{resource.inputs['vpcId']}"
        return [self._regional("ec2", "security-group/*"), self._regional("ec2", vpc)]

    def _regional(self, service: str, rest: str) -> str:
        return f"arn:{self._partition}:{service}:{self.stack.region}:{self.stack.account}:{rest}"

    @property
    def _partition(self) -> str:
        from compiler.emit.arns import Arns

        return Arns(self.stack.region, self.stack.account).partition


@dataclass(frozen=True)
class Calls:
    """The permissions of one resource type on `where`, under a condition for some; those `anywhere` name no resource.

    `passes` are the properties that hold roles, which whoever deploys hands to ECS' tasks.
    """

    where: Callable[[Places, Recorded], list[str]]
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    reads_anywhere: tuple[str, ...] = ()
    writes_anywhere: tuple[str, ...] = ()
    passes: tuple[str, ...] = ()
    conditions: Callable[[Places], Mapping[str, Condition]] = lambda _: {}


def named(service: str, names: str) -> tuple[str, ...]:
    """Permissions of one service by the names of its calls, which stand in one text."""
    return tuple(f"{service}:{name}" for name in names.split())
