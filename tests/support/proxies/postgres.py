"""A TCP proxy before a real Postgres: it reads the protocol as far as it must to break a connection at a chosen place.

with PostgresProxy(host, port) as proxy: connect to 127.0.0.1:proxy.port
"""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Self

HOST = "127.0.0.1"
LONGEST_SECONDS = 60.0  # only a test that fails waits so long
_CHUNK = 1 << 16
_BARE_REQUESTS = (80877103, 80877104)  # SSLRequest, GSSENCRequest: answered by one byte
_COMMIT = re.compile(rb"\bCOMMIT\b", re.IGNORECASE)
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER with no time: close by RST, as a machine that vanished is seen


class Place(Enum):
    """Where a trap springs; what stands there is not passed on."""

    FIRST_QUERY = auto()  # the first statement after the login
    BEFORE_COMMIT = auto()  # the client has sent COMMIT, the server has not seen it
    AFTER_COMMIT = auto()  # the server has committed, the client has not been told


@dataclass
class Trap:
    """Springs at a place, `left` times. It cuts the connection, at once or, where it holds, when it is released."""

    place: Place
    left: int
    holds: bool
    _sprung: threading.Event = field(default_factory=threading.Event)
    _released: threading.Event = field(default_factory=threading.Event)

    def await_sprung(self) -> None:
        """Wait for a connection to come to the place."""
        assert self._sprung.wait(LONGEST_SECONDS), f"no connection came to {self.place}"

    def release(self) -> None:
        self._released.set()

    def spring(self) -> None:
        self._sprung.set()
        if self.holds:
            self._released.wait(LONGEST_SECONDS)


@dataclass(eq=False)
class Link:
    """One client's connection and its counterpart to the server."""

    client: socket.socket
    server: socket.socket
    bare_answers: int = 0
    logged_in: bool = False
    asked: bool = False
    commits: set[bytes] = field(default_factory=set)  # names of prepared statements that are a COMMIT
    stranded: threading.Event = field(default_factory=threading.Event)

    def cut(self) -> None:
        for end in (self.client, self.server):
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                end.shutdown(socket.SHUT_RDWR)
            end.close()


