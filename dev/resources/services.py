"""The sinks' ECS service, which runs here: one local process stands for all of its tasks."""

from __future__ import annotations

from typing import Any

from dev.resources.context import Context
from dev.resources.declared import Declared, arn
from dev.resources.handler import Change, Created, Properties, ResourceError, State
from dev.sinks import Sinks, SinkSpec, spec_of
from dev.state import Paths
from dev.tasks import Tasks

DATASET_TAG, PLAN_TAG = "sluice:dataset", "sluice:plan"
_DIGEST = "localDigest"


class Service(Declared):
    """A service; the id is its ARN. It is up once the sink has registered its plan in the database, else it fails.

    Where no environment's folder is, it is only kept, as all that cannot run there.
    """

    def check(self, context: Context, old: Properties | None, new: Properties) -> dict[str, Any]:
        """As declared; and the tags say whose sink it is, and by which plan."""
        checked = super().check(context, old, new)
        missing = [tag for tag in (DATASET_TAG, PLAN_TAG) if tag not in new.get("tags", {})]
        if missing:
            raise ResourceError(f"`tags` lacks {' and '.join(missing)}, by which the local sink is known.")
        return checked

    def diff(self, context: Context, state: State, new: Properties) -> Change:
        """Changed also where the process does not run any more, or would be told something else now."""
        change = super().diff(context, state, new)
        if change is not Change.NONE or context.paths is None:
            return change
        runs = Sinks(context.paths).runs(_spec(context, context.paths, new))
        return Change.NONE if runs else Change.UPDATE

    def create(self, context: Context, name: str, inputs: Properties) -> Created:
        """Start the sink, and stop what it takes the place of; one that runs as it should is left alone."""
        made = super().create(context, name, inputs)
        if context.paths is None:
            return made
        sinks, spec = Sinks(context.paths), _spec(context, context.paths, inputs)
        if not sinks.runs(spec):
            sinks.bring_up(spec, context.postgres)
        return Created(made.id, {**made.outputs, _DIGEST: spec.digest})

    def delete(self, context: Context, state: State) -> None:
        """Stop the sink; it drains first. One that took its place goes on."""
        if context.paths is not None:
            sinks = Sinks(context.paths)
            sinks.stop([sink for sink in sinks.known() if sink.digest == state.outputs[_DIGEST]])


def _spec(context: Context, paths: Paths, inputs: Properties) -> SinkSpec:
    tags, task = inputs["tags"], Tasks(paths).get(inputs["taskDefinition"])
    return spec_of(paths, context.aws, tags[DATASET_TAG], task, tags[PLAN_TAG])


def _outputs(context: Context, inputs: Properties) -> dict[str, Any]:
    cluster = str(inputs["cluster"]).rpartition("/")[2]
    found = arn(context, "ecs", f"service/{cluster}/{inputs['name']}")
    return {"id": found, "arn": found}


SERVICE = Service(
    "aws:ecs/service:Service",
    ("ecs", "CreateService"),
    _outputs,
    called={"name": "serviceName"},
    replacing=frozenset({"name", "cluster", "launchType"}),
)
