"""ARNs composed from partition, account, region and name, so that policies are known before anything exists.

A preview then shows each policy whole, and a reviewer sees what a principal gains.
"""

from __future__ import annotations

from dataclasses import dataclass

from compiler import names


@dataclass(frozen=True)
class Arns:
    """The ARNs of one account's resources in one region."""

    region: str
    account: str

    @property
    def partition(self) -> str:
        """`aws`, `aws-cn` or `aws-us-gov`, by the region."""
        return names.partition(self.region)

    def queue(self, name: str) -> str:
        """An SQS queue."""
        return self._regional("sqs", name)

    def topic(self, name: str) -> str:
        """An SNS topic."""
        return self._regional("sns", name)

    def bucket(self, name: str) -> str:
        """An S3 bucket; its name is global."""
        return f"arn:{self.partition}:s3:::{name}"

    def role(self, path: str, name: str) -> str:
        """An IAM role; `path` begins and ends with a slash."""
        return f"arn:{self.partition}:iam::{self.account}:role{path}{name}"

    def database_user(self, resource_id: str, user: str) -> str:
        """A Postgres role of a database of RDS, as rds-db:connect names it."""
        return self._regional("rds-db", f"dbuser:{resource_id}/{user}")

    def key(self, identity: str) -> str:
        """A KMS key."""
        return self._regional("kms", f"key/{identity}")

    def root(self, account: str) -> str:
        """An account as a principal: every identity of it that its own policies let."""
        return f"arn:{self.partition}:iam::{account}:root"

    def tasks(self) -> str:
        """A pattern over everything of ECS in this account and region."""
        return self._regional("ecs", "*")

    def log_groups(self, pattern: str) -> str:
        """A pattern over CloudWatch log groups, with their streams."""
        return self._regional("logs", f"log-group:{pattern}:*")

    def repository(self, name: str) -> str:
        """An ECR repository of this account and region."""
        return self._regional("ecr", f"repository/{name}")

    def _regional(self, service: str, name: str) -> str:
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{name}"
