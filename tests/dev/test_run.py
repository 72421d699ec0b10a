"""Runs over fake handlers that note what is asked of them: what is created, changed, left alone, removed and kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest

from dev.emulator.state import Credentials, EmulatorState
from dev.resources.apply import Event, Run, StoppedError
from dev.resources.context import Context
from dev.resources.handler import Created, Handler, Properties, ResourceError, State
from dev.resources.ledger import Ledger
from dev.resources.registry import handler_of

NOWHERE = Context(
    EmulatorState("http://127.0.0.1:1", "eu-central-1", "123456789012", Credentials("a", "b", None), "k"), {}
)


class Thing(Handler):
    type: ClassVar = "test:thing"
    carried: ClassVar = frozenset({"name", "size"})
    inert: ClassVar = {"colour": "nobody sees it"}
    replacing: ClassVar = frozenset({"name"})

    def __init__(self) -> None:
        self.calls: list[str] = []

    def create(self, context: Context, name: str, inputs: Properties) -> Created:
        if inputs.get("size") == 13:
            raise ValueError("thirteen is refused")
        self.calls.append(f"create {inputs['name']}")
        return Created(f"id-{inputs['name']}", {**inputs, "arn": f"arn:{inputs['name']}"})

    def update(self, context: Context, state: State, inputs: Properties) -> dict[str, Any]:
        self.calls.append(f"update {state.id}")
        return {**inputs, "arn": state.outputs["arn"]}

    def delete(self, context: Context, state: State) -> None:
        self.calls.append(f"delete {state.id}")


class Store(Thing):
    type: ClassVar = "test:store"
    holds_data: ClassVar = True


class World:
    """One environment's ledger, and the handlers' notes of the latest run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.handlers: dict[str, Thing] = {}
        self.events: list[Event] = []

    def run(self, *things: tuple[str, str, dict[str, Any]], retain: frozenset[str] = frozenset()) -> Run:
        self.handlers = {"test:thing": Thing(), "test:store": Store()}
        self.events = []
        run = Run(
            NOWHERE,
            Ledger.load(self.path),
            self.events.append,
            lambda token: handler_of(token, self.handlers),
        )
        for token, name, inputs in things:
            run.register(token, name, inputs, retain=name in retain)
        run.finish()
        return run

    @property
    def calls(self) -> list[str]:
        return [call for handler in self.handlers.values() for call in handler.calls]

    @property
    def actions(self) -> list[tuple[str, str]]:
        return [(str(event.action), event.name) for event in self.events]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "resources.json")


A = ("test:thing", "a", {"name": "a", "size": 1})
B = ("test:thing", "b", {"name": "b", "size": 1})
STORE = ("test:store", "s", {"name": "s"})


def test_a_second_run_touches_nothing(world: World) -> None:
    world.run(A, B)
    assert world.calls == ["create a", "create b"]
    first = world.path.read_bytes()
    run = world.run(A, B)
    assert world.calls == []
    assert world.actions == [("unchanged", "a"), ("unchanged", "b")]
    assert world.path.read_bytes() == first
    assert run.ledger.records["test:thing", "a"].state.outputs["arn"] == "arn:a"


def test_a_changed_property_updates_only_its_resource(world: World) -> None:
    world.run(A, B)
    world.run(A, ("test:thing", "b", {"name": "b", "size": 2}))
    assert world.calls == ["update id-b"]
    world.run(A, ("test:thing", "b", {"name": "b", "size": 2}))
    assert world.calls == []


def test_an_inert_property_changes_nothing(world: World) -> None:
    world.run(A)
    world.run(("test:thing", "a", {**A[2], "colour": "red"}))
    assert world.calls == []


def test_what_is_no_longer_declared_goes_newest_first(world: World) -> None:
    world.run(A, B)
    world.run()
    assert world.calls == ["delete id-b", "delete id-a"]
    world.run()
    assert world.calls == []


def test_data_and_what_asks_for_it_are_retained_and_named(world: World) -> None:
    world.run(STORE, A, B, retain=frozenset({"a"}))
    world.run()
    assert world.calls == ["delete id-b"]
    assert world.actions == [("deleted", "b"), ("retained", "a"), ("retained", "s")]
    assert sorted(Ledger.load(world.path).retained) == [("test:store", "s"), ("test:thing", "a")]
    world.run(STORE)
    assert sorted(Ledger.load(world.path).retained) == [("test:thing", "a")]


def test_a_replacement_comes_before_the_old_one_goes(world: World) -> None:
    world.run(A)
    world.run(("test:thing", "a", {"name": "a2"}), B)
    assert world.calls == ["create a2", "create b", "delete id-a"]
    assert Ledger.load(world.path).superseded == []


def test_a_replacement_whose_run_failed_is_completed_by_the_next(world: World) -> None:
    world.run(A)
    with pytest.raises(ResourceError):
        world.run(("test:thing", "a", {"name": "a2"}), ("test:thing", "bad", {"name": "bad", "size": 13}))
    world.run(("test:thing", "a", {"name": "a2"}))
    assert world.calls == ["delete id-a"]


def test_a_failure_names_its_resource_and_stops_the_run(world: World) -> None:
    world.run(A)
    run = Run(
        NOWHERE, Ledger.load(world.path), world.events.append, lambda token: handler_of(token, world.handlers)
    )
    with pytest.raises(ResourceError, match="test:thing 'bad': ValueError: thirteen is refused"):
        run.register("test:thing", "bad", {"name": "bad", "size": 13}, retain=False)
    with pytest.raises(StoppedError, match="test:thing 'b' was not touched"):
        run.register(*B, retain=False)
    assert sorted(Ledger.load(world.path).records) == [("test:thing", "a")]


def test_a_type_without_a_handler_is_named(world: World) -> None:
    with pytest.raises(ResourceError, match="no handler for the resource type aws:ec2/instance:Instance"):
        world.run(("aws:ec2/instance:Instance", "i", {}))


def test_one_resource_is_declared_once(world: World) -> None:
    with pytest.raises(ResourceError, match="declared twice"):
        world.run(A, A)


def test_what_a_server_lost_is_made_anew(world: World) -> None:
    run = world.run(A, B, STORE)
    assert run.ledger.forget(lambda token: token == "test:thing") == 2
    run.ledger.save()
    world.run(A, B, STORE)
    assert world.calls == ["create a", "create b"]
