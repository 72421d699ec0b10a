"""An HTTP proxy between a sink and a real SQS-compatible server: rules by action say which calls go wrong, and how.

with AwsProxy(endpoint_url, admin) as proxy:
    proxy.on("DeleteMessageBatch", refuse("ThrottlingException"), times=3)
"""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials

from dev.emulator.state import EmulatorState
from sink_runtime.checks import NO_RECEIPT, UNSENDABLE
from tests.support.waiting import until

PROBE = "Probe:"  # before the action of a call that a starting sink makes to ask for its rights
_OWN_HEADERS = frozenset({"connection", "content-length", "date", "server", "transfer-encoding"})


@dataclass(frozen=True)
class Answer:
    """What the server said, or what is said in its place."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/x-amz-json-1.0"),)

    def document(self) -> dict[str, Any]:
        """The body as the JSON object that it is; empty where it is none."""
        try:
            return json.loads(self.body or b"{}")
        except ValueError:
            return {}

    def saying(self, document: dict[str, Any]) -> Answer:
        """The same answer with another body."""
        return Answer(self.status, json.dumps(document).encode(), self.headers)


@dataclass
class Call:
    """One call of the sink. `request` is its JSON body; `answer` is what the sink was told, None where nothing.

    `ended` is None while the call is under way; both times are of the monotonic clock.
    """

    action: str
    request: dict[str, Any]
    forward: Callable[..., Answer]
    answer: Answer | None = None
    began: float = field(default_factory=time.monotonic)
    ended: float | None = None

    def entries(self) -> list[dict[str, Any]]:
        return self.request.get("Entries", [])

    def receipts(self) -> set[str]:
        """The receipts that a batch call names."""
        return {entry["ReceiptHandle"] for entry in self.entries() if "ReceiptHandle" in entry}

    def messages(self) -> list[dict[str, Any]]:
        """The messages that a receive brought."""
        return (self.answer.document().get("Messages") or []) if self.answer else []


# What becomes of a call: an answer, or None where the connection is dropped without one.
Behaviour = Callable[[Call], Answer | None]


@dataclass(eq=False)
class Rule:
    """A behaviour for an action's next calls: `left` of them, or all where it is None."""

    action: str
    behaviour: Behaviour
    left: int | None
    used: int = 0

    def end(self) -> None:
        self.left = 0

    def await_used(self, times: int = 1, tell: Callable[[], str] = lambda: "") -> None:
        until(lambda: self.used >= times, lambda: f"{self.action} {self.used} of {times}\n{tell()}")


@dataclass
class Hold:
    """A behaviour: the call waits, before the server hears of it or `after` it did it, until it is released."""

    after: bool = False
    held: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    def __call__(self, call: Call) -> Answer | None:
        answer = call.forward() if self.after else None
        self.held.set()
        self.released.wait()
        return answer or call.forward()

    def await_held(self, tell: Callable[[], str] = lambda: "") -> None:
        until(self.held.is_set, tell)


