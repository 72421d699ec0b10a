"""The sink's window: `/metrics`, `/healthz` and `/readyz` over HTTP, from threads of their own.

It opens before the plan is read, so that a sink that waits for its plan already says so.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server
from wsgiref.types import StartResponse, WSGIEnvironment

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

from sink_runtime.app import Sink
from sink_runtime.patience import Patience
from sink_runtime.pipeline.shared import Shared
from sink_runtime.settings import HTTP_PORT, SettingsError
from sink_runtime.watch import health
from sink_runtime.watch.gauges import Gauges

CLIENT_SECONDS = 10  # for a client to say what it wants
_STATUS = {200: "200 OK", 404: "404 Not Found", 503: "503 Service Unavailable"}


class Watch:
    """Answers for one process. `starting` is who waits before there is a sink."""

    def __init__(self, starting: Patience) -> None:
        self.starting = starting
        self._sink: Sink | None = None
        self._shared: Shared | None = None
        self._metrics = make_wsgi_app(CollectorRegistry())
        self._server: Any = None

    def listen(self, host: str, port: int) -> int:
        """Serve; the port, which is the system's choice where 0 was asked for. Raises SettingsError."""
        try:
            self._server = make_server(host, port, self.answer, ThreadingWSGIServer, _Silent)
        except OSError as error:
            raise SettingsError(f"{HTTP_PORT}: cannot listen on {host}:{port}: {error.strerror}") from error
        threading.Thread(target=self._server.serve_forever, name="http", daemon=True).start()
        return int(self._server.server_port)

    def close(self) -> None:
        """Serve no longer."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def show(self, sink: Sink, shared: Shared, version: str) -> None:
        """From now on, answer for this sink, whose threads are about to start."""
        shared.metrics.registry.register(Gauges(shared, sink.workers, shared.plan_sha256, version))
        self._metrics = make_wsgi_app(shared.metrics.registry)
        self._sink, self._shared = sink, shared

    def answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """The WSGI application."""
        match environ.get("PATH_INFO"):
            case "/metrics":
                answer: Iterable[bytes] = self._metrics(environ, start_response)
                return answer
            case "/healthz":
                return _json(start_response, *self._health())
            case "/readyz":
                found = self._readiness()
                return _json(start_response, 200 if found.is_ready else 503, found.to_json())
            case _:
                return _json(start_response, 404, {"paths": ["/metrics", "/healthz", "/readyz"]})

    def _health(self) -> tuple[int, dict[str, object]]:
        complaints = (
            health.complaints(self._sink.workers, self._shared) if self._sink and self._shared else []
        )
        return (503 if complaints else 200), {"healthy": not complaints, "complaints": complaints}

    def _readiness(self) -> health.Readiness:
        if self._shared is None:
            waits = health.waits_for(list(self.starting.waiting.values()))
            return health.Readiness(is_ready=False, state="starting", waits_for=waits)
        return health.readiness(self._shared)


def _json(start_response: StartResponse, status: int, body: dict[str, Any]) -> list[bytes]:
    text = json.dumps(body).encode() + b"\n"
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(text)))]
    start_response(_STATUS[status], headers)
    return [text]


class _Silent(WSGIRequestHandler):
    """Without a line for each request, and without patience for a client that says nothing."""

    timeout = CLIENT_SECONDS

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class'
        """Say nothing."""
