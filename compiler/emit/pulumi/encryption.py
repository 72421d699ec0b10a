"""The stack's own KMS key for its queues, where its configuration asks for one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pulumi
import pulumi_aws as aws

from compiler import names
from compiler.dataset import Dataset
from compiler.emit import iam
from compiler.emit.pulumi.deployment import Deployment
from compiler.emit.pulumi.producers import foreign_senders

DELETION_DAYS = 30  # KMS' longest: a message that is encrypted by a lost key is lost


def with_key(deployment: Deployment, datasets: Iterable[Dataset], opts: pulumi.ResourceOptions) -> Deployment:
    """The deployment with its key, where messages are to be encrypted by one of its own."""
    if deployment.stack.encryption == "sqs":
        return deployment
    key = EncryptionKey(deployment, datasets, opts)
    return replace(deployment, key=key.arn)


class EncryptionKey(pulumi.ComponentResource):
    """`sluice:index:EncryptionKey`: one key a stack, rotated yearly, kept where the stack protects what it has."""

    def __init__(
        self, deployment: Deployment, datasets: Iterable[Dataset], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("sluice:index:EncryptionKey", "queues", {}, opts)
        here = pulumi.ResourceOptions(parent=self)
        senders = [role for dataset in datasets for role in foreign_senders(dataset, deployment)]
        key = aws.kms.Key(
            "queues",
            description=f"Messages of the Sluice stack {deployment.stack.name} ({deployment.prefix})",
            enable_key_rotation=True,
            deletion_window_in_days=DELETION_DAYS,
            policy=iam.text(iam.key_policy(deployment.arns, senders)),
            tags=deployment.tags(),
            opts=deployment.kept(here),
        )
        aws.kms.Alias("queues", name=names.key_alias(deployment.prefix), target_key_id=key.key_id, opts=here)
        self.arn: pulumi.Output[str] = key.arn
        self.register_outputs({"arn": key.arn})
