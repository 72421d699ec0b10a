"""A container's health check: `python -m sink_runtime.healthcheck` ends with 0 where the sink beside it says it is healthy."""

from __future__ import annotations

import os
import sys
import urllib.request
from urllib.error import HTTPError

from sink_runtime.settings import DEFAULT_HTTP_HOST, DEFAULT_HTTP_PORT, HTTP_HOST, HTTP_PORT

SECONDS = 5
_ANY = "0.0.0.0"  # noqa: S104 - compared with, not listened on


def main() -> int:
    """Ask once; 1 where the answer is no, or none. What the sink complains of goes to stdout."""
    host = os.environ.get(HTTP_HOST) or DEFAULT_HTTP_HOST
    port = os.environ.get(HTTP_PORT) or DEFAULT_HTTP_PORT
    url = f"http://{DEFAULT_HTTP_HOST if host == _ANY else host}:{port}/healthz"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=SECONDS) as answer:
            sys.stdout.write(answer.read().decode())
    except HTTPError as error:
        sys.stdout.write(error.read().decode())
        return 1
    except OSError as error:
        sys.stdout.write(f"{url}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
