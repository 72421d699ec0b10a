"""The signature of a call to SQS that is made again and again: botocore's, once a second.

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
    """Signs POSTs to `endpoint` with those headers and, as a rule, the body of the one before."""

    def __init__(self, endpoint: str, region: str, headers: dict[str, str], credentials: Credentials) -> None:
        self._endpoint = endpoint
        self._headers = headers
        self._auth = SigV4Auth(ReadOnlyCredentials(*credentials), "sqs", region)
        self._signed: list[str] = []
        self._signed_for: tuple[bytes, int] | None = None

    def headers(self, body: bytes) -> list[str]:
        """All headers of a call that leaves now, Host and Authorization included; the very list of before if it serves."""
        if self._signed_for != (body, int(time.time())):
            request = AWSRequest("POST", self._endpoint, headers=self._headers, data=body)
            self._auth.add_auth(request)
            # botocore has its own look at the clock, which may have been a second later.
            second = timegm(time.strptime(request.headers["X-Amz-Date"], SIGV4_TIMESTAMP))
            # With Host as it was signed: libcurl may write it otherwise.
            signed = self._auth.headers_to_sign(request)
            self._signed = [f"{name}: {value}" for name, value in signed.items()]
            self._signed_for = (body, second)
        return self._signed
