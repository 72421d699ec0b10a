"""TLS before a Postgres that has none: the wheels' servers are built without it."""

from __future__ import annotations

import contextlib
import datetime as dt
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

HOST = "localhost"  # whom the certificate names


@contextlib.contextmanager
def before(host: str, port: int, folder: Path) -> Iterator[int]:
    """The port on which a server's clients find it with TLS."""

    def relay(client: ssl.SSLSocket) -> None:
        with socket.create_connection((host, port)) as server:
            copy(client, server)

    with listening(certificate(folder), relay) as found:
        yield found


@contextlib.contextmanager
def listening(certificate: Path, serve: Callable[[ssl.SSLSocket], None]) -> Iterator[int]:
    """A free port on which each client asks for TLS as libpq does, and is then served in a thread of its own."""
    listener = socket.create_server(("127.0.0.1", 0))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))

    def answer(client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            read(client, 8)  # SSLRequest
            client.sendall(b"S")
            with context.wrap_socket(client, server_side=True) as secure:
                serve(secure)

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(client,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def copy(secure: ssl.SSLSocket, raw: socket.socket) -> None:
    """Both ways, until either side leaves."""
    while True:
        ready = [secure] if secure.pending() else select.select([secure, raw], [], [])[0]
        for one, other in ((secure, raw), (raw, secure)):
            if one in ready:
                data = one.recv(1 << 16)
                if not data:
                    return
                other.sendall(data)


def read(source: socket.socket, size: int) -> bytes:
    """So many bytes. Raises ConnectionError where the other side leaves before."""
    data = b""
    while len(data) < size:
        more = source.recv(size - len(data))
        if not more:
            raise ConnectionError("the client left")
        data += more
    return data


def certificate(folder: Path) -> Path:
    """A certificate of HOST by itself, in `ca.pem`, the path given back; its key stands beside it in `key.pem`."""
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
