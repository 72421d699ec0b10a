"""The engine's calls, each carried out by the handler of the resource's type.

In a preview nothing is touched: a new resource answers its inputs and what only a create will tell as unknown; a changed
one keeps the outputs that it had, since an unknown one would show a false replacement of everything that depends on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from importlib.metadata import version
from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from dev.plugin.places import Package
from dev.plugin.properties import plain, struct
from dev.resources.context import Context
from dev.resources.handler import Properties, ResourceError, Served, State
from dev.resources.registry import handler_of
from dev.resources.wire import UNKNOWN
from dev.state import DevError

# What the engine itself keeps in a provider's configuration: which plugin it is.
_ENGINES = ("version", "pluginDownloadURL")
_KIND = provider_pb2.PropertyDiff
_REPLACING = {
    _KIND.ADD: _KIND.ADD_REPLACE,
    _KIND.DELETE: _KIND.DELETE_REPLACE,
    _KIND.UPDATE: _KIND.UPDATE_REPLACE,
}
_Call = Callable[[Any, Any, Any], Any]


def _told(method: _Call) -> _Call:
    """An exception becomes the call's error: text that the engine shows beside the resource."""

    @wraps(method)
    def called(self: Any, request: Any, context: Any) -> Any:
        try:
            return method(self, request, context)
        except DevError as error:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
        except Exception as error:  # noqa: BLE001 - a service's own error is the answer
            context.abort(grpc.StatusCode.UNKNOWN, f"{type(error).__name__}: {error}".strip())

    return called


