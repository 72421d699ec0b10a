"""One HTTP call to SQS' JSON protocol: libcurl signs (AWS_SIGV4), speaks HTTP and TLS, and keeps its connection.

A call costs a tenth of boto3's. Receives are signed by botocore, since the next one can do with the same signature;
libcurl signs each call anew. Both signatures are the same, byte for byte, the session token included; a test holds them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from io import BytesIO
from typing import Any

import orjson
import pycurl

from sink_runtime.faults import Fault
from sink_runtime.sqs.queue import Room
from sink_runtime.sqs.signer import Credentials, RepeatSigner

CONNECT_SECONDS = 5
# On top of the time that a long poll may take: an answer later than this never comes.
ANSWER_SECONDS = 15
# A second; an answer that waited for room, and then comes slower for ANSWER_SECONDS, never comes.
SLOW_BYTES = 10_000
# What libcurl reads at a time: each piece is handed over under Python's lock, and ten full envelopes are megabytes.
BUFFER_BYTES = 256 * 1024
CONTENT_TYPE = "application/x-amz-json-1.0"
# The only call that is the same bytes as the one before.
REPEATED_ACTION = "ReceiveMessage"

_THROTTLED = (
    "Throttl",
    "OverLimit",
    "RequestLimit",
    "TooManyRequests",
    "ServiceUnavailable",
    "InternalFailure",
)


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
        self._endpoint = endpoint
        self._region = region
        self._credentials = credentials
        self._dependency = dependency
        self._buffer = BytesIO()
        self._room: Room | None = None
        self.waits = False  # for room: the rest of the answer stays where it is
        self.received_bytes = 0
        self._wait_seconds: int | None = None  # that the limits are for
        self._prepared: tuple[str, Credentials] | None = None
        self._signer: RepeatSigner | None = None
        self._signed: list[str] = []
        self.curl = pycurl.Curl()
        for option, value in (
            (pycurl.URL, endpoint),
            (pycurl.POST, 1),
            (pycurl.NOSIGNAL, 1),  # no SIGALRM: timeouts must not meet the threads of others
            (pycurl.CONNECTTIMEOUT, CONNECT_SECONDS),
            (pycurl.TCP_KEEPALIVE, 1),
            (pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1),
            # Signs what has no Authorization yet.
            (pycurl.AWS_SIGV4, f"aws:amz:{region}:sqs"),
            (pycurl.CAINFO, os.fsencode(ca_file)),  # a str may only be ASCII
            (pycurl.WRITEFUNCTION, self._take),
            (pycurl.BUFFERSIZE, BUFFER_BYTES),
        ):
            self.curl.setopt(option, value)

    def call(self, action: str, body: dict[str, Any], wait_seconds: int = 0) -> dict[str, Any]:
        """The answer to `AmazonSQS.<action>`. Raises QueueFault, or Fault where there are no credentials."""
        self.begin(action, orjson.dumps(body), wait_seconds)
        try:
            self.curl.perform()
        except pycurl.error as error:
            return self.end(int(error.args[0]))
        return self.end(None)

    def begin(self, action: str, body: bytes, wait_seconds: int, room: Room | None = None) -> None:
        """Make `curl` ready to perform the call, by itself or among others; `end` must follow. `body` is JSON.

        An answer that is larger than its `room`, where there is one, waits until that can be widened.
        """
        self._prepare(action, self._credentials())
        self._give(body)
        if wait_seconds != self._wait_seconds:
            self._limit(wait_seconds + ANSWER_SECONDS, 0)
            self._wait_seconds = wait_seconds
        self._room = room
        self.waits = False
        self._buffer = BytesIO()

    def end(self, error: int | None) -> dict[str, Any]:
        """The answer, now that it was performed; `error` is libcurl's number. Raises QueueFault."""
        if error is not None:
            raise QueueFault(self._dependency, f"curl-{error}", 0)
        answer = self._buffer.getvalue()
        self._buffer = BytesIO()  # nothing of it stays with an idle connection
        self.received_bytes += len(answer)
        return self._read(int(self.curl.getinfo(pycurl.RESPONSE_CODE)), answer)

    def go_on(self) -> None:
        """Try again to take what waits for room."""
        if self._wait_seconds is not None:
            # It is not the service that is late: what counts now is how it goes on when there is room.
            self._limit(0, ANSWER_SECONDS)
            self._wait_seconds = None
        self.waits = False
        self.curl.pause(pycurl.PAUSE_CONT)

    def _limit(self, whole: int, slow: int) -> None:
        """Seconds for a whole call, and for a transfer that is slow without waiting for room; 0 for none."""
        self.curl.setopt(pycurl.TIMEOUT, whole)
        self.curl.setopt(pycurl.LOW_SPEED_LIMIT, SLOW_BYTES if slow else 0)
        self.curl.setopt(pycurl.LOW_SPEED_TIME, slow)

    def _take(self, piece: bytes) -> int | None:
        """A piece of the answer, as libcurl hands it over."""
        if self._room and self._buffer.tell() + len(piece) > self._room.bytes:
            if not self._room.widen():
                self.waits = True
                return pycurl.WRITEFUNC_PAUSE
            self._room = None
        self._buffer.write(piece)
        return None

    def _prepare(self, action: str, credentials: Credentials) -> None:
        """What changes seldom: a connection nearly always makes the same call as before."""
        if self._prepared == (action, credentials):
            return
        headers = {"Content-Type": CONTENT_TYPE, "X-Amz-Target": f"AmazonSQS.{action}"}
        if action == REPEATED_ACTION:
            self._signer = RepeatSigner(self._endpoint, self._region, headers, credentials)
            self._signed = []
        else:
            self._signer = None
            self.curl.setopt(pycurl.USERNAME, credentials.access_key)
            self.curl.setopt(pycurl.PASSWORD, credentials.secret_key)
            if credentials.token:
                headers["X-Amz-Security-Token"] = credentials.token
            self._set_headers([f"{name}: {value}" for name, value in headers.items()])
        self._prepared = (action, credentials)

    def _give(self, body: bytes) -> None:
        """Give libcurl the body, with its signature if that is made here; libcurl still has those of a repeated call."""
        if self._signer is not None:
            signed = self._signer.headers(body)
            if signed is self._signed:
                return
            self._set_headers(signed)
            self._signed = signed
        self.curl.setopt(pycurl.POSTFIELDS, body)

    def _set_headers(self, headers: list[str]) -> None:
        # An empty Expect stops libcurl from waiting for "100 Continue" before larger bodies.
        self.curl.setopt(pycurl.HTTPHEADER, [*headers, "Expect:"])

    def close(self) -> None:
        """Close the connection."""
        self.curl.close()

    def _read(self, status: int, answer: bytes) -> dict[str, Any]:
        document = _json(answer)
        if status == 200 and isinstance(document, dict):
            return document
        code = document.get("__type", "") if isinstance(document, dict) else ""
        raise QueueFault(self._dependency, str(code).rpartition("#")[2] or "UnreadableAnswer", status)


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
