"""Credentials for processes, served as ECS serves them to a container.

A process finds the address in AWS_CONTAINER_CREDENTIALS_FULL_URI and proves itself by a token from the file that
AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE names; every AWS SDK knows both, and refreshes before the credentials end.
The address names the role and the session; the token is an HMAC over them under a key that only the environment's
state file holds. So a process gets the credentials of its own role and of no other.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode

PATH = "/-/credentials"  # no bucket's name begins with a hyphen, so no S3 path is hidden
TASKS = "Service:ecs-tasks.amazonaws.com"
MIN_SECONDS = 900  # of AWS STS, as is the maximum
MAX_SECONDS = 43_200
DEFAULT_SECONDS = 3_600
SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)  # of AWS STS


@dataclass(frozen=True)
class Grant:
    """The right to fetch the credentials of one role: its ARN, the session's name, and how long each set lasts.

    `session` is 2 to 64 letters, digits or one of _+=,.@- and stands in SenderId; `seconds` is 900 to 43,200.
    """

    role_arn: str
    session: str
    seconds: int = DEFAULT_SECONDS

    def query(self) -> str:
        """The grant as the query string of its address."""
        return urlencode({"role": self.role_arn, "session": self.session, "seconds": self.seconds})

    @classmethod
    def parse(cls, query: str) -> Grant | None:
        """The grant in a query string, or None where it is not one."""
        values = {name: found[0] for name, found in parse_qs(query).items() if len(found) == 1}
        if values.keys() != {"role", "session", "seconds"} or not values["seconds"].isdecimal():
            return None
        seconds = int(values["seconds"])
        if not MIN_SECONDS <= seconds <= MAX_SECONDS or not SESSION_NAME.fullmatch(values["session"]):
            return None
        return cls(values["role"], values["session"], seconds)

    def token(self, key: str) -> str:
        """The token that proves this grant."""
        return hmac.new(key.encode(), self.query().encode(), hashlib.sha256).hexdigest()

    def proved_by(self, token: str, key: str) -> bool:
        """Whether the token proves this grant."""
        return hmac.compare_digest(self.token(key).encode(), token.encode())


def environment(endpoint_url: str, region: str, grant: Grant, token_file: str) -> Mapping[str, str]:
    """The AWS part of a process's environment: the emulator, and the grant's credentials and no others.

    The user's own profiles are shut out, so that a process of ours never meets a real account.
    """
    return {
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": token_file,
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{endpoint_url}{PATH}?{grant.query()}",
        "AWS_DEFAULT_REGION": region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_REGION": region,
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "NO_PROXY": "127.0.0.1",
    }
