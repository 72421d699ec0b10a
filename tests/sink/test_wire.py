"""The calls to SQS: signed as botocore signs, failures read, bytes counted."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pycurl
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials

from sink_runtime.aws import ca_file
from sink_runtime.sqs.calls import SqsQueue, SqsReceives, endpoint_of
from sink_runtime.sqs.queue import MAX_MESSAGE_BYTES, Outgoing
from sink_runtime.sqs.signer import Credentials, RepeatSigner
from sink_runtime.sqs.wire import QueueFault, Wire
from tests.sink.messages import Message
from tests.support.waiting import until

URL = "http://127.0.0.1:9/123456789012/buffer"


@dataclass
class Server:
    """Answers every call with the next of `answers` (status, body), and keeps what it was asked."""

    address: str = ""
    answers: list[tuple[int, bytes]] = field(default_factory=list)
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.requests]


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told = {name.lower(): ", ".join(self.headers.get_all(name, [])) for name in self.headers}
            found.requests.append((told, body))
            status, answer = found.answers.pop(0) if found.answers else (200, b"{}")
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        found.address = f"http://127.0.0.1:{http.server_address[1]}/"
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield found
        http.shutdown()


@dataclass
class Clock:
    """Stands still at `now` for the sink, and at `botocore` for botocore, which looked at it so often to sign."""

    now: float = 0.0
    botocore: float = 0.0
    signatures: int = 0

    def set(self, now: float, botocore: float | None = None) -> None:
        self.now = now
        self.botocore = now if botocore is None else botocore

    def look(self) -> datetime:
        self.signatures += 1
        return datetime.fromtimestamp(self.botocore, UTC)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    found.set(1_714_607_999.0)  # the last second of 1 May 2024
    monkeypatch.setattr("sink_runtime.sqs.signer.time.time", lambda: found.now)
    monkeypatch.setattr("botocore.auth.get_current_datetime", found.look)
    return found


def identity(token: str | None = None) -> Credentials:
    return Credentials("AKIDEXAMPLE", "wJalr:XUtnFEMI/K7MDENG+bPxRfiCY", token)


def wire(server: Server, token: str | None = None) -> Wire:
    credentials = identity(token)
    return Wire(server.address, "eu-central-1", lambda: credentials, ca_file(), "buffer")


def expected_authorization(
    endpoint: str, headers: dict[str, str], body: bytes, credentials: Credentials
) -> str:
    """What botocore finds for a request as it arrived, with those headers, named in lower case."""
    request = AWSRequest("POST", endpoint, data=body)
    for name in ("Host", "Content-Type", "X-Amz-Date", "X-Amz-Target"):
        request.headers[name] = headers[name.lower()]
    if credentials.token:
        request.headers["X-Amz-Security-Token"] = credentials.token
    request.context["timestamp"] = headers["x-amz-date"]
    signer = SigV4Auth(
        BotocoreCredentials(credentials.access_key, credentials.secret_key), "sqs", "eu-central-1"
    )
    names = signer.signed_headers(signer.headers_to_sign(request))
    text = signer.string_to_sign(request, signer.canonical_request(request))
    return (
        f"AWS4-HMAC-SHA256 Credential={signer.scope(request)}, SignedHeaders={names}, "
        f"Signature={signer.signature(text, request)}"
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "LocalHost"])
@pytest.mark.parametrize("token", [None, "a/session+token=="])
def test_whoever_signs_a_call_signs_it_as_botocore_does(server: Server, token: str | None, host: str) -> None:
    server.address = server.address.replace("127.0.0.1", host)
    queue = SqsQueue(URL, wire(server, token))
    for text in ("söme böry", "another"):
        queue.receive(0)
        queue.receive(0)
        queue.delete([Message().received()])
        queue.send([Outgoing(text, {"reason": "not_json"})])
        queue.receive(1)
    asked = [headers["x-amz-target"].removeprefix("AmazonSQS.") for headers, _ in server.requests]
    receive = "ReceiveMessage"
    assert asked == [receive, receive, "DeleteMessageBatch", "SendMessageBatch", receive] * 2
    for headers, body in server.requests:
        expected = expected_authorization(server.address, headers, body, identity(token))
        assert headers["authorization"] == expected
        assert headers.get("x-amz-security-token") == token


@pytest.mark.parametrize("action", ["ReceiveMessage", "DeleteMessageBatch"])
def test_new_credentials_sign_the_next_call(server: Server, clock: Clock, action: str) -> None:
    given = [Credentials("AKIDOLD", "old", None), Credentials("ASIANEW", "new", "token")]
    current = iter(given)
    made = Wire(server.address, "eu-central-1", lambda: next(current), ca_file(), "buffer")
    for _ in given:
        made.call(action, {})
    for (headers, body), own in zip(server.requests, given, strict=True):
        assert headers["authorization"] == expected_authorization(server.address, headers, body, own)


def test_the_same_receive_is_signed_once_a_second(server: Server, clock: Clock) -> None:
    queue = SqsQueue(URL, wire(server))
    for now, wait_seconds, signatures in (
        (1_714_607_999.0, 0, 1),
        (1_714_607_999.9, 0, 1),
        (1_714_607_999.9, 1, 2),  # another body
        (1_714_608_000.0, 1, 3),  # the next second, and day
        (1_714_608_000.9, 1, 3),
        (1_714_608_000.9, 0, 4),  # the one before is kept beside it
        (1_714_608_000.9, 1, 4),
        (1_714_607_999.9, 1, 5),  # the clock was set back
    ):
        clock.set(now)
        queue.receive(wait_seconds)
        assert clock.signatures == signatures
        headers, body = server.requests[-1]
        assert headers["x-amz-date"] == f"{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%SZ}"
        assert headers["authorization"] == expected_authorization(server.address, headers, body, identity())


def test_the_second_of_a_signature_is_the_one_in_it(clock: Clock) -> None:
    signer = RepeatSigner("http://127.0.0.1:9/", "eu-central-1", {}, identity())
    clock.set(1_714_607_999.9, botocore=1_714_608_000.0)
    early = signer.headers(b"{}")
    clock.set(1_714_608_000.1)
    assert signer.headers(b"{}") is early
    assert clock.signatures == 1
    assert "x-amz-date: 20240502T000000Z" in early


def test_deletes_are_left_to_libcurl_to_sign(server: Server, clock: Clock) -> None:
    queue = SqsQueue(URL, wire(server))
    queue.delete([Message().received()])
    queue.hide([Message().received()], 5)
    assert clock.signatures == 0


def test_one_connection_serves_many_calls_and_bytes_are_counted(server: Server) -> None:
    made = wire(server)
    server.answers = [(200, '{"Messages": [], "a": "ä😀"}'.encode())]
    for _ in range(3):
        made.call("ReceiveMessage", {})
    assert made.received_bytes == len('{"Messages": [], "a": "ä😀"}'.encode()) + 2 * 2
    assert all("expect" not in headers for headers, _ in server.requests)


def _answer(*sizes: int) -> bytes:
    """The answer to a receive: messages with bodies of those sizes."""
    system = {"SentTimestamp": "1714564800123", "SenderId": "AROA:x", "ApproximateReceiveCount": "1"}
    return json.dumps(
        {
            "Messages": [
                {"MessageId": "m", "ReceiptHandle": "r", "Body": "x" * size, "Attributes": system}
                for size in sizes
            ]
        }
    ).encode()


class Narrow:
    """Room for so many bytes, until it may be widened."""

    def __init__(self, size: int) -> None:
        self.bytes = size
        self.may = False
        self.asked = 0

    def widen(self) -> bool:
        self.asked += 1
        return self.may


def test_an_answer_that_is_larger_than_its_room_waits_for_more(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sink_runtime.sqs.wire.ANSWER_SECONDS", 1)
    receives = SqsReceives[Narrow](server.address, [wire(server)])
    server.answers = [(200, _answer(*[900_000] * 10)), (200, b"{}")]
    room = Narrow(1_000_000)
    receives.start(0, room)
    assert receives.finished(1.5) == [], "the rest stays where it is, longer than an answer may take"
    room.may = True
    [(found, answer)] = receives.finished(5)
    assert found is room
    assert not isinstance(answer, QueueFault)
    assert [len(one.body) for one in answer] == [900_000] * 10
    receives.start(0, Narrow(1_000))
    [(_, answer)] = receives.finished(5)
    assert answer == [], "the connection serves the next call"


def test_an_answer_that_waits_is_asked_for_while_others_are_answered(server: Server) -> None:
    receives = SqsReceives[Narrow](server.address, [wire(server), wire(server)])
    server.answers = [(200, _answer(900_000))]
    large = Narrow(1_000)
    receives.start(0, large)
    assert receives.finished(0.2) == []
    before = large.asked
    for _ in range(5):
        server.answers = [(200, _answer(10))]
        receives.start(0, Narrow(1_000))
        [(other, _)] = receives.finished(5)
        assert other is not large
    assert large.asked >= before + 5


def test_a_wait_for_room_that_begins_beside_another_answer_has_no_timeout(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sink_runtime.sqs.wire.ANSWER_SECONDS", 1)
    receives = SqsReceives[Narrow](server.address, [wire(server), wire(server)])
    server.answers = [(200, _answer(900_000)), (200, _answer(900_000))]
    large, other = Narrow(1_000), Narrow(1_000)
    receives.start(0, large)
    receives.start(0, other)
    other.may = True
    until(lambda: bool(receives.finished(0)) and large.asked > 0)
    time.sleep(1.5)  # longer than an answer may take, and nobody has asked for anything meanwhile
    receives.send()
    assert receives.finished(0.2) == []
    large.may = True
    [(found, answer)] = receives.finished(5)
    assert found is large
    assert not isinstance(answer, QueueFault)


def test_nothing_of_an_answer_stays_with_an_idle_connection(server: Server) -> None:
    made = wire(server)
    server.answers = [(200, _answer(900_000))]
    made.call("ReceiveMessage", {})
    assert made._buffer.getbuffer().nbytes == 0


def test_after_a_wait_for_room_the_next_call_has_its_timeout_again(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sink_runtime.sqs.wire.ANSWER_SECONDS", 1)
    receives = SqsReceives[Narrow](server.address, [wire(server)])
    server.answers = [(200, _answer(900_000))]
    room = Narrow(1_000)
    receives.start(0, room)
    assert receives.finished(0.2) == []
    room.may = True
    assert len(receives.finished(5)) == 1
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        receives._lanes._idle[0].curl.setopt(pycurl.URL, address)
        receives.start(0, Narrow(1_000))
        [(_, answer)] = receives.finished(10)
    assert isinstance(answer, QueueFault)
    assert answer.code == f"curl-{pycurl.E_OPERATION_TIMEDOUT}"


@pytest.mark.parametrize(
    ("status", "body", "code", "alarm"),
    [
        (403, b'{"__type": "com.amazon.coral.service#AccessDeniedException"}', "AccessDeniedException", True),
        (400, b'{"__type": "com.amazonaws.sqs#OverLimit"}', "OverLimit", False),
        (400, b'{"__type": "com.amazonaws.sqs#QueueDoesNotExist"}', "QueueDoesNotExist", True),
        (
            400,
            b'{"__type": "com.amazon.coral.availability#ThrottlingException"}',
            "ThrottlingException",
            False,
        ),
        (503, b"<html>", "UnreadableAnswer", False),
        (200, b"<html>", "UnreadableAnswer", True),
        (500, b"", "UnreadableAnswer", False),
    ],
)
def test_failures_are_told_apart(server: Server, status: int, body: bytes, code: str, *, alarm: bool) -> None:
    server.answers = [(status, body)]
    with pytest.raises(QueueFault) as raised:
        wire(server).call("ReceiveMessage", {})
    fault = raised.value
    assert (fault.dependency, fault.code, fault.alarm) == ("buffer", code, alarm)
    assert fault.is_denial == (status == 403)


def test_nobody_there_is_a_fault_and_no_alarm() -> None:
    with pytest.raises(QueueFault) as raised:
        wire(Server("http://127.0.0.1:9/")).call("ReceiveMessage", {})
    assert (raised.value.code, raised.value.alarm) == ("curl-7", False)


def test_messages_are_read_with_what_they_carry(server: Server) -> None:
    message = {
        "MessageId": "m",
        "ReceiptHandle": "r",
        "Body": "ä",
        "Attributes": {
            "SentTimestamp": "1714564800123",
            "SenderId": "AROA:x",
            "ApproximateReceiveCount": "4",
        },
        "MessageAttributes": {"sluice": {"StringValue": '{"replays": 2}', "DataType": "String"}},
    }
    server.answers = [
        (200, json.dumps({"Messages": [message, message | {"MessageAttributes": {}}]}).encode())
    ]
    found = SqsQueue(URL, wire(server)).receive(5)
    assert [(one.body, one.sender, one.receives, one.replays) for one in found] == [
        ("ä".encode(), "AROA:x", 4, 2),
        ("ä".encode(), "AROA:x", 4, 0),
    ]
    assert found[0].sent_text == "2024-05-01T12:00:00.123Z"
    [asked] = server.bodies()
    assert (asked["MaxNumberOfMessages"], asked["WaitTimeSeconds"]) == (10, 5)


def test_half_a_surrogate_pair_does_not_hide_its_neighbours(server: Server) -> None:
    attributes = '"Attributes": {"SentTimestamp": "1", "SenderId": "x", "ApproximateReceiveCount": "1"}'
    messages = ",".join(
        f'{{"MessageId": "m", "ReceiptHandle": "r", "Body": "{body}", {attributes}}}'
        for body in ("\\ud800", "{}")
    )
    server.answers = [(200, f'{{"Messages": [{messages}]}}'.encode())]
    found = SqsQueue(URL, wire(server)).receive(0)
    assert [one.body for one in found] == [b"\xed\xa0\x80", b"{}"]


def answered(done: Iterable[int], *failed: Any) -> bytes:
    """SQS' answer to a batch call."""
    return json.dumps({"Successful": [{"Id": str(one)} for one in done], "Failed": failed}).encode()


