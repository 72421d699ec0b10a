"""The signatures of calls to SQS that are made again and again: botocore's, once a second each.

AWS' signatures, version 4, are dated to the second. Within one, the headers that botocore made for a call are those that
it would make for the same call again.
"""

from __future__ import annotations

import time
from calendar import timegm
from typing import NamedTuple

from botocore.auth import SIGV4_TIMESTAMP, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials


class Credentials(NamedTuple):
    """AWS credentials as they are at one moment; `token` is None for a user's own key."""

    access_key: str
    secret_key: str
    token: str | None

    def __repr__(self) -> str:
        """Without the secrets."""
        return f"Credentials({self.access_key!r})"


class RepeatSigner:
    """Signs POSTs to `endpoint` with those headers, and as a rule one of a few bodies, in any order."""

    def __init__(self, endpoint: str, region: str, headers: dict[str, str], credentials: Credentials) -> None:
        self._endpoint = endpoint
        self._headers = headers
        self._auth = SigV4Auth(ReadOnlyCredentials(*credentials), "sqs", region)
        self._second = 0
        self._signed: dict[bytes, list[str]] = {}  # by body, each dated to that second

    def headers(self, body: bytes) -> list[str]:
        """All headers of a call that leaves now, Host and Authorization included; the very list of before if it serves."""
        if self._second != int(time.time()):
            self._signed.clear()
        found = self._signed.get(body)
        return self._sign(body) if found is None else found

    def _sign(self, body: bytes) -> list[str]:
        request = AWSRequest("POST", self._endpoint, headers=self._headers, data=body)
        self._auth.add_auth(request)
        # botocore has its own look at the clock, which may have been a second later.
        second = timegm(time.strptime(request.headers["X-Amz-Date"], SIGV4_TIMESTAMP))
        if second != self._second:
            self._signed.clear()
            self._second = second
        # With Host as it was signed: libcurl may write it otherwise.
        signed = self._auth.headers_to_sign(request)
        self._signed[body] = [f"{name}: {value}" for name, value in signed.items()]
        return self._signed[body]
