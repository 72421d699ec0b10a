"""What a resource handler is: the same small protocol for the embedded environment and for a real provider.

A handler carries out one Pulumi resource type on the emulator or on a Postgres. It knows nothing of who calls it:
`dev.program` does so with no engine at all, `dev.plugin` for the real one. Input and output names are those of the wire
(camelCase).

`create` creates or takes over, so that a run which was killed half-way is simply run again.
"""

from __future__ import annotations

import json
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
        changed = self.changed(state.inputs, new)
        if not changed:
            return Change.NONE
        return Change.REPLACE if changed & self.replacing else Change.UPDATE

    def changed(self, old: Properties, new: Properties) -> frozenset[str]:
        """The properties in which two sets of inputs differ; what is inert never does."""
        keys = (old.keys() | new.keys()) - self.inert.keys()
        return frozenset(key for key in keys if not self.same(key, old.get(key), new.get(key)))

    def same(self, key: str, old: Any, new: Any) -> bool:
        """Whether two values of a property mean the same."""
        del key
        return bool(old == new)

    @abstractmethod
    def create(self, context: Context, name: str, inputs: Properties) -> Created:
        """Create the resource, or bring one that is already there to `inputs`; `name` is its logical name."""

    @abstractmethod
    def update(self, context: Context, state: State, inputs: Properties) -> dict[str, Any]:
        """Bring the resource to `inputs` and return its outputs."""

    @abstractmethod
    def delete(self, context: Context, state: State) -> None:
        """Delete the resource; one that is gone already is no error."""


class Served(Handler):
    """A resource type that `dev.plugin` serves to the real engine too, which previews it and asks what is there.

    `computed` are the outputs that a preview of a new resource does not know; `defaults` what a carried property is
    where it is not declared. `documents` are JSON texts, `unordered` lists in which only the members count; both are
    compared so. `identity` are the inputs that tell two things apart: a replacement with the same identity cannot stand
    beside the old one. `exclusive`: the service refuses to make one of a name that is there.
    """

    computed: ClassVar[frozenset[str]]
    defaults: ClassVar[Mapping[str, Any]] = {}
    documents: ClassVar[frozenset[str]] = frozenset()
    unordered: ClassVar[frozenset[str]] = frozenset()
    identity: ClassVar[frozenset[str]]
    exclusive: ClassVar[bool] = False

    @abstractmethod
    def read(self, context: Context, state: State) -> Properties | None:
        """The live values of the carried properties, in the inputs' shape; None where the thing is gone."""

    def attributes(self, context: Context, identity: str) -> dict[str, Any]:
        """The computed outputs of what is there: an import knows no more of it than its id."""
        del context, identity
        return {}

    def identify(self, context: Context, inputs: Properties) -> str:
        """The id of what a create of `inputs` would make. Only an `exclusive` type has to know it."""
        raise NotImplementedError

    def same(self, key: str, old: Any, new: Any) -> bool:
        """Whether two values of a property mean the same."""
        if key in self.documents:
            return bool(_document(old) == _document(new))
        if key in self.unordered and isinstance(old, list) and isinstance(new, list):
            return sorted(old) == sorted(new)
        return super().same(key, old, new)

    def refreshed(self, inputs: Properties, live: Properties) -> dict[str, Any]:
        """The inputs as they are by what `read` found: in the words of `inputs` where these still mean the same."""
        drifted = {
            key: value
            for key, value in live.items()
            if not self.same(key, inputs.get(key, self.defaults.get(key)), value)
        }
        return {**inputs, **drifted}


def _document(text: Any) -> Any:
    """What a JSON text says; anything else, as a value that is not known yet, for itself."""
    try:
        return json.loads(text)
    except (TypeError, ValueError):
        return text


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
