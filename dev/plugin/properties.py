"""Properties on the engine's wire (protobuf's Struct) and as plain values."""

from __future__ import annotations

from typing import Any

from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.struct_pb2 import Struct

from dev.resources.wire import exact


def plain(properties: Struct) -> dict[str, Any]:
    """The properties with their integers; one that is null is not given."""
    found: dict[str, Any] = exact(MessageToDict(properties))
    return {key: value for key, value in found.items() if value is not None}


def struct(properties: dict[str, Any]) -> Struct:
    """The properties for the wire."""
    return ParseDict(properties, Struct())
