"""AWS' signature, version 4, of calls to SQS: libcurl's own costs more than all else that it does for a call.

From one call to the next only the body and the second change. The rest is put together once, and the key once a day; a
call that is repeated within its second has the signature that it had before. A test holds it to botocore's signer.
"""

from __future__ import annotations

import hmac
import time
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import SplitResult, quote, urlsplit

CONTENT_TYPE = "application/x-amz-json-1.0"
_ALGORITHM = "AWS4-HMAC-SHA256"
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


class Credentials(NamedTuple):
    """AWS credentials as they are at one moment; `token` is None for a user's own key."""

    access_key: str
    secret_key: str
    token: str | None

    def __repr__(self) -> str:
        """Without the secrets."""
        return f"Credentials({self.access_key!r})"


class Signer:
    """Signs POSTs of `AmazonSQS.<action>` to `endpoint`, a URL without a query."""

    def __init__(self, endpoint: str, region: str, action: str, credentials: Credentials) -> None:
        parts = urlsplit(endpoint)
        self._region = region
        self._credentials = credentials
        early = {"Content-Type": CONTENT_TYPE, "Host": _host(parts)}
        late = {"X-Amz-Target": f"AmazonSQS.{action}"}
        if credentials.token:
            late = {"X-Amz-Security-Token": credentials.token, **late}
        self._headers = [f"{name}: {value}" for name, value in {**early, **late}.items()]
        # The canonical request, in which headers are in the order of their names, before its date and after it.
        self._names = ";".join([*early, "X-Amz-Date", *late]).lower()
        path = quote(parts.path or "/", safe="/~")
        self._before = "\n".join(["POST", path, "", *_canonical(early), "x-amz-date:"])
        self._after = "\n".join(["", *_canonical(late), "", self._names, ""])
        self._day = ""

    def headers(self, body: bytes, second: int) -> list[str]:
        """The headers of a call with that body, sent at that second since the epoch."""
        date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(second))
        if date[:8] != self._day:
            self._begin(date[:8])
        request = f"{self._before}{date}{self._after}{sha256(body).hexdigest()}"
        text = f"{_ALGORITHM}\n{date}\n{self._scope}\n{sha256(request.encode()).hexdigest()}"
        signature = hmac.digest(self._key, text.encode(), "sha256").hex()
        return [*self._headers, f"X-Amz-Date: {date}", self._authorization + signature]

    def _begin(self, day: str) -> None:
        key = f"AWS4{self._credentials.secret_key}".encode()
        for part in (day, self._region, "sqs", "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        self._day = day
        self._key = key
        self._scope = f"{day}/{self._region}/sqs/aws4_request"
        credential = f"Credential={self._credentials.access_key}/{self._scope}"
        self._authorization = (
            f"Authorization: {_ALGORITHM} {credential}, SignedHeaders={self._names}, Signature="
        )


def _canonical(headers: dict[str, str]) -> list[str]:
    return [f"{name.lower()}:{value}" for name, value in headers.items()]


def _host(parts: SplitResult) -> str:
    """As clients name it: without a port that the scheme implies."""
    return parts.netloc.removesuffix(_DEFAULT_PORTS.get(parts.scheme, ""))
