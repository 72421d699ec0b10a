"""Where a campaign plays: Postgres, an SQS server, one dataset and the proxies before it; the fault tests' own rig."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from compiler.dataset import Dataset
from dev.postgres import installed_versions, running_server
from dev.state import Paths
from sink_runtime import settings as names
from tests.faults.rig import AwsServer, Rig, rigged
from tests.sink import datasets
from tests.support import second_sqs
from tests.support.emulator import Role
from tests.support.postgres import NEWEST, new_database


@contextmanager
def staged(dataset: Dataset | None = None, **plan: Any) -> Iterator[Rig]:
    """Servers of its own, and a dataset brought up on them; `plan` replaces fields of the sink's plan."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="campaign-")))
        state = stack.enter_context(second_sqs.running(folder))
        role = Role(f"arn:aws:iam::{state.account_id}:role/sink", "sink")
        server = AwsServer("ministack", state, lambda *_, **__: role, Paths(folder / ".sluice"))
        address = stack.enter_context(running_server(installed_versions()[NEWEST]))
        conninfo = stack.enter_context(new_database(address))
        chosen = dataset or datasets.monitoring_events()
        yield stack.enter_context(rigged(server, conninfo, chosen, folder, **plan))


def direct(rig: Rig) -> dict[str, str]:
    """What to put into a sink's environment so that it goes round the proxies."""
    return {
        names.DATABASE_PORT: str(rig.conninfo["port"]),
        names.ENDPOINT_URL: rig.server.state.endpoint_url,
    }
