"""Fetch the plan: from a file, or from the bucket of plans, where an object's name is its hash."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from botocore.exceptions import ClientError

from sink_runtime.aws import FAILURES, Aws, code_of
from sink_runtime.faults import Fault
from sink_runtime.plan import PlanError, SinkPlan, digest, read

_S3 = re.compile(r"s3://(?P<bucket>[^/]+)/(?P<key>.+)")
_NAMED_BY_HASH = re.compile(r"(?:.*/)?([0-9a-f]{64})\.json")


@dataclass(frozen=True)
class Loaded:
    """A plan and the hash of the very bytes it was read from."""

    plan: SinkPlan
    sha256: str


def load(location: str, aws: Aws) -> Loaded:
    """The plan at a path or `s3://bucket/key`. Raises PlanError, or Fault where the bucket does not answer."""
    s3 = _S3.fullmatch(location)
    data = _object(aws, s3["bucket"], s3["key"]) if s3 else _file(location)
    sha256 = digest(data)
    named = _NAMED_BY_HASH.fullmatch(location)
    if named and sha256 != f"sha256:{named[1]}":
        raise PlanError(f"{location} holds another plan than its name says: its hash is {sha256}")
    return Loaded(read(data), sha256)


def _file(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise PlanError(f"the plan {path} cannot be read: {error.strerror}") from error


def _object(aws: Aws, bucket: str, key: str) -> bytes:
    try:
        data: bytes = aws.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        raise Fault("plan", f"{code_of(error)} for s3://{bucket}/{key}", alarm=True) from error
    except FAILURES as error:
        raise Fault("plan", code_of(error)) from error
    return data
