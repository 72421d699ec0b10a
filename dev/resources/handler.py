"""What a resource handler is: the same small protocol for the embedded environment and for a real provider.

A handler carries out one Pulumi resource type on the emulator or on the embedded Postgres. It knows nothing of who
calls it: `dev.program` does so with no engine at all. Input and output names are those of the wire (camelCase).

`create` creates or takes over, so that a run which was killed half-way is simply run again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

from dev.resources.context import Context
from dev.state import DevError

Properties = Mapping[str, Any]


class ResourceError(DevError):
    """A resource cannot be made as declared; the message says which property, and why."""


@dataclass(frozen=True)
class Created:
    """A new resource: its provider-assigned id and every output, the inputs that the provider echoes included."""

    id: str
    outputs: dict[str, Any]


@dataclass(frozen=True)
class State:
    """A resource as the last run left it."""

    id: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]


class Change(StrEnum):
    """What new inputs ask of an existing resource."""

    NONE = "none"
    UPDATE = "update"
    REPLACE = "replace"


class Handler(ABC):
    """One resource type.

    `carried` are the input properties that the handler carries out, `inert` those that have no effect here, each with
    the reason; any other one is refused. A change of one in `replacing` makes a new resource.
    `holds_data`: the resource is retained when a run no longer declares it. `in_postgres`: it outlives the emulator.
    """

    type: ClassVar[str]
    carried: ClassVar[frozenset[str]]
    inert: ClassVar[Mapping[str, str]] = {}
    replacing: ClassVar[frozenset[str]] = frozenset()
    holds_data: ClassVar[bool] = False
    in_postgres: ClassVar[bool] = False

    def check(self, context: Context, old: Properties | None, new: Properties) -> dict[str, Any]:
        """The inputs as the resource takes them; `old` are the last run's. Raises ResourceError for a faulty one."""
        del context, old
        unhandled = sorted(new.keys() - self.carried - self.inert.keys())
        if unhandled:
            raise ResourceError(
                f"no handler for {_listed(unhandled, 'property', 'properties')}. "
                f"Carry it out in dev/resources, or list it as inert there with the reason."
            )
        return dict(new)

    def diff(self, context: Context, state: State, new: Properties) -> Change:
        """Whether the checked inputs `new` change the resource, and how."""
        del context
        changed = {
            key
            for key in state.inputs.keys() | new.keys()
            if state.inputs.get(key) != new.get(key) and key not in self.inert
        }
        if not changed:
            return Change.NONE
        return Change.REPLACE if changed & self.replacing else Change.UPDATE

    @abstractmethod
    def create(self, context: Context, name: str, inputs: Properties) -> Created:
        """Create the resource, or bring one that is already there to `inputs`; `name` is its logical name."""

    @abstractmethod
    def update(self, context: Context, state: State, inputs: Properties) -> dict[str, Any]:
        """Bring the resource to `inputs` and return its outputs."""

    @abstractmethod
    def delete(self, context: Context, state: State) -> None:
        """Delete the resource; one that is gone already is no error."""


class Upsert(Handler):
    """A handler whose update is its create: setting the whole resource again is harmless."""

    def update(self, context: Context, state: State, inputs: Properties) -> dict[str, Any]:
        """Set everything again."""
        return self.create(context, state.id, inputs).outputs


def physical_name(inputs: Properties, key: str = "name") -> str:
    """The declared physical name. Raises ResourceError where there is none: a made-up one could not be found again."""
    if not inputs.get(key):
        raise ResourceError(f"`{key}` is not given; the embedded environment makes up no names.")
    return str(inputs[key])


def only(value: Properties, known: Iterable[str], where: str) -> None:
    """Raise ResourceError if a nested object holds another key than the known ones."""
    unknown = sorted(key for key in value.keys() - set(known) if value[key] is not None)
    if unknown:
        raise ResourceError(f"no handler for {_listed(unknown, 'property', 'properties')} in {where}.")


def _listed(names: list[str], one: str, many: str) -> str:
    return f"{one if len(names) == 1 else many} {', '.join(names)}"
