"""The execution role: what ECS itself may do to start a stack's tasks. The tasks work as their own roles."""

from __future__ import annotations

import re

from compiler.canonical import Json
from compiler.emit.arns import Arns
from compiler.emit.iam import VERSION, Document

_ECR = re.compile(
    r"(?P<account>[0-9]{12})\.dkr\.ecr(-fips)?\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?/(?P<name>[^@:]+)"
)
_PULL = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
_LOG = ["logs:CreateLogStream", "logs:PutLogEvents"]


def execution_policy(arns: Arns, log_groups: str, image: str | None) -> Document:
    """Open streams in the stack's log groups (`log_groups` is a pattern of names), and pull the image from its repository.

    An image of a registry that is not ECR needs no right. `ecr:GetAuthorizationToken` knows no resource: it gives a
    token for what the caller may pull anyway.
    """
    statements = [_allow("WriteLogs", _LOG, arns.log_groups(log_groups))]
    repository = _repository(image)
    if repository:
        statements += [
            _allow("PullImage", _PULL, repository),
            _allow("LogInToRegistry", ["ecr:GetAuthorizationToken"], "*"),
        ]
    return {"Version": VERSION, "Statement": statements}


def _repository(image: str | None) -> str | None:
    """The ARN of the image's ECR repository, which may be of another account or region."""
    found = _ECR.match(image) if image else None
    if found is None:
        return None
    return Arns(found["region"], found["account"]).repository(found["name"])


def _allow(sid: str, actions: list[str], resource: str) -> dict[str, Json]:
    return {"Sid": sid, "Effect": "Allow", "Action": sorted(actions), "Resource": [resource]}
