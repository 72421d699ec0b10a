"""AWS as the sink sees it: credentials from botocore's chain (a container's included), one client at start.

botocore refreshes the credentials; libcurl does the calls that count. Further clients are made when first needed, since
each costs tens of milliseconds and megabytes.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import botocore
import botocore.session
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from sink_runtime.faults import Fault
from sink_runtime.settings import Settings
from sink_runtime.sqs.signer import Credentials
from sink_runtime.sqs.wire import Wire

CONNECT_SECONDS = 3
RDS_SERVICE = "rds-db"
TOKEN_SECONDS = 900  # RDS takes none that is older
READ_SECONDS = 10

# What a call may fail with. ResponseParserError: something between here and the service answered in its place.
# RuntimeError: the credentials have ended and could not be refreshed.
FAILURES = (BotoCoreError, ClientError, ResponseParserError, RuntimeError)


class Aws:
    """One process' access to AWS, in one region."""

    def __init__(self, region: str, endpoint_url: str | None) -> None:
        self._session = botocore.session.get_session()
        self._region = region
        self._endpoint_url = endpoint_url
        self._clients: dict[str, Any] = {}
        self._found: Any = None
        self._making = threading.RLock()  # botocore's sessions make nothing for two threads at once

    @classmethod
    def of(cls, settings: Settings) -> Aws:
        """The access that the settings describe."""
        return cls(settings.region, settings.endpoint_url)

    def client(self, service: str) -> Any:
        """The one client of a service, with short timeouts and no retries of its own."""
        with self._making:
            if service not in self._clients:
                self._clients[service] = self._session.create_client(
                    service,
                    region_name=self._region,
                    endpoint_url=self._endpoint_url,
                    config=_config(),
                )
            return self._clients[service]

    def credentials(self) -> Credentials:
        """Credentials as they are now, refreshed where they are about to end. Raises Fault."""
        try:
            found = self._found or self._find()
            frozen = found.get_frozen_credentials() if found else None
        except Exception as error:  # botocore lets RuntimeError, KeyError and ClientError through here too
            raise Fault("credentials", type(error).__name__) from error
        if frozen is None or frozen.access_key is None or frozen.secret_key is None:
            raise Fault("credentials", "no AWS credentials found", alarm=True)
        return Credentials(frozen.access_key, frozen.secret_key, frozen.token)

    def _find(self) -> Any:
        """The chain's credentials, which refresh themselves; looked for again as long as there are none."""
        with self._making:
            self._found = self._session.get_credentials()
            return self._found

    def wire(self, queue_url: str, endpoint: Callable[[str], str], dependency: str) -> Wire:
        """A connection for the calls to one queue; `endpoint` finds the service's address in the queue's URL."""
        address = self._endpoint_url or endpoint(queue_url)
        return Wire(address, self._region, self.credentials, ca_file(), dependency)

    def database_token(self, host: str, port: int, user: str) -> str:
        """What RDS takes for the role's password for the next 15 minutes, signed by the credentials of now. Raises Fault."""
        now = self.credentials()
        found = ReadOnlyCredentials(now.access_key, now.secret_key, now.token)
        request = AWSRequest("GET", f"https://{host}:{port}/", params={"Action": "connect", "DBUser": user})
        signer = SigV4QueryAuth(found, RDS_SERVICE, self._region, expires=TOKEN_SECONDS)
        signer.add_auth(request)
        return str(request.url).removeprefix("https://")

    def secret(self, arn: str) -> dict[str, str]:
        """A secret's JSON object. Raises Fault."""
        try:
            answer = self.client("secretsmanager").get_secret_value(SecretId=arn)
            document = json.loads(answer["SecretString"])
            return {"username": document["username"], "password": document["password"]}
        except FAILURES as error:
            raise Fault("secret", code_of(error), alarm=isinstance(error, ClientError)) from error
        except (KeyError, TypeError, ValueError):
            raise Fault("secret", "the secret is not {username, password}", alarm=True) from None


def _config() -> Config:
    return Config(
        connect_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS, retries={"total_max_attempts": 1}
    )


def code_of(error: Exception) -> str:
    """The service's error code, or the kind of failure on the way there."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", "ClientError"))
    return type(error).__name__


def ca_file() -> str:
    """The certificates to trust: AWS_CA_BUNDLE, as AWS' own tools read it, or those that botocore brings."""
    return os.environ.get("AWS_CA_BUNDLE") or str(Path(botocore.__file__).parent / "cacert.pem")
