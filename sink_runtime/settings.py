"""The deployment's half of what a sink needs, by environment variable; the plan is the other half.

The service resource, `dev/` and the sink use these names and no others. Standard library only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

ENVIRONMENT = "SLUICE_ENVIRONMENT"
PLAN = "SLUICE_PLAN"
BUFFER_URL = "SLUICE_BUFFER_URL"
DEAD_LETTER_URL = "SLUICE_DEAD_LETTER_URL"
TOPIC_ARN = "SLUICE_TOPIC_ARN"
DATABASE_HOST = "SLUICE_DATABASE_HOST"
DATABASE_PORT = "SLUICE_DATABASE_PORT"
DATABASE_NAME = "SLUICE_DATABASE_NAME"
DATABASE_SSLMODE = "SLUICE_DATABASE_SSLMODE"
DATABASE_AUTH = "SLUICE_DATABASE_AUTH"
DATABASE_USER = "SLUICE_DATABASE_USER"
DATABASE_SECRET_ARN = "SLUICE_DATABASE_SECRET_ARN"
DATABASE_POOLER = "SLUICE_DATABASE_POOLER"
ACCEPT_REFUSALS = "SLUICE_ACCEPT_REFUSALS"
TRUSTED_SENDERS = "SLUICE_TRUSTED_SENDERS"
HTTP_HOST = "SLUICE_HTTP_HOST"
HTTP_PORT = "SLUICE_HTTP_PORT"
DRAIN_SECONDS = "SLUICE_DRAIN_SECONDS"
LOG_FORMAT = "SLUICE_LOG_FORMAT"
# AWS_REGION, AWS_ENDPOINT_URL and the credential chain are AWS' own names, read by boto3 and by us.
REGION = "AWS_REGION"
ENDPOINT_URL = "AWS_ENDPOINT_URL"

DEFAULT_HTTP_HOST = "127.0.0.1"
DEFAULT_HTTP_PORT = 9464
DEFAULT_DRAIN_SECONDS = 45
LEAST_DRAIN_SECONDS = 7  # a long poll (5 s) must be awaited: what it brings would be hidden until its timeout
LONGEST_DRAIN_SECONDS = 110  # an ECS task is killed 120 s after it was asked to stop, at the latest
AUTHS = ("secret", "iam")
POOLERS = ("none", "transaction")
LOG_FORMATS = ("json", "human")

SQLSTATE = re.compile(r"[0-9A-Z]{5}")


@dataclass(frozen=True)
class Variable:
    """One environment variable: its name, its default (None: it is required), and what it means."""

    name: str
    default: str | None
    meaning: str


VARIABLES: tuple[Variable, ...] = (
    Variable(ENVIRONMENT, None, "The environment's name, in the `source` of update events."),
    Variable(
        PLAN,
        None,
        "The sink plan: a file, or `s3://bucket/key`. `--plan` wins; one of the two is needed.",
    ),
    Variable(BUFFER_URL, None, "URL of the dataset's buffer."),
    Variable(DEAD_LETTER_URL, None, "URL of its dead-letter queue."),
    Variable(TOPIC_ARN, "", "ARN of the topic of its update events. Required where the plan publishes them."),
    Variable(DATABASE_HOST, None, "Host name of Postgres, or of the pooler before it."),
    Variable(DATABASE_PORT, None, "TCP port there."),
    Variable(DATABASE_NAME, None, "The database's name."),
    Variable(DATABASE_SSLMODE, None, "`sslmode` as libpq has it: `verify-full`, but on loopback."),
    Variable(
        DATABASE_AUTH,
        "secret",
        "`secret`: the login stands in Secrets Manager. `iam`: each connection is opened with a token that RDS accepts for "
        "15 minutes, made from the sink's own AWS credentials; it asks for `verify-full`.",
    ),
    Variable(
        DATABASE_SECRET_ARN,
        "",
        "ARN of the secret with the sink's login, `{username, password}`. Required with `secret`.",
    ),
    Variable(
        DATABASE_USER, "", "The Postgres role to log in as. Required with `iam`; the secret names its own."
    ),
    Variable(
        DATABASE_POOLER,
        "none",
        "`transaction`: a transaction pooler stands before the server, so that no session setting and no prepared "
        "statement may be relied on. `none`: the connection is the server's own.",
    ),
    Variable(
        TRUSTED_SENDERS,
        "",
        "Unique ids of IAM roles (`AROA…`) or users, comma-separated, whose dead letters' claims of their first sender "
        "and instant are believed when they are sent again: the sink's own role and the operator's.",
    ),
    Variable(
        HTTP_PORT,
        str(DEFAULT_HTTP_PORT),
        "TCP port of `/metrics`, `/healthz` and `/readyz`; 0: none is served.",
    ),
    Variable(
        HTTP_HOST,
        DEFAULT_HTTP_HOST,
        "Address to listen on. Loopback is enough for a container's own health check and for a collector beside it in "
        "the task; `0.0.0.0` opens it to all that the security group lets in, unauthenticated.",
    ),
    Variable(
        DRAIN_SECONDS,
        str(DEFAULT_DRAIN_SECONDS),
        f"From SIGTERM to the end at the latest, {LEAST_DRAIN_SECONDS} to {LONGEST_DRAIN_SECONDS}; what is not done by then comes again. "
        "The service's stop timeout must be longer.",
    ),
    Variable(
        ACCEPT_REFUSALS,
        "",
        "SQLSTATEs, comma-separated (`23514`), by which Postgres may refuse most of a batch: the records become dead "
        "letters. Without them that pauses the sink, since a constraint is more likely wrong than a stream. For the "
        "time that it takes, after a person has looked.",
    ),
    Variable(LOG_FORMAT, "json", "`json`, one object a line, or `human`."),
    Variable(REGION, None, "The AWS region of queues, topic, bucket and secret."),
    Variable(
        ENDPOINT_URL, "", "One endpoint for all of AWS, for emulators. Credentials come by AWS' usual chain."
    ),
)

# The plan may come by `--plan` instead.
REQUIRED = tuple(one.name for one in VARIABLES if one.default is None and one.name != PLAN)


class SettingsError(ValueError):
    """Variables are missing or wrong; the text names all of them."""


@dataclass(frozen=True)
class Settings:
    """Addresses of one sink. `topic_arn` is None where the dataset publishes no events; ports are TCP ports.

    `trusted_senders` are role ids, the first part of a SenderId. `has_pooler`: a transaction pooler stands before Postgres.
    `http_port` 0: nothing is served.
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
    http_host: str = DEFAULT_HTTP_HOST
    http_port: int = DEFAULT_HTTP_PORT
    drain_seconds: int = DEFAULT_DRAIN_SECONDS
    accept_refusals: tuple[str, ...] = ()
    database_auth: str = "secret"
    database_user: str = ""