class Servicer(provider_pb2_grpc.ResourceProviderServicer):
    """One provider. What it leaves out (schemas, functions, components) gRPC answers as unimplemented."""

    def __init__(self, package: Package) -> None:
        self._package = package
        self._where: Context | None = None

    def Handshake(self, request: Any, context: Any) -> Any:
        """Plain values only: no secrets, no references to resources."""
        return provider_pb2.ProviderHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        """The version of the package whose resources are served: the engine compares it with what the program asks for."""
        return plugin_pb2.PluginInfo(version=version(f"pulumi-{self._package.name}"))

    def Attach(self, request: Any, context: Any) -> Any:
        """An engine that finds this provider running, by PULUMI_DEBUG_PROVIDERS; its address is not needed."""
        return Empty()

    @_told
    def CheckConfig(self, request: Any, context: Any) -> Any:
        """Refuse a setting that nothing here carries out."""
        return self._check(self._package.provider, request, engines=_ENGINES)

    @_told
    def DiffConfig(self, request: Any, context: Any) -> Any:
        """Another address is only another way to the same resources, as the published providers have it."""
        old, new = plain(request.old_inputs), plain(request.news)
        return _difference(self._package.provider.changed(old, new), old, new, frozenset())

    @_told
    def Configure(self, request: Any, context: Any) -> Any:
        """Find the emulator or the server, which must be what the configuration says."""
        inputs = {key: value for key, value in plain(request.args).items() if key not in _ENGINES}
        where = self._package.place(inputs)
        if where.emulator is not None:
            self._package.provider.create(where, self._package.name, inputs)
        self._where = where
        return provider_pb2.ConfigureResponse(supportsPreview=True)

    @_told
    def Check(self, request: Any, context: Any) -> Any:
        """The inputs, or why they are refused."""
        return self._check(self._handler(request.urn), request)

    @_told
    def Diff(self, request: Any, context: Any) -> Any:
        """Which inputs changed, and whether that needs another resource."""
        handler = self._handler(request.urn)
        old, new = plain(request.old_inputs), plain(request.news)
        changed = handler.changed(old, new) - set(request.ignoreChanges)
        answer = _difference(changed, old, new, handler.replacing)
        answer.deleteBeforeReplace = bool(answer.replaces) and not changed & handler.identity
        return answer

    @_told
    def Create(self, request: Any, context: Any) -> Any:
        """Create the resource. A name that the service would refuse a second time is refused here too."""
        handler, inputs = self._handler(request.urn), plain(request.properties)
        if request.preview:
            outputs = {**dict.fromkeys(handler.computed, UNKNOWN), **inputs}
            return provider_pb2.CreateResponse(properties=struct(outputs))
        if handler.exclusive:
            _refuse_a_second(handler, self._place, inputs)
        created = handler.create(self._place, _name(request.urn), inputs)
        return provider_pb2.CreateResponse(id=created.id, properties=struct(created.outputs))

    @_told
    def Read(self, request: Any, context: Any) -> Any:
        """What is there now: the inputs with what has drifted, or no id where it is gone."""
        handler = self._handler(request.urn)
        state = State(request.id, plain(request.inputs), plain(request.properties))
        live = handler.read(self._place, state)
        if live is None:
            return provider_pb2.ReadResponse()
        inputs = handler.refreshed(state.inputs, live)
        outputs = {
            **(state.outputs or handler.attributes(self._place, request.id)),
            **{key: inputs[key] for key in inputs if inputs[key] != state.inputs.get(key)},
        }
        return provider_pb2.ReadResponse(id=request.id, properties=struct(outputs), inputs=struct(inputs))

    @_told
    def Update(self, request: Any, context: Any) -> Any:
        """Bring the resource to its new inputs."""
        handler, inputs = self._handler(request.urn), plain(request.news)
        state = State(request.id, plain(request.old_inputs), plain(request.olds))
        if request.preview:
            kept = {key: value for key, value in state.outputs.items() if key in handler.computed}
            return provider_pb2.UpdateResponse(properties=struct({**kept, **inputs}))
        outputs = handler.update(self._place, state, inputs)
        return provider_pb2.UpdateResponse(properties=struct(outputs))

    @_told
    def Delete(self, request: Any, context: Any) -> Any:
        """Delete the resource; one that is gone already is no error."""
        state = State(request.id, plain(request.old_inputs), plain(request.properties))
        self._handler(request.urn).delete(self._place, state)
        return Empty()

    def Cancel(self, request: Any, context: Any) -> Any:
        """Nothing here takes long enough to be cut off."""
        return Empty()

    @property
    def _place(self) -> Context:
        if self._where is None:
            raise ResourceError("the provider was not configured.")
        return self._where

    def _handler(self, urn: str) -> Served:
        token = urn.split("::")[2].rpartition("$")[2]
        handler = handler_of(token)
        if not token.startswith(f"{self._package.name}:") or not isinstance(handler, Served):
            raise ResourceError(f"the provider {self._package.name} has no resource type {token}.")
        return handler

    def _check(self, handler: Any, request: Any, engines: tuple[str, ...] = ()) -> Any:
        old, new = plain(request.olds), plain(request.news)
        kept = {key: new.pop(key) for key in engines if key in new}
        try:
            inputs = handler.check(self._where, old, new) | kept
        except ResourceError as error:
            failure = provider_pb2.CheckFailure(reason=str(error))
            return provider_pb2.CheckResponse(inputs=request.news, failures=[failure])
        return provider_pb2.CheckResponse(inputs=struct(inputs))


def _refuse_a_second(handler: Served, where: Context, inputs: Properties) -> None:
    identity = handler.identify(where, inputs)
    if handler.read(where, State(identity, dict(inputs), {})) is not None:
        raise ResourceError(
            f"EntityAlreadyExists: {identity} is there already, and this stack did not make it."
        )


def _difference(changed: Iterable[str], old: Properties, new: Properties, replacing: frozenset[str]) -> Any:
    details = {}
    for key in sorted(changed):
        kind = _KIND.ADD if key not in old else _KIND.DELETE if key not in new else _KIND.UPDATE
        details[key] = _KIND(kind=_REPLACING[kind] if key in replacing else kind, inputDiff=True)
    return provider_pb2.DiffResponse(
        changes=provider_pb2.DiffResponse.DIFF_SOME if details else provider_pb2.DiffResponse.DIFF_NONE,
        replaces=[key for key in details if key in replacing],
        diffs=list(details),
        detailedDiff=details,
        hasDetailedDiff=True,
    )


def _name(urn: str) -> str:
    return urn.rpartition("::")[2]
