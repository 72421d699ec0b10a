"""The stack's one CloudWatch dashboard."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pulumi_aws as aws
from pulumi import ResourceOptions

from compiler import names
from compiler.dataset import Dataset
from compiler.emit.dashboard import body
from compiler.emit.pulumi.compute import Compute
from compiler.emit.pulumi.deployment import Deployment


def dashboard_of(
    datasets: Sequence[Dataset], deployment: Deployment, compute: Compute, opts: ResourceOptions
) -> aws.cloudwatch.Dashboard:
    """A row of graphs for each dataset."""
    shown = body(datasets, deployment.prefix, deployment.stack.region, compute.cluster_name)
    return aws.cloudwatch.Dashboard(
        "sinks",
        dashboard_name=names.dashboard(deployment.prefix),
        dashboard_body=json.dumps(shown, sort_keys=True),
        opts=ResourceOptions.merge(opts, ResourceOptions(parent=compute)),
    )
