"""Managed policies: what is split by IAM's limit of size becomes several, each attached to the role."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pulumi
import pulumi_aws as aws
from pulumi import ResourceOptions

from compiler.emit import iam
from compiler.emit.pulumi.deployment import Deployment, text_of


def attach(
    stem: str,
    role: pulumi.Input[str],
    documents: Iterable[pulumi.Input[iam.Document]],
    named: Callable[[int], str],
    deployment: Deployment,
    here: ResourceOptions,
) -> None:
    """Give the role of that name each document as a policy; `named` makes a policy's name of its part, from 1."""
    for part, document in enumerate(documents, start=1):
        policy = aws.iam.Policy(
            f"{stem}-{part}",
            name=named(part),
            path=deployment.iam_path,
            policy=text_of(document),
            tags=deployment.tags(),
            opts=here,
        )
        aws.iam.RolePolicyAttachment(f"{stem}-{part}", role=role, policy_arn=policy.arn, opts=here)