def read(environ: Mapping[str, str], plan: str | None = None) -> Settings:
    """Settings from the environment; `plan` is `--plan`. Raises SettingsError with every problem at once."""
    defaults = {one.name: one.default for one in VARIABLES if one.default}
    found = defaults | {name: value for name, value in environ.items() if value}
    problems = [*_missing(found, plan), *_wrong(found)]
    if problems:
        raise SettingsError("; ".join(problems))
    return Settings(
        environment=found[ENVIRONMENT],
        plan=plan or found[PLAN],
        buffer_url=found[BUFFER_URL],
        dead_letter_url=found[DEAD_LETTER_URL],
        topic_arn=found.get(TOPIC_ARN),
        database_host=found[DATABASE_HOST],
        database_port=int(found[DATABASE_PORT]),
        database_name=found[DATABASE_NAME],
        database_sslmode=found[DATABASE_SSLMODE],
        database_secret_arn=found.get(DATABASE_SECRET_ARN, ""),
        region=found[REGION],
        endpoint_url=found.get(ENDPOINT_URL),
        log_format=found[LOG_FORMAT],
        trusted_senders=_listed(found.get(TRUSTED_SENDERS, "")),
        has_pooler=found[DATABASE_POOLER] == "transaction",
        http_host=found[HTTP_HOST],
        http_port=int(found[HTTP_PORT]),
        drain_seconds=int(found[DRAIN_SECONDS]),
        accept_refusals=_listed(found.get(ACCEPT_REFUSALS, "")),
        database_auth=found[DATABASE_AUTH],
        database_user=found.get(DATABASE_USER, ""),
    )


def _listed(text: str) -> tuple[str, ...]:
    return tuple(filter(None, map(str.strip, text.split(","))))


def _missing(found: Mapping[str, str], plan: str | None) -> Iterator[str]:
    yield from (f"{name} is not set" for name in REQUIRED if name not in found)
    if not (plan or PLAN in found):
        yield f"{PLAN} (or --plan) is not set"
    needed = {"secret": DATABASE_SECRET_ARN, "iam": DATABASE_USER}.get(found[DATABASE_AUTH])
    if needed is not None and needed not in found:
        yield f"{needed} is not set, which {DATABASE_AUTH} {found[DATABASE_AUTH]} needs"


def _wrong(found: Mapping[str, str]) -> Iterator[str]:
    for name, least, most in (
        (DATABASE_PORT, 1, 65_535),
        (HTTP_PORT, 0, 65_535),
        (DRAIN_SECONDS, LEAST_DRAIN_SECONDS, LONGEST_DRAIN_SECONDS),
    ):
        value = found.get(name, str(most))
        if not (value.isdecimal() and least <= int(value) <= most):
            yield f"{name} is not a whole number from {least} to {most}"
    if wrong := [one for one in _listed(found.get(ACCEPT_REFUSALS, "")) if not SQLSTATE.fullmatch(one)]:
        yield f"{ACCEPT_REFUSALS} holds {wrong[0]!r}, which is no SQLSTATE of five digits and capitals"
    if TOPIC_ARN in found and found[TOPIC_ARN].split(":")[2:3] != ["sns"]:
        yield f"{TOPIC_ARN} is not the ARN of an SNS topic"
    for name, values in ((LOG_FORMAT, LOG_FORMATS), (DATABASE_POOLER, POOLERS), (DATABASE_AUTH, AUTHS)):
        if found[name] not in values:
            yield f"{name} is not {' or '.join(values)}"
    if found[DATABASE_AUTH] == "iam" and found.get(DATABASE_SSLMODE, "verify-full") != "verify-full":
        yield f"{DATABASE_SSLMODE} is not verify-full, without which a token may go to anybody"
