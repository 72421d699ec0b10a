"""Both providers as processes of their own, spoken to as the engine does: over gRPC."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from dev.emulator.state import EmulatorState
from dev.plugin.properties import plain, struct
from dev.postgres import Address

SETTINGS = ("AWS_", "PG", "PULUMI_")


@dataclass(frozen=True)
class Provider:
    """A running provider. Each method is one call of the engine, with plain values."""

    stub: Any
    process: subprocess.Popen[str]

    def configure(self, **inputs: Any) -> Any:
        return self.stub.Configure(provider_pb2.ConfigureRequest(args=struct(inputs)))

    def check(self, token: str, inputs: dict[str, Any]) -> Any:
        return self.stub.Check(provider_pb2.CheckRequest(urn=urn(token), news=struct(inputs)))

    def diff(self, token: str, old: dict[str, Any], new: dict[str, Any], ignore: tuple[str, ...] = ()) -> Any:
        request = provider_pb2.DiffRequest(
            id="i",
            urn=urn(token),
            old_inputs=struct(old),
            olds=struct(old),
            news=struct(new),
            ignoreChanges=ignore,
        )
        return self.stub.Diff(request)

    def create(
        self, token: str, inputs: dict[str, Any], *, preview: bool = False
    ) -> tuple[str, dict[str, Any]]:
        request = provider_pb2.CreateRequest(urn=urn(token), properties=struct(inputs), preview=preview)
        answer = self.stub.Create(request)
        return answer.id, plain(answer.properties)

    def read(
        self, token: str, identity: str, inputs: dict[str, Any], outputs: dict[str, Any]
    ) -> tuple[str, dict[str, Any], dict[str, Any]]:
        answer = self.stub.Read(
            provider_pb2.ReadRequest(
                id=identity, urn=urn(token), inputs=struct(inputs), properties=struct(outputs)
            )
        )
        return answer.id, plain(answer.inputs), plain(answer.properties)

    def update(
        self,
        token: str,
        identity: str,
        old: tuple[dict[str, Any], dict[str, Any]],
        new: dict[str, Any],
        *,
        preview: bool = False,
    ) -> dict[str, Any]:
        inputs, outputs = old
        request = provider_pb2.UpdateRequest(
            id=identity,
            urn=urn(token),
            old_inputs=struct(inputs),
            olds=struct(outputs),
            news=struct(new),
            preview=preview,
        )
        return plain(self.stub.Update(request).properties)

    def delete(self, token: str, identity: str, inputs: dict[str, Any], outputs: dict[str, Any]) -> None:
        self.stub.Delete(
            provider_pb2.DeleteRequest(
                id=identity, urn=urn(token), old_inputs=struct(inputs), properties=struct(outputs)
            )
        )


def urn(token: str) -> str:
    return f"urn:pulumi:stack::sluice::sluice:index:BufferedDataset${token}::logical"


@contextmanager
def running(package: str, environment: dict[str, str]) -> Iterator[Provider]:
    """A provider with this environment beside the caller's own, without the caller's AWS_, PG and PULUMI_ settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}
    process = subprocess.Popen(
        [sys.executable, "-m", "dev.plugin", package, "127.0.0.1:1"],
        env={**kept, **environment},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process.stdout:
        try:
            with grpc.insecure_channel(f"127.0.0.1:{int(process.stdout.readline())}") as channel:
                yield Provider(provider_pb2_grpc.ResourceProviderStub(channel), process)
        finally:
            process.terminate()
            process.wait()


@pytest.fixture(scope="session")
def aws_environment(emulator: EmulatorState) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": emulator.endpoint_url,
        "AWS_ACCESS_KEY_ID": emulator.admin.access_key_id,
        "AWS_SECRET_ACCESS_KEY": emulator.admin.secret_access_key,
    }


@pytest.fixture(scope="session")
def aws(emulator: EmulatorState, aws_environment: dict[str, str]) -> Iterator[Provider]:
    with running("aws", aws_environment) as provider:
        answer = provider.configure(region=emulator.region, allowedAccountIds=f'["{emulator.account_id}"]')
        assert answer.supportsPreview
        assert not answer.acceptSecrets
        yield provider


@pytest.fixture(scope="session")
def postgres(postgres_server: Address) -> Iterator[Provider]:
    login = {"PGUSER": postgres_server.superuser, "PGPASSWORD": postgres_server.password}
    with running("postgresql", login) as provider:
        provider.configure(
            host=postgres_server.host, port=str(postgres_server.port), database="postgres", sslmode="disable"
        )
        yield provider
