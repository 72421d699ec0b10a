"""A stand-in for RDS with IAM authentication: TLS, the token asked for in the clear, checked, then a real Postgres.

The token's signature is computed anew by botocore from the known secret key. Behind it stands a session of the real
server that the administrator opened and gave to the role.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import select
import socket
import ssl
import struct
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from psycopg import sql

HOST, REGION = "localhost", "eu-central-1"
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
    listener = socket.create_server(("127.0.0.1", 0))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca = _certificate(folder)
    context.load_cert_chain(ca, folder / "key.pem")
    rds = Rds(listener.getsockname()[1], ca, credentials)

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=_serve, args=(client, context, server, rds), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield rds
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def _serve(client: socket.socket, context: ssl.SSLContext, server: Mapping[str, Any], rds: Rds) -> None:
    with contextlib.suppress(OSError), client:
        _read(client, 8)  # SSLRequest
        client.sendall(b"S")
        with context.wrap_socket(client, server_side=True) as secure:
            (length,) = struct.unpack("!I", _read(secure, 4))
            words = _read(secure, length - 4)[4:].split(b"\0")
            startup = dict(zip(words[::2], words[1::2], strict=False))
            secure.sendall(b"R" + struct.pack("!II", 8, 3))  # the password, in the clear
            kind, length = struct.unpack("!cI", _read(secure, 5))
            assert kind == b"p"
            token = _read(secure, length - 4).rstrip(b"\0").decode()
            rds.tokens.append(token)
            user = startup[b"user"].decode()
            if not is_good(token, user, rds) or rds.refuse > 0:
                rds.refuse -= 1
                text = f'SFATAL\0C28000\0MPAM authentication failed for user "{user}"\0\0'.encode()
                secure.sendall(b"E" + struct.pack("!I", len(text) + 4) + text)
                return
            _relay(secure, server, user, startup.get(b"options", b"").decode())


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
                _copy(secure, raw)
            finally:
                raw.detach()


def _copy(secure: ssl.SSLSocket, raw: socket.socket) -> None:
    while True:
        ready = [secure] if secure.pending() else select.select([secure, raw], [], [])[0]
        for one, other in ((secure, raw), (raw, secure)):
            if one in ready:
                data = one.recv(1 << 16)
                if not data:
                    return
                other.sendall(data)


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!I", len(body) + 4) + body


def _read(source: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = source.recv(size - len(data))
        if not more:
            raise ConnectionError("the client left")
        data += more
    return data


def _certificate(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "ca.pem"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key.pem").write_bytes(private)
    return pem
