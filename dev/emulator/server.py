"""The emulator's process: moto's server on a free loopback port, access control on from the first request.

Nothing that is unsigned is answered, moto's own control API included (anybody could switch access control off
through it); the one exception is the credentials endpoint, which has its own proof.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
from collections.abc import Callable, Iterable
from datetime import UTC
from pathlib import Path
from typing import Any

ACCOUNT = "123456789012"
# Read by moto when it is imported: one account whatever a request's headers claim, and no answers to web pages.
os.environ |= {"MOTO_ACCOUNT_ID": ACCOUNT, "MOTO_DISABLE_GLOBAL_CORS": "true"}

from moto import settings  # noqa: E402
from moto.iam.models import iam_backends  # noqa: E402
from moto.moto_server.werkzeug_app import (  # noqa: E402
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from moto.sts.models import sts_backends  # noqa: E402
from werkzeug.serving import make_server  # noqa: E402

from dev.emulator import corrections, credentials, policy  # noqa: E402
from dev.emulator.access import trust_policy  # noqa: E402
from dev.emulator.state import Credentials, EmulatorState  # noqa: E402
from dev.state import write_json  # noqa: E402

HOST = "127.0.0.1"
ADMIN = "sluice-dev-admin"
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}

Start = Callable[[str, list[tuple[str, str]]], Any]
Application = Callable[[dict[str, Any], Start], Iterable[bytes]]


def serve(state_file: Path, region: str) -> None:
    """Serve until the process is ended; `state_file` appears once the server listens and its administrator exists."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    corrections.apply()
    settings.INITIAL_NO_AUTH_ACTION_COUNT = 0
    key = secrets.token_hex(32)
    moto = DomainDispatcherApplication(create_backend_app)
    server = make_server(
        HOST, 0, _front(moto, key, region), threaded=True, request_handler=MotoRequestHandler
    )
    state = EmulatorState(
        endpoint_url=f"http://{HOST}:{server.server_port}",
        region=region,
        account_id=ACCOUNT,
        admin=_make_admin(region),
        credentials_key=key,
    )
    write_json(state_file, state.to_json())
    server.serve_forever()


def _make_admin(region: str) -> Credentials:
    """A user that may do everything; its secret is from `secrets`, where moto's own comes from `random`."""
    backend = iam_backends[ACCOUNT]["aws"]
    backend.create_user(region, ADMIN)
    backend.put_user_policy(ADMIN, "everything", json.dumps(EVERYTHING))
    key = backend.create_access_key(ADMIN)
    key.secret_access_key = secrets.token_urlsafe(30)
    return Credentials(key.access_key_id, key.secret_access_key, None)


def _front(moto: Application, key: str, region: str) -> Application:
    """The application before moto: the credentials endpoint, and a refusal for what is unsigned."""

    def application(environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == credentials.PATH:
            return _answer(start_response, *_credentials(environ, key, region))
        if path.startswith("/moto-api") or "HTTP_AUTHORIZATION" not in environ:
            return _answer(start_response, "403 Forbidden", {"code": "MissingAuthenticationToken"})
        return moto(environ, start_response)

    return application


def _answer(start_response: Start, status: str, document: dict[str, str]) -> Iterable[bytes]:
    body = json.dumps(document).encode()
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def _credentials(environ: dict[str, Any], key: str, region: str) -> tuple[str, dict[str, str]]:
    """The status and the body of the answer to a request for credentials, in the shape that ECS gives them."""
    grant = credentials.Grant.parse(environ.get("QUERY_STRING", ""))
    if environ["REQUEST_METHOD"] != "GET" or grant is None:
        return "400 Bad Request", {
            "code": "BadRequest",
            "message": "GET with one role, session and seconds is needed.",
        }
    if not grant.proved_by(environ.get("HTTP_AUTHORIZATION", ""), key):
        return "403 Forbidden", {"code": "AccessDenied", "message": "The token does not prove this grant."}
    # ECS asks on behalf of a task, and says whose: trust policies shut out other customers' tasks by it.
    task = {
        "aws:SourceAccount": ACCOUNT,
        "aws:SourceArn": f"arn:aws:ecs:{region}:{ACCOUNT}:task/{grant.session}",
    }
    asked = policy.Request("sts:AssumeRole", grant.role_arn, frozenset({credentials.TASKS}), context=task)
    if policy.decide([trust_policy(grant.role_arn)], asked) is not policy.Decision.ALLOW:
        return "403 Forbidden", {
            "code": "AccessDenied",
            "message": f"{grant.role_arn}: no such role, or its trust policy does not name ecs-tasks.amazonaws.com.",
        }
    session = sts_backends[ACCOUNT]["aws"].assume_role(
        region_name=region,
        role_session_name=grant.session,
        role_arn=grant.role_arn,
        policy="",
        duration=grant.seconds,
        external_id="",
    )
    return "200 OK", {
        "AccessKeyId": session.access_key_id,
        "Expiration": session.expiration.replace(tzinfo=UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "RoleArn": grant.role_arn,
        "SecretAccessKey": session.secret_access_key,
        "Token": session.session_token,
    }
