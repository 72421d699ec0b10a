"""A stand-in for RDS with IAM authentication: TLS, the token asked for in the clear, checked, then a real Postgres.

The token's signature is computed anew by botocore from the known secret key. Behind it stands a session of the real
server that the administrator opened and gave to the role.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import socket
import ssl
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from psycopg import sql

from tests.support import tls
from tests.support.tls import HOST, certificate, copy, read

REGION = "eu-central-1"
LONGEST_SECONDS = 900
_STATUS = (
    "server_version",
    "server_encoding",
    "client_encoding",
    "integer_datetimes",
    "standard_conforming_strings",
)


@dataclass
class Rds:
    """What a test knows of it: its port, its certificate's file, its key, and the tokens that it was shown."""

    port: int
    ca: Path
    credentials: Credentials
    tokens: list[str] = field(default_factory=list)
    refuse: int = 0  # how many good tokens are refused first


@contextlib.contextmanager
def running(server: Mapping[str, Any], folder: Path, credentials: Credentials) -> Iterator[Rds]:
    """Listen on a free port; `server` are the administrator's connection parameters."""
    ca = certificate(folder)
    rds = Rds(0, ca, credentials)
    with tls.listening(ca, lambda client: _serve(client, server, rds)) as rds.port:
        yield rds


def _serve(client: ssl.SSLSocket, server: Mapping[str, Any], rds: Rds) -> None:
    (length,) = struct.unpack("!I", read(client, 4))
    words = read(client, length - 4)[4:].split(b"\0")
    startup = dict(zip(words[::2], words[1::2], strict=False))
    client.sendall(b"R" + struct.pack("!II", 8, 3))  # the password, in the clear
    kind, length = struct.unpack("!cI", read(client, 5))
    assert kind == b"p"
    token = read(client, length - 4).rstrip(b"\0").decode()
    rds.tokens.append(token)
    user = startup[b"user"].decode()
    if not is_good(token, user, rds) or rds.refuse > 0:
        rds.refuse -= 1
        text = f'SFATAL\0C28000\0MPAM authentication failed for user "{user}"\0\0'.encode()
        client.sendall(b"E" + struct.pack("!I", len(text) + 4) + text)
        return
    _relay(client, server, user, startup.get(b"options", b"").decode())


def is_good(token: str, user: str, rds: Rds) -> bool:
    """Whether the token is one of this address and user, young enough, and signed by the key."""
    found = {key: values[0] for key, values in parse_qs(urlsplit(f"https://{token}").query).items()}
    made = dt.datetime.strptime(found["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)
    age = (dt.datetime.now(dt.UTC) - made).total_seconds()
    scope = f"{rds.credentials.access_key}/{made:%Y%m%d}/{REGION}/rds-db/aws4_request"
    if found.get("X-Amz-Credential") != scope or not -60 <= age <= LONGEST_SECONDS:
        return False
    if (found["DBUser"], found["Action"], found["X-Amz-Expires"]) != (user, "connect", str(LONGEST_SECONDS)):
        return False
    signer = SigV4QueryAuth(rds.credentials, "rds-db", REGION, expires=LONGEST_SECONDS)
    unsigned = f"https://{token}".partition("&X-Amz-Signature=")[0]
    request = AWSRequest("GET", unsigned)
    request.context["timestamp"] = found["X-Amz-Date"]
    canonical = signer.canonical_request(request)
    signature = signer.signature(signer.string_to_sign(request, canonical), request)
    address = urlsplit(f"https://{token}").netloc
    return (address, signature) == (f"{HOST}:{rds.port}", found["X-Amz-Signature"])


def _relay(secure: ssl.SSLSocket, server: Mapping[str, Any], user: str, options: str) -> None:
    with psycopg.connect(**server, options=options, autocommit=True) as upstream:
        upstream.execute(sql.SQL("SET SESSION AUTHORIZATION {}").format(sql.Identifier(user)))
        said = [_message(b"R", struct.pack("!I", 0))]
        for name in _STATUS:
            value = upstream.pgconn.parameter_status(name.encode()) or b""
            said.append(_message(b"S", name.encode() + b"\0" + value + b"\0"))
        said += [_message(b"K", struct.pack("!II", 1, 1)), _message(b"Z", b"I")]
        secure.sendall(b"".join(said))
        with socket.socket(fileno=upstream.pgconn.socket) as raw:
            try:
                copy(secure, raw)
            finally:
                raw.detach()


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!I", len(body) + 4) + body
