"""One HTTP call to SQS' JSON protocol: libcurl signs (AWS_SIGV4), speaks HTTP and TLS, and keeps its connection.

A call costs a tenth of boto3's. The signature is byte for byte that of botocore's signer, the session token included;
a test holds it there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from io import BytesIO
from typing import Any, NamedTuple

import orjson
import pycurl

from sink_runtime.faults import Fault

CONNECT_SECONDS = 5
# On top of the time that a long poll may take: an answer later than this never comes.
ANSWER_SECONDS = 15
# What libcurl reads at a time: each piece is handed over under Python's lock, and ten full envelopes are megabytes.
BUFFER_BYTES = 256 * 1024
CONTENT_TYPE = "application/x-amz-json-1.0"

_THROTTLED = (
    "Throttl",
    "OverLimit",
    "RequestLimit",
    "TooManyRequests",
    "ServiceUnavailable",
    "InternalFailure",
)


class Credentials(NamedTuple):
    """AWS credentials as they are at one moment; `token` is None for a user's own key."""

    access_key: str
    secret_key: str
    token: str | None

    def __repr__(self) -> str:
        """Without the secrets."""
        return f"Credentials({self.access_key!r})"


class QueueFault(Fault):
    """A call failed as a whole. `code` is the service's error code, or libcurl's."""

    def __init__(self, dependency: str, code: str, status: int) -> None:
        passing = status >= 500 or status == 0 or any(mark in code for mark in _THROTTLED)
        super().__init__(dependency, f"{code} ({status})" if status else code, alarm=not passing)
        self.code = code
        self.status = status

    @property
    def is_denial(self) -> bool:
        """Whether the service refuses this identity the action."""
        return "AccessDenied" in self.code or "NotAuthorized" in self.code


class Wire:
    """A connection to one endpoint, for one thread. `received_bytes` counts the bodies of all answers."""

    def __init__(
        self,
        endpoint: str,
        region: str,
        credentials: Callable[[], Credentials],
        ca_file: str,
        dependency: str,
    ) -> None:
        self._credentials = credentials
        self._dependency = dependency
        self._buffer = BytesIO()
        self.received_bytes = 0
        self._wait_seconds = -1
        self._prepared: tuple[str, Credentials] | None = None
        self.curl = pycurl.Curl()
        for option, value in (
            (pycurl.URL, endpoint),
            (pycurl.POST, 1),
            (pycurl.NOSIGNAL, 1),  # no SIGALRM: timeouts must not meet the threads of others
            (pycurl.CONNECTTIMEOUT, CONNECT_SECONDS),
            (pycurl.TCP_KEEPALIVE, 1),
            (pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1),
            (pycurl.AWS_SIGV4, f"aws:amz:{region}:sqs"),
            (pycurl.CAINFO, os.fsencode(ca_file)),  # a str may only be ASCII
            (pycurl.WRITEDATA, self._buffer),
            (pycurl.BUFFERSIZE, BUFFER_BYTES),
        ):
            self.curl.setopt(option, value)

    def call(self, action: str, body: dict[str, Any], wait_seconds: int = 0) -> dict[str, Any]:
        """The answer to `AmazonSQS.<action>`. Raises QueueFault, or Fault where there are no credentials."""
        self.begin(action, body, wait_seconds)
        try:
            self.curl.perform()
        except pycurl.error as error:
            return self.end(int(error.args[0]))
        return self.end(None)

    def begin(self, action: str, body: dict[str, Any], wait_seconds: int) -> None:
        """Make `curl` ready to perform the call, by itself or among others; `end` must follow."""
        self._prepare(action, self._credentials())
        self.curl.setopt(pycurl.POSTFIELDS, orjson.dumps(body))
        if wait_seconds != self._wait_seconds:
            self.curl.setopt(pycurl.TIMEOUT, wait_seconds + ANSWER_SECONDS)
            self._wait_seconds = wait_seconds
        self._buffer.seek(0)
        self._buffer.truncate()

    def end(self, error: int | None) -> dict[str, Any]:
        """The answer, now that it was performed; `error` is libcurl's number. Raises QueueFault."""
        if error is not None:
            raise QueueFault(self._dependency, f"curl-{error}", 0)
        answer = self._buffer.getvalue()
        self.received_bytes += len(answer)
        return self._read(int(self.curl.getinfo(pycurl.RESPONSE_CODE)), answer)

    def _prepare(self, action: str, credentials: Credentials) -> None:
        """What changes seldom: a connection nearly always makes the same call as before."""
        if self._prepared == (action, credentials):
            return
        self.curl.setopt(pycurl.USERNAME, credentials.access_key)
        self.curl.setopt(pycurl.PASSWORD, credentials.secret_key)
        self.curl.setopt(pycurl.HTTPHEADER, _headers(action, credentials.token))
        self._prepared = (action, credentials)

    def close(self) -> None:
        """Close the connection."""
        self.curl.close()

    def _read(self, status: int, answer: bytes) -> dict[str, Any]:
        document = _json(answer)
        if status == 200 and isinstance(document, dict):
            return document
        code = document.get("__type", "") if isinstance(document, dict) else ""
        raise QueueFault(self._dependency, str(code).rpartition("#")[2] or "UnreadableAnswer", status)


def _headers(action: str, token: str | None) -> list[str]:
    # An empty Expect stops libcurl from waiting for "100 Continue" before larger bodies.
    headers = [f"Content-Type: {CONTENT_TYPE}", f"X-Amz-Target: AmazonSQS.{action}", "Expect:"]
    return [*headers, f"X-Amz-Security-Token: {token}"] if token else headers


def _json(answer: bytes) -> Any:
    if not answer:
        return {}
    try:
        return orjson.loads(answer)
    except orjson.JSONDecodeError:
        pass
    try:  # half a surrogate pair in one message must not hide the nine beside it; the decoder will reject it
        return json.loads(answer)
    except ValueError:
        return None
