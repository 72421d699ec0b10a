"""Whether a resource's properties are what AWS' provider takes: by the SDK's own input types, and by AWS' own API model.

The SDK knows every property's name and type. The model of the API call that makes the resource (botocore's) knows more:
the words that a property may take, how long it may be, its pattern and its range. A property of the model is found by
its name without regard to case; those that the provider calls otherwise are told by the handler.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, get_args, get_origin

from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape
from botocore.validate import ParamValidator
from pulumi import _types

from dev.emulator.client import LOADER
from dev.resources.handler import Properties
from dev.resources.wire import UNKNOWN

_SCALARS: Mapping[type, tuple[type, ...]] = {
    str: (str,),
    bool: (bool,),
    int: (int,),
    float: (int, float),
}


@cache
def input_type(token: str) -> type:
    """The SDK's input type of a resource: `aws:ecs/service:Service` -> `pulumi_aws.ecs.ServiceArgs`."""
    import pulumi_aws  # large, and not needed to look at an environment

    _, path, name = token.split(":")
    found: type = getattr(getattr(pulumi_aws, path.partition("/")[0]), f"{name}Args")
    return found


def faults(token: str, properties: Properties) -> Iterator[str]:
    """Every property that the SDK does not know, that has another type, or that is missing."""
    yield from _of_input(input_type(token), properties, "")


def _of_input(kind: type, properties: Properties, where: str) -> Iterator[str]:
    types = _types.input_type_types(kind)
    wire = _types.input_type_py_to_pulumi_names(kind)
    for name, value in properties.items():
        if name not in types:
            yield f"`{where}{name}` is no property of {kind.__name__}"
        elif value is not None:
            yield from _of_type(types[name], value, f"{where}{name}")
    parameters = inspect.signature(kind.__init__).parameters  # type: ignore[misc]  # the class's own
    for python, parameter in parameters.items():
        required = python in wire and parameter.default is inspect.Parameter.empty
        if required and wire[python] not in properties:
            yield f"`{where}{wire[python]}` is missing"


def _of_type(kind: Any, value: Any, where: str) -> Iterator[str]:
    if value == UNKNOWN:
        return
    kind = _types.unwrap_type(kind)
    origin, arguments = get_origin(kind), get_args(kind)
    if kind in _SCALARS:
        if not isinstance(value, _SCALARS[kind]) or (isinstance(value, bool) and kind is not bool):
            yield f"`{where}` is {json.dumps(value)}, which is no {kind.__name__}"
    elif origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            yield f"`{where}` is no mapping"
            return
        for key, item in value.items():
            yield from _of_type(arguments[1], item, f"{where}.{key}")
    elif origin is not None and issubclass(origin, Sequence):
        if not isinstance(value, list):
            yield f"`{where}` is no list"
            return
        for number, item in enumerate(value):
            yield from _of_type(arguments[0], item, f"{where}[{number}]")
    elif isinstance(kind, type) and _types.is_input_type(kind):
        if not isinstance(value, Mapping):
            yield f"`{where}` is no object"
            return
        yield from _of_input(kind, value, f"{where}.")
    else:
        yield f"`{where}` has the type {kind}, which nothing here can check"


@cache
def _model(service: str) -> ServiceModel:
    return ServiceModel(LOADER.load_service_model(service, "service-2"), service)


@cache
def request_shape(service: str, operation: str) -> StructureShape:
    """The input of an API call, by botocore's model of the service."""
    shape = _model(service).operation_model(operation).input_shape
    assert shape is not None, "every call that makes something takes something"
    return shape


def breaches(
    shape: StructureShape, properties: Properties, called: Mapping[str, str], where: str = ""
) -> Iterator[str]:
    """Every value that the API's model refuses. `called` are its names for properties that the provider calls otherwise."""
    members = {name.lower(): member for name, member in shape.members.items()}
    for name, value in properties.items():
        member = members.get(called.get(name, name).lower())
        if member is not None and value is not None:
            yield from _of_shape(member, value, f"{where}{name}", called)


def _of_shape(shape: Shape, value: Any, where: str, called: Mapping[str, str]) -> Iterator[str]:
    if value == UNKNOWN:
        return
    match shape, value:
        case StructureShape(), Mapping():
            yield from breaches(shape, value, called, f"{where}.")
        case ListShape(), list():
            yield from _length(shape, value, where)
            for number, item in enumerate(value):
                yield from _of_shape(shape.member, item, f"{where}[{number}]", called)
        case MapShape(), Mapping():
            for key, item in value.items():
                yield from _of_shape(shape.key, key, f"{where} key", called)
                yield from _of_shape(shape.value, item, f"{where}.{key}", called)
        case _, str() if shape.type_name == "string":
            yield from _text(shape, value, where)
        case _, int() | float() if shape.type_name in ("integer", "long", "double", "float"):
            yield from _range(shape, value, where)
        case _:
            pass  # the provider's own form of it, such as text for a number; the SDK's type was checked


def _text(shape: Shape, value: str, where: str) -> Iterator[str]:
    words = shape.metadata.get("enum")
    if words and value not in words:
        yield f"`{where}` is {value!r}, and AWS takes {', '.join(words)}"
    pattern = shape.metadata.get("pattern")
    if pattern and not _matches(pattern, value):
        yield f"`{where}` is {value!r}, which does not match {pattern}"
    yield from _length(shape, value, where)


@cache
def _compiled(pattern: str) -> re.Pattern[str] | None:
    """Patterns are Java's; one that is not Python's, by its classes of letters, says nothing here."""
    try:
        return re.compile(pattern)
    except re.error:
        return None


def _matches(pattern: str, value: str) -> bool:
    compiled = _compiled(pattern)
    return compiled is None or compiled.fullmatch(value) is not None


def _length(shape: Shape, value: Sequence[Any], where: str) -> Iterator[str]:
    least, most = shape.metadata.get("min", 0), shape.metadata.get("max")
    if len(value) < least:
        yield f"`{where}` has {len(value)} of at least {least}"
    if most is not None and len(value) > most:
        yield f"`{where}` has {len(value)} of at most {most}"


def _range(shape: Shape, value: float, where: str) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and value < least:
        yield f"`{where}` is {value}, and AWS takes at least {least}"
    if most is not None and value > most:
        yield f"`{where}` is {value}, and AWS takes at most {most}"


def document_faults(shape: Shape, document: Any, where: str) -> Iterator[str]:
    """As the API itself takes it: every member known, of its type, with what it requires, and within its words and limits."""
    report = ParamValidator().validate(document, shape)
    if report.has_errors():
        yield f"`{where}`: {report.generate_report()}"
    yield from _unknown(shape, document, where)
    yield from _of_shape(shape, document, where, {})


def _unknown(shape: Shape, value: Any, where: str) -> Iterator[str]:
    match shape, value:
        case StructureShape(), dict():
            for name, item in value.items():
                if name not in shape.members:
                    yield f"`{where}.{name}` is not known"
                else:
                    yield from _unknown(shape.members[name], item, f"{where}.{name}")
        case ListShape(), list():
            for number, item in enumerate(value):
                yield from _unknown(shape.member, item, f"{where}[{number}]")
        case _:
            pass
