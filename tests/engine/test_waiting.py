"""How the SDK waits for what the program registered."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest

from tests.engine.world import World


def test_registrations_are_waited_for_and_not_every_output_after_each_of_them(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else what a program costs grows with the square of its datasets."""
    asked: list[int] = []
    wait = asyncio.wait

    async def counted(outputs: Iterable[Any], **options: Any) -> Any:
        waited = list(outputs)
        asked.append(len(waited))
        return await wait(waited, **options)

    monkeypatch.setattr(asyncio, "wait", counted)
    declared = world.preview().steps
    assert sum(asked) < len(declared)
