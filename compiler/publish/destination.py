"""Where records go: a queue, and as whom.

Producers hold `sqs:SendMessage` and nothing else, so the queue's address is never looked up: it is given, known from the
embedded environment's outputs, or composed from the stack's account, region and prefix.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from compiler import names
from compiler.dataset import Dataset
from compiler.stack import StackConfig

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


class DestinationError(ValueError):
    """The destination is not known; the text says what is missing and how to give it."""


@dataclass(frozen=True)
class Destination:
    """A buffer and how to reach it.

    `role_arn` is assumed first where it is given. `endpoint_url` and `credentials` (boto3's own keyword arguments) are
    the emulator's; None and empty mean AWS and the ambient credential chain.
    """

    queue_url: str
    region: str | None
    role_arn: str | None = None
    endpoint_url: str | None = None
    credentials: tuple[tuple[str, str], ...] = ()


def from_outputs(outputs: Mapping[str, Any], dataset: Dataset, producer: str | None) -> Destination:
    """The embedded environment's buffer. Raises DestinationError where the environment has no such dataset."""
    found = outputs["datasets"].get(dataset.name)
    if found is None:
        raise DestinationError(
            f'the embedded environment has no dataset "{dataset.name}". Bring it up: sluice dev up.'
        )
    admin = outputs["admin"]
    return Destination(
        queue_url=found["buffer_url"],
        region=outputs["region"],
        role_arn=_bound(found["producers"].get(producer), dataset, producer),
        endpoint_url=outputs["endpoint_url"],
        credentials=tuple((key, admin[key]) for key in ("aws_access_key_id", "aws_secret_access_key")),
    )


def from_stack(stack: StackConfig, dataset: Dataset, producer: str | None) -> Destination:
    """A deployed stack's buffer, its address composed from the names that the compiler gives."""
    principal = stack.bind(producer) if producer in dataset.producers else None
    queue = names.buffer_queue(stack.prefix, dataset.name)
    return Destination(
        queue_url=f"https://sqs.{stack.region}.amazonaws.com/{stack.account}/{queue}",
        region=stack.region,
        role_arn=_bound(principal.aws_arn if principal else None, dataset, producer),
    )


def sqs_client(destination: Destination) -> SQSClient:
    """boto3's client for the destination's queue, as its role where it has one. boto3's errors pass through."""
    import boto3

    session = boto3.Session(region_name=destination.region)
    options: dict[str, Any] = dict(destination.credentials)
    if destination.role_arn:
        options = _assume(session, destination, options)
    return session.client("sqs", endpoint_url=destination.endpoint_url, **options)


def _assume(session: Any, destination: Destination, options: dict[str, Any]) -> dict[str, Any]:
    sts = session.client("sts", endpoint_url=destination.endpoint_url, **options)
    answer = sts.assume_role(RoleArn=destination.role_arn, RoleSessionName="sluice-publish")["Credentials"]
    return {
        "aws_access_key_id": answer["AccessKeyId"],
        "aws_secret_access_key": answer["SecretAccessKey"],
        "aws_session_token": answer["SessionToken"],
    }


def _bound(role_arn: str | None, dataset: Dataset, producer: str | None) -> str | None:
    if producer is not None and role_arn is None:
        known = ", ".join(dataset.producers) or "none"
        raise DestinationError(
            f'"{producer}" is no producer of {dataset.name} here (producers: {known}).'
            ' Add it to the manifest\'s "producers" and bind it in the stack configuration\'s "principals".'
        )
    return role_arn