@pytest.mark.parametrize("answer", [b"", b"{}", answered([0])])
def test_what_an_answer_says_nothing_of_is_not_done(server: Server, answer: bytes) -> None:
    """As from a proxy in SQS' place: a letter that nobody took must not have its message deleted."""
    server.answers = [(200, answer)]
    failures = SqsQueue(URL, wire(server)).send([Outgoing("a", {}), Outgoing("b", {})])
    assert [(one.index, one.code, one.permanent) for one in failures][-1] == (1, "NotAnswered", False)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"replays": "many"}', "{}", "5"])
def test_an_attribute_of_anybody_s_stops_nothing(server: Server, text: str) -> None:
    message = {
        "MessageId": "m",
        "ReceiptHandle": "r",
        "Body": "{}",
        "Attributes": {"SentTimestamp": "1", "SenderId": "x", "ApproximateReceiveCount": "1"},
        "MessageAttributes": {"sluice": {"StringValue": text}},
    }
    server.answers = [(200, json.dumps({"Messages": [message]}).encode())]
    [found] = SqsQueue(URL, wire(server)).receive(0)
    assert found.replays == 0


def test_calls_hold_ten_entries_with_distinct_ids_and_failures_are_indexed(server: Server) -> None:
    messages = [Message(message_id=str(number)).received() for number in range(23)]
    failed = {"Id": "12", "Code": "ReceiptHandleIsInvalid", "SenderFault": True}
    busy = {"Id": "20", "Code": "InternalError", "SenderFault": False}
    server.answers = [
        (200, answered(range(10))),
        (200, answered([10, 11, *range(13, 20)], failed)),
        (200, answered([21, 22], busy)),
    ]
    failures = SqsQueue(URL, wire(server)).delete(messages)
    assert [(one.index, one.permanent) for one in failures] == [(12, True), (20, False)]
    assert [len(body["Entries"]) for body in server.bodies()] == [10, 10, 3]
    for body in server.bodies():
        ids = [entry["Id"] for entry in body["Entries"]]
        assert len(set(ids)) == len(ids)
    handles = [entry["ReceiptHandle"] for body in server.bodies() for entry in body["Entries"]]
    assert handles == [message.receipt for message in messages]


