"""Dynamic resources: their provider classes are called as Pulumi's own plugin calls them.

The order is configure, check, diff, then create or update. The provider class comes from the property `__provider`,
which holds it pickled by reference. A mock of the engine calls none of this, so the handler does.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, ClassVar

import dill
from pulumi.dynamic import Config, ConfigureRequest, ResourceProvider

from dev.resources.context import Context
from dev.resources.handler import Change, Created, Handler, Properties, ResourceError, State

PROVIDER = "__provider"
PREFIX = "pulumi-python:dynamic"


class Dynamic(Handler):
    """Any dynamic resource. What it takes and what it means is its provider's business."""

    type: ClassVar = PREFIX
    carried: ClassVar = frozenset()

    def check(self, context: Context, old: Properties | None, new: Properties) -> dict[str, Any]:
        """The provider's check, with every failure in one error."""
        provider = _provider(context, new)
        result = provider.check(dict(old or {}), dict(new))
        if result.failures:
            raise ResourceError("; ".join(f"`{one.property}`: {one.reason}" for one in result.failures))
        return {**result.inputs, PROVIDER: new[PROVIDER]}

    def diff(self, context: Context, state: State, new: Properties) -> Change:
        """The provider's diff; where it does not say, any difference is a change."""
        result = _provider(context, new).diff(state.id, _state(state), dict(new))
        if result.replaces:
            return Change.REPLACE
        changes = result.changes if result.changes is not None else _without(state.inputs) != _without(new)
        return Change.UPDATE if changes else Change.NONE

    def create(self, context: Context, name: str, inputs: Properties) -> Created:
        """The provider's create."""
        del name
        result = _provider(context, inputs).create(dict(inputs))
        return Created(str(result.id), {**(result.outs or {}), PROVIDER: inputs[PROVIDER]})

    def update(self, context: Context, state: State, inputs: Properties) -> dict[str, Any]:
        """The provider's update."""
        result = _provider(context, inputs).update(state.id, _state(state), dict(inputs))
        return {**(result.outs or {}), PROVIDER: inputs[PROVIDER]}

    def delete(self, context: Context, state: State) -> None:
        """The provider's delete; one that retains does nothing there."""
        _provider(context, state.inputs).delete(state.id, _state(state))


class DynamicTable(Dynamic):
    """A dataset's table. Its provider's delete drops nothing, so a removed one is told as retained."""

    type: ClassVar = f"{PREFIX}/sluice:DatasetTable"
    holds_data: ClassVar = True


def _provider(context: Context, inputs: Properties) -> ResourceProvider:
    provider: ResourceProvider = dill.loads(base64.b64decode(inputs[PROVIDER]))  # noqa: S301 - our own program's
    raw: Mapping[str, Any] = dict(context.configuration)
    provider.configure(ConfigureRequest(config=Config(raw_config=raw, project_name=context.project)))  # type: ignore[arg-type]
    return provider


def _state(state: State) -> dict[str, Any]:
    return dict(state.outputs)


def _without(inputs: Properties) -> dict[str, Any]:
    return {key: value for key, value in inputs.items() if key != PROVIDER}
