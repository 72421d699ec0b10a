"""A sink's login: a password that is made where it is used and stored once.

The provider makes a random password, puts {username, password} into Secrets Manager and sets the role's SCRAM verifier
in Postgres. Its inputs and outputs hold names and the secret's ARN; the password is in no state, plan or log.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi.dynamic import (
    ConfigureRequest,
    CreateResult,
    DiffResult,
    ReadResult,
    Resource,
    ResourceProvider,
    UpdateResult,
)

from compiler.emit.pulumi.admin import Admin, secrets_manager, set_password

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

PASSWORD_BYTES = 32
RECOVERY_DAYS = 7  # Secrets Manager's shortest; within it the secret of a removed dataset can be taken back


@dataclass(frozen=True)
class Login:
    """What is declared: the Postgres role, the secret's name, and a number that asks for a new password when raised."""

    role: str
    secret_name: str
    rotation: int
    tags: Mapping[str, str]


class SinkLoginProvider(ResourceProvider):
    """Creates, rotates and deletes one login. It is pickled by reference, so it is made without any state."""

    serialize_as_secret_always = False

    _admin: Admin

    def configure(self, req: ConfigureRequest) -> None:
        """Remember where the deploying user's login is found; nothing is looked up yet."""
        self._admin = Admin.of(req.config)

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Another role or secret is another login; a raised number or other tags change it in place."""
        replaces = [key for key in ("role", "secret_name") if _olds.get(key) != _news[key]]
        changed = bool(replaces) or any(_differs(key, _olds, _news) for key in ("rotation", "tags"))
        return DiffResult(changes=changed, replaces=replaces, delete_before_replace=False)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Store a password, then set it. A secret that is there already (a run was cut off) keeps its password."""
        login = _login(props)
        arn = self._store(login)
        return CreateResult(arn, _outputs(login, arn))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """The secret's tags; it is gone, too, while it waits for its deletion. The password is not looked at."""
        client = self._client()
        try:
            found = client.describe_secret(SecretId=id_)
        except client.exceptions.ResourceNotFoundException:
            return ReadResult("", {})
        if found.get("DeletedDate") is not None:
            return ReadResult("", {})
        tags = {
            tag["Key"]: tag["Value"] for tag in found.get("Tags", []) if not tag["Key"].startswith("aws:")
        }
        if tags == props["tags"]:
            return ReadResult(id_, props)
        return ReadResult(
            id_, {**props, "tags": tags}, {**asdict(_login(props)), "tags": tags, "secret_arn": None}
        )

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """A new password where one is asked for; otherwise only the tags."""
        login, client = _login(_news), self._client()
        if _differs("rotation", _olds, _news):
            password = _new_password()
            client.put_secret_value(SecretId=_id, SecretString=_document(login.role, password))
            set_password(self._admin, login.role, password)
        if _differs("tags", _olds, _news):
            gone = sorted(set(_olds.get("tags") or {}) - set(login.tags))
            client.untag_resource(SecretId=_id, TagKeys=gone)
            client.tag_resource(SecretId=_id, Tags=_tags(login))
        return UpdateResult(_outputs(login, _id))

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Delete the secret, with a week to take it back. The role is the role's own resource."""
        client = self._client()
        try:
            client.delete_secret(SecretId=_id, RecoveryWindowInDays=RECOVERY_DAYS)
        except client.exceptions.ResourceNotFoundException:
            return

    def _store(self, login: Login) -> str:
        """The secret's ARN, with the password in it set in Postgres: stored first, so that a retry finds it."""
        client = self._client()
        found = _existing(client, login)
        if found is None:
            password = _new_password()
            made = client.create_secret(
                Name=login.secret_name,
                Description=f"Login of the Postgres role {login.role}, made by Sluice",
                SecretString=_document(login.role, password),
                Tags=_tags(login),
            )
            arn: str = made["ARN"]
        else:
            arn, password = found
        set_password(self._admin, login.role, password)
        return arn

    def _client(self) -> SecretsManagerClient:
        return secrets_manager(self._admin.region)


class SinkLogin(Resource, module="sluice", name="SinkLogin"):
    """`pulumi-python:dynamic/sluice:SinkLogin`."""

    secret_arn: pulumi.Output[str]

    def __init__(self, name: str, login: Login, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(SinkLoginProvider(), name, {**asdict(login), "secret_arn": None}, opts)


def _existing(client: SecretsManagerClient, login: Login) -> tuple[str, str] | None:
    """The ARN and password of a secret of that name which is this role's login; one being deleted is taken back."""
    try:
        try:
            found = client.get_secret_value(SecretId=login.secret_name)
        except client.exceptions.InvalidRequestException:
            client.restore_secret(SecretId=login.secret_name)
            found = client.get_secret_value(SecretId=login.secret_name)
    except client.exceptions.ResourceNotFoundException:
        return None
    stored = json.loads(found["SecretString"])
    if stored.get("username") != login.role:
        raise ValueError(
            f"the secret {login.secret_name} is there already and is not the login of {login.role}."
            " Choose another sluice:prefix, or remove the secret."
        )
    return found["ARN"], stored["password"]


def _new_password() -> str:
    return secrets.token_urlsafe(PASSWORD_BYTES)


def _document(role: str, password: str) -> str:
    return json.dumps({"username": role, "password": password})


def _tags(login: Login) -> list[Any]:
    return [{"Key": key, "Value": value} for key, value in sorted(login.tags.items())]


def _login(props: Mapping[str, Any]) -> Login:
    return Login(props["role"], props["secret_name"], int(props["rotation"]), dict(props["tags"]))


def _outputs(login: Login, arn: str) -> dict[str, Any]:
    return {**asdict(login), "secret_arn": arn}


def _differs(key: str, olds: Mapping[str, Any], news: Mapping[str, Any]) -> bool:
    return bool(olds.get(key) != news[key])