class AwsProxy:
    """Passes every call on to one server, signatures and all. `calls` are those that came, in order."""

    def __init__(self, state: EmulatorState) -> None:
        self._state = state
        self._rules: list[Rule] = []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, self))
        self._server.daemon_threads = True
        self.calls: list[Call] = []
        self.endpoint_url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for rule in self._rules:
            if isinstance(rule.behaviour, Hold):
                rule.behaviour.released.set()
        self._server.shutdown()
        self._server.server_close()

    def on(self, action: str, behaviour: Behaviour, times: int | None = None) -> Rule:
        """Treat the action's next calls so; a later rule goes before an earlier one."""
        rule = Rule(action, behaviour, times)
        with self._lock:
            self._rules.insert(0, rule)
        return rule

    def in_turn(self, action: str, *behaviours: Behaviour) -> list[Rule]:
        """Treat the action's next calls so, one after the other."""
        return [self.on(action, behaviour, times=1) for behaviour in reversed(behaviours)][::-1]

    def hold(self, action: str, *, after: bool = False) -> Hold:
        """Stop the action's next call, before or `after` the server did it."""
        hold = Hold(after)
        self.on(action, hold, times=1)
        return hold

    def of(self, action: str) -> list[Call]:
        """The calls of one action so far."""
        return [call for call in list(self.calls) if call.action == action]

    def received(self) -> list[str]:
        """The MessageIds that the sink was given, in order, each as often as it was."""
        return [message["MessageId"] for call in self.of("ReceiveMessage") for message in call.messages()]

    def extended(self) -> Counter[str]:
        """How often the sink asked to keep a message hidden, by receipt."""
        entries = (one for call in self.of("ChangeMessageVisibilityBatch") for one in call.entries())
        return Counter(one["ReceiptHandle"] for one in entries if int(one["VisibilityTimeout"]) > 0)

    def handle(self, method: str, path: str, headers: list[tuple[str, str]], body: bytes) -> Answer | None:
        action, request = _read(method, headers, body)
        call = Call(action, request, partial(self._forward, method, path, headers, body))
        with self._lock:
            self.calls.append(call)
            rule = next((one for one in self._rules if one.action == action and one.left != 0), None)
            if rule is not None and rule.left is not None:
                rule.left -= 1
        if rule is None:
            call.answer = call.forward()
        else:
            call.answer = rule.behaviour(call)
            rule.used += 1
        call.ended = time.monotonic()
        return call.answer

    def _forward(
        self,
        method: str,
        path: str,
        headers: list[tuple[str, str]],
        body: bytes,
        request: dict[str, Any] | None = None,
    ) -> Answer:
        """The server's answer; a `request` in place of the call's own is signed by the administrator."""
        if request is not None:
            headers, body = self._signed(path, headers, request)
        address = urlsplit(self._state.endpoint_url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port)
        with contextlib.closing(connection):
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in headers:
                connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            kept = [one for one in answer.getheaders() if one[0].lower() not in _OWN_HEADERS]
            return Answer(answer.status, answer.read(), tuple(kept))

    def _signed(
        self, path: str, headers: list[tuple[str, str]], request: dict[str, Any]
    ) -> tuple[list[tuple[str, str]], bytes]:
        body = json.dumps(request).encode()
        kept = {name: value for name, value in headers if name.lower() in {"content-type", "x-amz-target"}}
        signed = AWSRequest("POST", self._state.endpoint_url + path, data=body, headers=kept)
        admin = self._state.admin
        credentials = BotoCredentials(admin.access_key_id, admin.secret_access_key)
        SigV4Auth(credentials, "sqs", self._state.region).add_auth(signed)
        host = urlsplit(self._state.endpoint_url).netloc
        return [*signed.headers.items(), ("Host", host), ("Content-Length", str(len(body)))], body


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, proxy: AwsProxy, *arguments: Any) -> None:
        self._proxy = proxy
        super().__init__(*arguments)

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with contextlib.suppress(OSError, http.client.HTTPException):
            answer = self._proxy.handle(self.command, self.path, self.headers.items(), body)
            if answer is not None:
                self.send_response(answer.status)
                for name, value in answer.headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)
                return
        self.close_connection = True

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _serve  # noqa: N815 - the names of http.server


def _read(method: str, headers: list[tuple[str, str]], body: bytes) -> tuple[str, dict[str, Any]]:
    """The action's name and its JSON body; the HTTP method where a protocol names no action."""
    named = {name.lower(): value for name, value in headers}
    target = named.get("x-amz-target")
    if target:
        action, request = target.rpartition(".")[2], json.loads(body or b"{}")
        return f"{PROBE}{action}" if _is_probe(request) else action, request
    if "urlencoded" in named.get("content-type", ""):
        return parse_qs(body.decode()).get("Action", [method])[0], {}
    return method, {}


def _is_probe(request: dict[str, Any]) -> bool:
    """Whether a starting sink asks for its rights with it: rules are for the calls that do something."""
    return any(
        one.get("ReceiptHandle") == NO_RECEIPT or one.get("MessageBody") == UNSENDABLE
        for one in request.get("Entries") or ()
    )