class PostgresProxy:
    """Passes connections on to one server. `statements` are the SQL texts that clients sent, in order."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener: socket.socket | None = None
        self._links: set[Link] = set()
        self._traps: list[Trap] = []
        self._lock = threading.Lock()
        self._flowing = threading.Event()
        self._flowing.set()
        self.port = 0
        self.statements: list[str] = []
        self.connections = 0

    def __enter__(self) -> Self:
        self.accept()
        return self

    def __exit__(self, *_: object) -> None:
        for trap in self._traps:
            trap.release()
        self._flowing.set()
        self.refuse()

    # --- faults -----------------------------------------------------------------------------------------------------

    def cut(self) -> None:
        """Break every connection."""
        with self._lock:
            links, self._links = self._links, set()
        for link in links:
            link.cut()

    def refuse(self) -> None:
        """Break every connection and refuse new ones, as a server does that is down."""
        if self._listener is not None:
            # close() alone would leave the thread in accept() with a socket that still takes connections.
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        self.cut()

    def accept(self) -> None:
        """Take connections again, on the same port."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, self.port))
        listener.listen(64)
        self.port = listener.getsockname()[1]
        self._listener = listener
        threading.Thread(target=self._serve, args=(listener,), daemon=True).start()

    def stall(self) -> None:
        """Keep every connection open and pass nothing on, in either direction, until `flow`."""
        self._flowing.clear()

    def flow(self) -> None:
        self._flowing.set()

    def strand(self) -> None:
        """Keep the connections that there are open for good and pass nothing more on; new ones work."""
        with self._lock:
            for link in self._links:
                link.stranded.set()

    def cut_at(self, place: Place, times: int = 1) -> Trap:
        """Break the next connections that come to a place."""
        return self._set(Trap(place, times, holds=False))

    def hold_at(self, place: Place) -> Trap:
        """Stop the next connection that comes to a place; it is broken when the trap is released."""
        return self._set(Trap(place, 1, holds=True))

    def _set(self, trap: Trap) -> Trap:
        with self._lock:
            self._traps.append(trap)
        return trap

    # --- traffic ----------------------------------------------------------------------------------------------------

    def _serve(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._target)
            except OSError:
                client.close()
                continue
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            link = Link(client, server)
            with self._lock:
                self._links.add(link)
                self.connections += 1
            for passes in (self._to_server, self._to_client):
                threading.Thread(target=self._run, args=(passes, link), daemon=True).start()

    def _run(self, passes: object, link: Link) -> None:
        with contextlib.suppress(OSError, ValueError):
            passes(link)  # type: ignore[operator]
        with self._lock:
            self._links.discard(link)
        link.cut()

    def _to_server(self, link: Link) -> None:
        buffer, started = b"", False
        while data := link.client.recv(_CHUNK):
            buffer += data
            if not started:
                started, opening, buffer = _opening(link, buffer)
                self._pass(link, link.server, opening)
            passed = b""
            for frame, rest in _frames(buffer) if started else ():
                buffer = rest
                if self._springs(link, self._place_of(link, frame), passed, link.server):
                    return
                passed += frame
                self._note(link, frame)
                if self._springs(link, None, passed, link.server):
                    return
            self._pass(link, link.server, passed)

    def _to_client(self, link: Link) -> None:
        buffer = b""
        while data := link.server.recv(_CHUNK):
            if link.bare_answers and not buffer:
                link.bare_answers -= 1
                self._pass(link, link.client, data)
                continue
            buffer += data
            passed = b""
            for frame, rest in _frames(buffer):
                buffer = rest
                link.logged_in = link.logged_in or frame[:1] == b"Z"
                committed = frame[:1] == b"C" and frame[5:] == b"COMMIT\0"
                if self._springs(link, Place.AFTER_COMMIT if committed else None, passed, link.client):
                    return
                passed += frame
            self._pass(link, link.client, passed)

    def _pass(self, link: Link, target: socket.socket, data: bytes) -> None:
        self._flowing.wait(LONGEST_SECONDS)
        if data and not link.stranded.is_set():
            target.sendall(data)

    def _place_of(self, link: Link, frame: bytes) -> Place | None:
        kind = frame[:1]
        if _is_commit(link, frame):
            return Place.BEFORE_COMMIT
        if kind in b"QP" and link.logged_in and not link.asked:
            return Place.FIRST_QUERY
        return None

    def _note(self, link: Link, frame: bytes) -> None:
        """Remember what was said: SQL texts, and which prepared statements are a COMMIT."""
        kind = frame[:1]
        if kind == b"Q":
            self.statements.append(frame[5:].rstrip(b"\0").decode())
        elif kind == b"P":
            name, text, _ = frame[5:].split(b"\0", 2)
            self.statements.append(text.decode())
            (link.commits.add if _COMMIT.search(text) else link.commits.discard)(name)
        link.asked = link.asked or (kind in b"QP" and link.logged_in)

    def _springs(self, link: Link, place: Place | None, passed: bytes, target: socket.socket) -> bool:
        """Whether a trap sprang: then what came before its place was passed on, and the link is to be cut."""
        if place is None:
            return False
        with self._lock:
            trap = next((one for one in self._traps if one.place is place and one.left), None)
            if trap is None:
                return False
            trap.left -= 1
        self._pass(link, target, passed)
        trap.spring()
        return True


def _opening(link: Link, buffer: bytes) -> tuple[bool, bytes, bytes]:
    """Whether the startup message is complete, the bytes up to its end, and what follows."""
    done = 0
    while len(buffer) - done >= 8:
        length, code = struct.unpack_from("!II", buffer, done)
        if len(buffer) - done < length:
            break
        done += length
        if code not in _BARE_REQUESTS:
            return True, buffer[:done], buffer[done:]
        link.bare_answers += 1
    return False, buffer[:done], buffer[done:]


def _frames(buffer: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Each complete message with what follows it."""
    done = 0
    while len(buffer) - done >= 5:
        end = done + 1 + struct.unpack_from("!I", buffer, done + 1)[0]
        if len(buffer) < end:
            return
        yield buffer[done:end], buffer[end:]
        done = end


def _is_commit(link: Link, frame: bytes) -> bool:
    """A simple COMMIT, or the binding of a statement that was prepared as one."""
    if frame[:1] == b"Q":
        return _COMMIT.search(frame) is not None
    if frame[:1] == b"B":
        _, name, _ = frame[5:].split(b"\0", 2)
        return name in link.commits
    return False