def test_a_call_holds_no_more_than_one_mebibyte(server: Server) -> None:
    letters = [Outgoing("x" * 400_000, {"reason": "not_json"}) for _ in range(5)]
    SqsQueue(URL, wire(server)).send(letters)
    assert [len(body["Entries"]) for body in server.bodies()] == [2, 2, 1]
    assert sum(letter.size for letter in letters[:2]) <= MAX_MESSAGE_BYTES


def test_the_size_of_a_letter_counts_its_attributes_in_bytes() -> None:
    assert Outgoing("ä", {"reason": "ö"}).size == 2 + len("reason") + len("String") + 2


def test_hide_says_for_how_long(server: Server) -> None:
    SqsQueue(URL, wire(server)).hide([Message().received()], 0)
    assert server.bodies()[0]["Entries"][0]["VisibilityTimeout"] == 0


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("https://sqs.eu-central-1.amazonaws.com/123456789012/q", "https://sqs.eu-central-1.amazonaws.com/"),
        (
            "https://vpce-1.sqs.cn-north-1.vpce.amazonaws.com.cn/1/q",
            "https://vpce-1.sqs.cn-north-1.vpce.amazonaws.com.cn/",
        ),
    ],
)
def test_the_endpoint_is_the_queue_s_own(url: str, endpoint: str) -> None:
    assert endpoint_of(url) == endpoint
