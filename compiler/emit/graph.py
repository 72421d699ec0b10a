"""What the Pulumi program declares, as plain values: every resource with its inputs, options and edges.

`compiler/emit/pulumi/recording.py` runs a program and writes it down; invariants, rights and golden files read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Recorded:
    """One registered resource. `parent` and `depends_on` are `type name`, sorted; secrets among inputs are named.

    `arn` is the one that it would have, empty for what has none.
    """

    type: str
    name: str
    parent: str
    inputs: Mapping[str, Any]
    depends_on: tuple[str, ...]
    protect: bool
    retain: bool
    ignore_changes: tuple[str, ...]
    secret_inputs: tuple[str, ...] = ()
    arn: str = ""

    @property
    def key(self) -> str:
        """`type name`, by which others refer to it."""
        return f"{self.type} {self.name}"

    def as_json(self) -> dict[str, Any]:
        """For golden files; what is empty or false is left out."""
        options = {
            "dependsOn": list(self.depends_on),
            "protect": self.protect,
            "retainOnDelete": self.retain,
            "ignoreChanges": list(self.ignore_changes),
        }
        return {
            "type": self.type,
            "name": self.name,
            "parent": self.parent,
            "inputs": {key: value for key, value in sorted(self.inputs.items()) if key != "__provider"},
            **{key: value for key, value in options.items() if value},
        }


@dataclass(frozen=True)
class Graph:
    """What one program declared, in order, and what it exported."""

    resources: tuple[Recorded, ...]
    exports: Mapping[str, Any]

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Graph:
        """The graph that the recorder wrote."""
        tuples = ("depends_on", "ignore_changes", "secret_inputs")
        resources = (
            Recorded(**{**one, **{key: tuple(one[key]) for key in tuples}}) for one in document["resources"]
        )
        return cls(tuple(resources), document["exports"])

    def of_type(self, *tokens: str) -> list[Recorded]:
        """The resources of these types, by type and name."""
        found = (one for one in self.resources if one.type in tokens)
        return sorted(found, key=lambda one: (one.type, one.name))

    def one(self, token: str, name: str) -> Recorded:
        """The resource of that type and name."""
        [found] = [one for one in self.resources if (one.type, one.name) == (token, name)]
        return found

    def below(self, parent: str) -> list[Recorded]:
        """The component `type name` and everything in it, by type and name."""
        found = [one for one in self.resources if parent in (one.key, one.parent)]
        return sorted(found, key=lambda one: (one.type, one.name))
