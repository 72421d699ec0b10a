"""What every resource of one stack needs to know: names' prefix, ARNs, tags, and what protects it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pulumi

from compiler import names
from compiler.dataset import Dataset
from compiler.emit.arns import Arns
from compiler.emit.iam import Document, text
from compiler.stack import StackConfig

KEY_ID_CHARACTERS = 36  # a uuid


@dataclass(frozen=True)
class Deployment:
    """One stack being deployed. `key` is the ARN of the key that encrypts its queues; None: SQS' own."""

    stack: StackConfig
    key: pulumi.Output[str] | None = None

    @property
    def prefix(self) -> str:
        """Begins every name that the stack creates."""
        return self.stack.prefix

    @property
    def arns(self) -> Arns:
        """ARNs in the stack's account and region."""
        return Arns(self.stack.region, self.stack.account)

    @property
    def plan_bucket(self) -> str:
        """The bucket of the compiled sink plans."""
        return names.plan_bucket(self.prefix, self.stack.account, self.stack.region)

    @property
    def iam_path(self) -> str:
        """The path of the stack's roles and policies, so that rights over them can be given by it."""
        return names.iam_path(self.prefix)

    def tags(self, dataset: Dataset | None = None) -> dict[str, str]:
        """Tags of a resource that all datasets share, or of one dataset's."""
        shared = {"sluice:environment": self.stack.environment, "sluice:stack": self.stack.name}
        if dataset is None:
            return shared
        return {
            **shared,
            "sluice:dataset": dataset.name,
            "sluice:owner": dataset.owner,
            "sluice:classification": str(dataset.classification),
        }

    def documents(self, made: Callable[[str | None], tuple[Document, ...]]) -> list[pulumi.Input[Document]]:
        """Documents that may hold the key's ARN, which is not known before the key is made, though its length is."""
        if self.key is None:
            return list(made(None))
        count = len(made(self.arns.key("0" * KEY_ID_CHARACTERS)))
        return [self.key.apply(partial(_part, made, number)) for number in range(count)]

    def kept(self, options: pulumi.ResourceOptions, dataset: Dataset | None = None) -> pulumi.ResourceOptions:
        """The options of a resource that holds data: protected, and retained should it leave the stack all the same.

        A sealed dataset's may go: what becomes of its rows is its table's business.
        """
        protect = self.stack.protect and (dataset is None or dataset.tombstone is None)
        return pulumi.ResourceOptions.merge(
            options, pulumi.ResourceOptions(protect=protect, retain_on_delete=protect)
        )


def _part(made: Callable[[str | None], tuple[Document, ...]], number: int, key: str) -> Document:
    return made(key)[number]


def text_of(document: pulumi.Input[Document]) -> pulumi.Output[str]:
    """A document as it is deployed, once it is known."""
    return pulumi.Output.from_input(document).apply(text)


def after(options: pulumi.ResourceOptions, *earlier: pulumi.Resource) -> pulumi.ResourceOptions:
    """The options of a resource that is made once the earlier ones are."""
    return pulumi.ResourceOptions.merge(options, pulumi.ResourceOptions(depends_on=list(earlier)))
