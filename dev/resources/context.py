"""Where handlers work: the emulator as its administrator, and Postgres as its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import psycopg

from dev.emulator.client import session
from dev.emulator.state import EmulatorState

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

CONNECT_SECONDS = 10


@dataclass(frozen=True)
class Context:
    """Everything that handlers share.

    `postgres` are the keyword arguments of `psycopg.connect` for the administrator. `project` and `configuration` are
    what Pulumi hands to dynamic providers: the project's name, and the stack configuration as `namespace:key` -> text.
    """

    emulator: EmulatorState
    postgres: Mapping[str, Any] = field(repr=False)
    project: str = "sluice"
    configuration: Mapping[str, str] = field(default_factory=dict)

    @property
    def region(self) -> str:
        """The one region of the environment."""
        return self.emulator.region

    @property
    def account(self) -> str:
        """The one account of the environment."""
        return self.emulator.account_id

    def client(self, service: str) -> Any:
        """A new administrative client of an AWS service."""
        return session(self.emulator).client(service)

    @cached_property
    def sqs(self) -> SQSClient:
        """The SQS client."""
        client: SQSClient = self.client("sqs")
        return client

    @cached_property
    def sns(self) -> SNSClient:
        """The SNS client."""
        client: SNSClient = self.client("sns")
        return client

    @cached_property
    def s3(self) -> S3Client:
        """The S3 client."""
        client: S3Client = self.client("s3")
        return client

    @cached_property
    def iam(self) -> IAMClient:
        """The IAM client."""
        client: IAMClient = self.client("iam")
        return client

    @contextmanager
    def transaction(self, database: str | None = None) -> Iterator[psycopg.Connection]:
        """A transaction of the Postgres administrator, in the environment's own database or in `database`."""
        chosen = {**self.postgres, **({"dbname": database} if database else {})}
        with psycopg.connect(**chosen, connect_timeout=CONNECT_SECONDS) as connection:
            yield connection
