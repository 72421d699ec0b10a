"""The sink's container as ECS takes it: plain values, each with its reason. What it is told is in `sink_environment`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from compiler.canonical import Json
from compiler.stack import StackConfig
from sink_runtime import settings

CONTAINER = "sink"
LOCAL_IMAGE = "local-process"
"""In the place of an image where the stack has none: the sink is a process of this checkout."""

CPU_UNITS = 512
"""Half a virtual CPU: a sink works in one thread of Python at a time, and in C beside it. More load: more tasks."""

MEMORY_MIB = 1024
"""A sink holds 80 MiB of bodies at most, which are several times as much once parsed, and needs 150 MiB by itself."""

STOP_SECONDS = settings.DEFAULT_DRAIN_SECONDS + 15
"""From SIGTERM to SIGKILL: longer than the drain time, and at most the 120 s that Fargate permits."""

LOG_RETENTION_DAYS = 30
"""Long enough to look into what a dead letter of 14 days tells of."""

USER = "65532:65532"
"""Nobody: the image's own user, named here too, so that another image cannot choose root."""

HEALTH_CHECK: Mapping[str, Json] = {
    "command": ["CMD", "python", "-m", "sink_runtime.healthcheck"],
    "interval": 30,
    "timeout": 10,
    "retries": 3,
    "startPeriod": 60,
}
"""ECS ignores the image's own. A sink that waits for something is healthy; one of which a thread hangs is not."""


@dataclass(frozen=True)
class SinkAddresses:
    """What only the deployed resources know.

    `topic_arn` is None where the dataset publishes no events, `secret_arn` where the sink logs in as `database_user` by tokens.
    """

    plan_uri: str
    buffer_url: str
    dead_letter_url: str
    topic_arn: str | None
    database_user: str
    secret_arn: str | None
    trusted_senders: Sequence[str]


def sink_environment(stack: StackConfig, addresses: SinkAddresses) -> dict[str, str]:
    """The sink's environment variables, by the names of `sink_runtime.settings`; none of them is a secret."""
    host, port = stack.database.sink_address
    topic = {settings.TOPIC_ARN: addresses.topic_arn} if addresses.topic_arn else {}
    return {
        settings.ENVIRONMENT: stack.environment,
        settings.REGION: stack.region,
        settings.PLAN: addresses.plan_uri,
        settings.BUFFER_URL: addresses.buffer_url,
        settings.DEAD_LETTER_URL: addresses.dead_letter_url,
        settings.DATABASE_HOST: host,
        settings.DATABASE_PORT: str(port),
        settings.DATABASE_NAME: stack.database.name,
        settings.DATABASE_SSLMODE: stack.database.sslmode,
        settings.DATABASE_AUTH: stack.database.auth,
        **_login(addresses),
        settings.DATABASE_POOLER: stack.database.pooler,
        settings.TRUSTED_SENDERS: ",".join(addresses.trusted_senders),
        settings.DRAIN_SECONDS: str(settings.DEFAULT_DRAIN_SECONDS),
        **topic,
    }


def _login(addresses: SinkAddresses) -> dict[str, str]:
    if addresses.secret_arn is None:
        return {settings.DATABASE_USER: addresses.database_user}
    return {settings.DATABASE_SECRET_ARN: addresses.secret_arn}


def container_definitions(
    image: str | None, environment: Mapping[str, str], log_group: str, region: str
) -> list[Json]:
    """The one container of a sink's task: read-only, without rights, its log in `log_group`."""
    return [
        {
            "name": CONTAINER,
            "image": image or LOCAL_IMAGE,
            "essential": True,
            "user": USER,
            "readonlyRootFilesystem": True,
            "linuxParameters": {"capabilities": {"drop": ["ALL"]}},
            "environment": [{"name": name, "value": value} for name, value in sorted(environment.items())],
            "stopTimeout": STOP_SECONDS,
            "healthCheck": dict(HEALTH_CHECK),
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {
                    "awslogs-group": log_group,
                    "awslogs-region": region,
                    "awslogs-stream-prefix": CONTAINER,
                },
            },
        }
    ]
