"""What a sink of this machine says of itself at /readyz."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Mapping
from urllib.error import HTTPError

HOST = "127.0.0.1"
ASK_SECONDS = 2.0

# No proxy between us and loopback, whatever the environment says.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def url(port: int) -> str:
    """The address of a sink's `/metrics`, `/healthz` and `/readyz`."""
    return f"http://{HOST}:{port}"


def waits_for(port: int | None) -> Mapping[str, str] | None:
    """What the sink on that port waits for, by dependency, and why; None where it does not answer."""
    if port is None:
        return None
    try:
        with _opener.open(f"{url(port)}/readyz", timeout=ASK_SECONDS) as answer:
            return _read(answer.read())
    except HTTPError as error:  # 503: not ready, with the same body
        return _read(error.read())
    except OSError:
        return None


def _read(body: bytes) -> Mapping[str, str] | None:
    try:
        found: Mapping[str, str] = json.loads(body)["waits_for"]
    except (KeyError, TypeError, ValueError):
        return None
    return found
