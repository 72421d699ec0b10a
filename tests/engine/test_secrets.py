"""No secret is anywhere that Pulumi writes: its state and history, saved plans, JSON, events, output and logs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from dev.stack import ADMIN_VARIABLE
from tests.engine.world import World


def test_no_secret_is_written_anywhere(launching_world: World, tmp_path: Path) -> None:
    world = launching_world
    world.configure(datasets=["alert_events"])
    logs, plan = tmp_path / "logs", tmp_path / "plan.json"
    logs.mkdir()
    # The engine's logs go to TMPDIR; PULUMI_DEBUG_GRPC names a file for every call between the processes.
    world.environment(TMPDIR=str(logs), PULUMI_DEBUG_GRPC=str(logs / "grpc.json"))
    loud = {"log_verbosity": 9, "log_flow": True, "debug": True}
    world.preview(plan=str(plan), **loud)
    world.up(diff=True, **loud)
    first = passwords(world)
    world.database(password_rotation=1)
    world.up(**loud)
    second = passwords(world)
    world.refresh(**loud)
    world.said += [
        world.project.pulumi("stack", "export", "--show-secrets"),
        world.project.pulumi("stack", "output", "--json", "--show-secrets"),
        world.project.pulumi("config", "--json", "--show-secrets"),
        world.project.pulumi("refresh", "--yes", "--skip-preview", "--json"),
    ]
    world.sql("ALTER ROLE embedded_alert_events_sink RENAME TO away")
    world.database(password_rotation=2)
    world.refused(world.up, **loud)
    world.sql("ALTER ROLE away RENAME TO embedded_alert_events_sink")
    secrets = {
        *first,
        *second,
        *passwords(world),
        world.project.postgres["password"],
        world.project.environment[ADMIN_VARIABLE],
        world.project.emulator.admin.secret_access_key,
    }
    assert len(secrets) == 6
    assert plan.stat().st_size > 1_000
    assert {path.name.partition(".")[0] for path in logs.iterdir() if path.is_file()} == {"grpc", "pulumi"}
    written = dict(files(tmp_path))
    assert any("history" in str(path) for path in written)
    for text in secrets:
        assert [str(path) for path, content in written.items() if text.encode() in content] == []
        assert not any(text in said for said in world.said)


def passwords(world: World) -> set[str]:
    """The sink's password, as the secret holds it now."""
    client, found = world.aws("secretsmanager"), set()
    for one in client.list_secrets()["SecretList"]:
        value = client.get_secret_value(SecretId=one["ARN"])["SecretString"]
        found.add(str(json.loads(value)["password"]))
    return found


def files(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Everything below the folder but for the emulator's own state."""
    for path in folder.rglob("*"):
        if path.is_file() and "emulator" not in path.parts and ".venv" not in path.parts:
            yield path, path.read_bytes()
