"""Where handlers work: the emulator as its administrator, and Postgres as its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any

import psycopg

from dev.emulator.client import session
from dev.emulator.state import EmulatorState
from dev.state import DevError, Paths

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

CONNECT_SECONDS = 10


@dataclass(frozen=True)
class Context:
    """Everything that handlers share. It may be used by several threads at once, as boto3's clients may.

    `postgres` are the keyword arguments of `psycopg.connect` for the administrator. Either side may be missing where no
    handler needs it. `project` and `configuration` are what Pulumi hands to dynamic providers: the project's name, and
    the stack configuration as `namespace:key` -> text. `paths` is the folder of the environment, where processes of its
    own run; None where there is none, and none runs.
    """

    emulator: EmulatorState | None = None
    postgres: Mapping[str, Any] = field(default_factory=dict, repr=False)
    project: str = "sluice"
    configuration: Mapping[str, str] = field(default_factory=dict)
    paths: Paths | None = None
    _clients: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    _lock: Lock = field(default_factory=Lock, init=False, repr=False, compare=False)

    @property
    def region(self) -> str:
        """The one region of the environment."""
        return self.aws.region

    @property
    def account(self) -> str:
        """The one account of the environment."""
        return self.aws.account_id

    @property
    def aws(self) -> EmulatorState:
        """The emulator. Raises DevError where there is none."""
        if self.emulator is None:
            raise DevError("there is no AWS here.")
        return self.emulator

    def client(self, service: str) -> Any:
        """An administrative client of an AWS service, which threads may share.

        It is made under a lock, and its exception classes with it: boto3 makes them when they are first asked for, and
        two threads that asked at once would each wait for other classes than the ones that are raised.
        """
        with self._lock:
            if service not in self._clients:
                made = session(self.aws).client(service)
                assert made.exceptions is not None
                self._clients[service] = made
            return self._clients[service]

    @property
    def sqs(self) -> SQSClient:
        """The SQS client."""
        client: SQSClient = self.client("sqs")
        return client

    @property
    def sns(self) -> SNSClient:
        """The SNS client."""
        client: SNSClient = self.client("sns")
        return client

    @property
    def s3(self) -> S3Client:
        """The S3 client."""
        client: S3Client = self.client("s3")
        return client

    @property
    def kms(self) -> Any:
        """The KMS client."""
        return self.client("kms")

    @property
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
