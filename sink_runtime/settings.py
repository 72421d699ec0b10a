"""The deployment's half of what a sink needs, by environment variable; the plan is the other half.

The service resource, `dev/` and the sink use these names and no others. Standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

ENVIRONMENT = "SLUICE_ENVIRONMENT"  # the environment's name: CloudEvents `source`
PLAN = "SLUICE_PLAN"  # file path or s3://bucket/key; `--plan` wins
BUFFER_URL = "SLUICE_BUFFER_URL"
DEAD_LETTER_URL = "SLUICE_DEAD_LETTER_URL"
TOPIC_ARN = "SLUICE_TOPIC_ARN"
DATABASE_HOST = "SLUICE_DATABASE_HOST"
DATABASE_PORT = "SLUICE_DATABASE_PORT"
DATABASE_NAME = "SLUICE_DATABASE_NAME"
DATABASE_SSLMODE = "SLUICE_DATABASE_SSLMODE"
DATABASE_SECRET_ARN = "SLUICE_DATABASE_SECRET_ARN"  # secret {username, password}
DATABASE_POOLER = "SLUICE_DATABASE_POOLER"  # "none" (default) or "transaction": one stands before the server
TRUSTED_SENDERS = (
    "SLUICE_TRUSTED_SENDERS"  # role ids, comma-separated, whose replayed dead letters are believed
)
LOG_FORMAT = "SLUICE_LOG_FORMAT"  # "json" (default) or "human"
# AWS_REGION, AWS_ENDPOINT_URL and the credential chain are AWS' own names, read by boto3 and by us.
REGION = "AWS_REGION"
ENDPOINT_URL = "AWS_ENDPOINT_URL"

REQUIRED = (
    ENVIRONMENT,
    BUFFER_URL,
    DEAD_LETTER_URL,
    DATABASE_HOST,
    DATABASE_PORT,
    DATABASE_NAME,
    DATABASE_SSLMODE,
    DATABASE_SECRET_ARN,
    REGION,
)


class SettingsError(ValueError):
    """Variables are missing or wrong; the text names all of them."""


@dataclass(frozen=True)
class Settings:
    """Addresses of one sink. `topic_arn` is None where the dataset publishes no events; ports are TCP ports.

    `trusted_senders` are role ids, the first part of a SenderId. `has_pooler`: a transaction pooler stands before Postgres.
    """

    environment: str
    plan: str
    buffer_url: str
    dead_letter_url: str
    topic_arn: str | None
    database_host: str
    database_port: int
    database_name: str
    database_sslmode: str
    database_secret_arn: str
    region: str
    endpoint_url: str | None
    log_format: str
    trusted_senders: tuple[str, ...] = ()
    has_pooler: bool = False


def read(environ: Mapping[str, str], plan: str | None = None) -> Settings:
    """Settings from the environment; `plan` is `--plan`. Raises SettingsError with every problem at once."""
    missing = [name for name in REQUIRED if not environ.get(name)]
    if not (plan or environ.get(PLAN)):
        missing.append(f"{PLAN} (or --plan)")
    wrong = [] if environ.get(DATABASE_PORT, "0").isdigit() else [f"{DATABASE_PORT} is not a port"]
    if environ.get(LOG_FORMAT, "json") not in ("json", "human"):
        wrong.append(f"{LOG_FORMAT} is not json or human")
    if environ.get(DATABASE_POOLER, "none") not in ("none", "transaction"):
        wrong.append(f"{DATABASE_POOLER} is not none or transaction")
    if missing or wrong:
        raise SettingsError("; ".join([f"{name} is not set" for name in missing] + wrong))
    return Settings(
        environment=environ[ENVIRONMENT],
        plan=plan or environ[PLAN],
        buffer_url=environ[BUFFER_URL],
        dead_letter_url=environ[DEAD_LETTER_URL],
        topic_arn=environ.get(TOPIC_ARN) or None,
        database_host=environ[DATABASE_HOST],
        database_port=int(environ[DATABASE_PORT]),
        database_name=environ[DATABASE_NAME],
        database_sslmode=environ[DATABASE_SSLMODE],
        database_secret_arn=environ[DATABASE_SECRET_ARN],
        region=environ[REGION],
        endpoint_url=environ.get(ENDPOINT_URL) or None,
        log_format=environ.get(LOG_FORMAT, "json"),
        trusted_senders=tuple(filter(None, map(str.strip, environ.get(TRUSTED_SENDERS, "").split(",")))),
        has_pooler=environ.get(DATABASE_POOLER) == "transaction",
    )
