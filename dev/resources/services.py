"""The sinks' ECS service, which runs here: one local process stands for all of its tasks."""

from __future__ import annotations

from typing import Any

from dev.resources.context import Context
from dev.resources.declared import Declared, arn
from dev.resources.handler import Change, Created, Properties, ResourceError, State
from dev.sinks import Sinks, SinkSpec, spec_of

DATASET_TAG, PLAN_TAG = "sluice:dataset", "sluice:plan"
_DIGEST = "localDigest"


class Service(Declared):
    """A service; the id is its ARN. It is up once the sink has registered its plan in the database, else it fails."""

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
        if change is Change.NONE and not Sinks(context.home).runs(_spec(context, new)):
            return Change.UPDATE
        return change

    def create(self, context: Context, name: str, inputs: Properties) -> Created:
        """Start the sink, and stop what it takes the place of; one that runs as it should is left alone."""
        made = super().create(context, name, inputs)
        sinks, spec = Sinks(context.home), _spec(context, inputs)
        if not sinks.runs(spec):
            sinks.bring_up(spec, context.postgres)
        return Created(made.id, {**made.outputs, _DIGEST: spec.digest})

    def delete(self, context: Context, state: State) -> None:
        """Stop the sink; it drains first. One that took its place goes on."""
        sinks = Sinks(context.home)
        sinks.stop([sink for sink in sinks.known() if sink.digest == state.outputs[_DIGEST]])


def _spec(context: Context, inputs: Properties) -> SinkSpec:
    task = context.tasks.get(inputs["taskDefinition"])
    return spec_of(context.home, context.aws, inputs["tags"][DATASET_TAG], task, inputs["tags"][PLAN_TAG])


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
