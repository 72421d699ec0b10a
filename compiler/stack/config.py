"""The stack's configuration as frozen values: what one environment gives the datasets."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from compiler.canonical import JsonDocument

EMBEDDED = "embedded"  # the stack of `sluice dev up`: the only one that may bind "*" and talk without TLS
EVERYONE = "*"


@dataclass(frozen=True)
class Principal:
    """Who a name of the manifests is here: a producer's IAM role, a reader's Postgres role, or both."""

    aws_arn: str | None
    postgres_role: str | None

    @property
    def aws_account(self) -> str | None:
        """The account of its IAM role."""
        return self.aws_arn.split(":")[4] if self.aws_arn else None

    @property
    def aws_role_name(self) -> str | None:
        """The role's bare name, without its path: what IAM attaches policies to."""
        return self.aws_arn.rpartition("/")[2] if self.aws_arn else None

    def named(self, name: str) -> Principal:
        """The entry `"*"` for one name: `{name}` filled in."""
        return Principal(
            self.aws_arn.replace("{name}", name) if self.aws_arn else None,
            self.postgres_role.replace("{name}", name) if self.postgres_role else None,
        )


@dataclass(frozen=True)
class Database:
    """Where the tables are. `admin` names where the deploying user's connection string is found, and never holds it."""

    host: str
    port: int
    name: str
    sslmode: str
    superuser: bool
    admin: str
    password_rotation: int
    pooler: str  # between sinks and server: "none" or "transaction"
    auth: str  # how sinks log in: "secret" or "iam"
    resource_id: str | None = None  # of RDS, for IAM authentication
    pooler_host: str | None = None
    pooler_port: int = 6432

    @property
    def sink_address(self) -> tuple[str, int]:
        """Host and port that the sinks connect to: the pooler's where there is one."""
        return (self.pooler_host, self.pooler_port) if self.pooler_host else (self.host, self.port)


@dataclass(frozen=True)
class Network:
    """Where the sinks' tasks run. `security_groups` are further ones beside the stack's own."""

    vpc: str
    subnets: tuple[str, ...]
    database_cidrs: tuple[str, ...]
    security_groups: tuple[str, ...]
    assign_public_ip: bool


@dataclass(frozen=True)
class StackConfig:
    """One stack, complete. `name` is the stack's own (`Pulumi.<name>.yaml`), `environment` what events and tags say.

    `cluster` is the ARN of an ECS cluster, None where the stack makes one. `image` is None in the stack `embedded` alone.
    `overrides` are fields of the manifest's `sink`, `alarms` and `buffer`, by dataset or "*".
    """

    name: str
    environment: str
    prefix: str
    region: str
    account: str
    datasets: tuple[str, ...]
    principals: tuple[tuple[str, Principal], ...]
    operator: Principal | None
    database: Database
    encryption: str  # of messages at rest: "sqs" or "customer_key"
    foundation: str  # "own", or the stack whose foundation it is
    network: Network
    cluster: str | None
    image: str | None
    alarm_topics: tuple[tuple[str, str], ...]
    overrides: tuple[tuple[str, JsonDocument], ...]
    permissions_boundary: str | None
    protect: bool

    def selects(self, dataset: str) -> bool:
        """Whether the stack deploys the dataset of that name."""
        return any(fnmatchcase(dataset, pattern) for pattern in self.datasets)

    def bind(self, name: str) -> Principal | None:
        """Who a producer or reader of the manifests is here, or None where nothing binds the name."""
        bound = dict(self.principals)
        if name in bound:
            return bound[name]
        return bound[EVERYONE].named(name) if EVERYONE in bound else None

    def principal(self, name: str) -> Principal:
        """As `bind`, for a name that `LoadedStack.serves` found bound. Raises KeyError."""
        found = self.bind(name)
        if found is None:
            raise KeyError(name)
        return found

    def alarm_topic(self, owner: str) -> str | None:
        """The ARN of the topic that is told of an owner's alarms, or None where there is none."""
        topics = dict(self.alarm_topics)
        return topics.get(owner) or topics.get(EVERYONE)
