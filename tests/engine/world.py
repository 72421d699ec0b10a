"""The real engine on a project of a test's own, driven by Pulumi's Automation API, with `__main__.py` run in line.

The engine, its plugins and the dynamic providers are processes of their own; only the program runs in this one.
"""

from __future__ import annotations

import gc
import json
import os
import runpy
from collections.abc import Callable, Iterator, Mapping
from contextlib import chdir, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import psycopg
import yaml
from pulumi import automation as auto

from compiler.migrate.propose import propose, write
from compiler.pipeline import compile_datasets
from dev.emulator.client import session
from dev.stack import STACK
from tests.engine.project import Project

PROJECT = "sluice"


@dataclass(frozen=True)
class Step:
    """What the engine does, or would do, with one resource. `differs` are the properties that it names, with the kind."""

    op: str
    type: str
    name: str
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    differs: Mapping[str, str]
    replacing: tuple[str, ...]

    @property
    def key(self) -> str:
        """`Queue alert_events-buffer`."""
        return f"{self.type.rpartition(':')[2]} {self.name}"


@dataclass(frozen=True)
class Outcome:
    """One run of the engine: its steps in order, the same by what came out, and all that it said."""

    steps: tuple[Step, ...]
    ended: tuple[Step, ...]
    text: str

    @property
    def changes(self) -> dict[str, str]:
        """What is not left as it is: `Queue alert_events-buffer` -> `update`. A replacement counts once."""
        return {one.key: one.op for one in self.steps if one.op not in ("same", "refresh", *_PARTS)}

    @property
    def drift(self) -> dict[str, str]:
        """What a refresh found changed or gone."""
        return {one.key: one.op for one in self.ended if one.op in ("update", "delete")}

    def step(self, key: str) -> Step:
        """The step of that resource which is no part of a replacement."""
        [found] = [one for one in self.steps if one.key == key and one.op not in _PARTS]
        return found


_PARTS = ("create-replacement", "delete-replaced", "discard-replaced")


@dataclass
class World:
    """A stack. `said` is every byte that the engine wrote to its user: output, errors and events."""

    project: Project
    stack: auto.Stack
    said: list[str] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        """The project's folder."""
        return self.project.folder

    def preview(self, **options: Any) -> Outcome:
        """`pulumi preview`."""
        return self._run(self.stack.preview, **options)

    def up(self, watch: Callable[[auto.EngineEvent], None] = lambda _: None, **options: Any) -> Outcome:
        """`pulumi up`. Each event is handed to `watch` as it comes."""
        return self._run(self.stack.up, watch, **options)

    def refresh(self, **options: Any) -> Outcome:
        """`pulumi refresh`, which does not run the program."""
        return self._run(self.stack.refresh, **options)

    def destroy(self, **options: Any) -> Outcome:
        """`pulumi destroy`, which does not run the program."""
        return self._run(self.stack.destroy, **options)

    def refused(self, run: Callable[..., Outcome], **options: Any) -> str:
        """What the engine says of a run that fails. AssertionError where it does not."""
        try:
            run(**options)
        except auto.CommandError as error:
            self.said.append(str(error))
            return str(error)
        raise AssertionError("the engine ended without an error")

    def settles(self) -> None:
        """AssertionError unless a refresh finds everything as it was, and the program then asks for nothing."""
        found = self.preview(refresh=True)
        assert found.drift == {}, found.drift
        assert found.changes == {}, found.changes
        assert [one for one in found.ended if one.op == "refresh"], "everything was looked at"

    def manifest(self, name: str, change: Callable[[dict[str, Any]], None]) -> None:
        """Change a dataset's manifest and write the migration that this needs."""
        path = self.folder / "datasets" / name / "dataset.json"
        value = json.loads(path.read_text(encoding="utf-8"))
        change(value)
        path.write_text(json.dumps(value), encoding="utf-8")
        for one in compile_datasets(self.folder).require():
            if one.dataset.name == name:
                write(propose(one.dataset, one.folder))

    def configure(self, **values: Any) -> None:
        """Set keys of the stack's configuration, in its file."""
        path = self.folder / f"Pulumi.{STACK}.yaml"
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        document["config"] |= {f"sluice:{key}": value for key, value in values.items()}
        path.write_text(yaml.safe_dump(document), encoding="utf-8")

    def environment(self, **values: str) -> None:
        """Set environment variables of the engine and its plugins."""
        self.project.environment.update(values)
        self.stack.workspace.env_vars = {**self.stack.workspace.env_vars, **values}

    def database(self, **values: Any) -> None:
        """Set members of the key `database`."""
        path = self.folder / f"Pulumi.{STACK}.yaml"
        database = yaml.safe_load(path.read_text(encoding="utf-8"))["config"]["sluice:database"]
        self.configure(database={**database, **values})

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement as the administrator; the rows, where there are any."""
        with psycopg.connect(**self.project.postgres, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def aws(self, service: str) -> Any:
        """A client of the emulator's administrator."""
        return session(self.project.emulator).client(service)

    def queue(self, name: str) -> str:
        """A queue's URL."""
        return str(self.aws("sqs").get_queue_url(QueueName=name)["QueueUrl"])

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs."""
        with self._environment():
            return {key: one.value for key, one in self.stack.outputs().items()}

    @contextmanager
    def _environment(self) -> Iterator[None]:
        with chdir(self.folder), mock.patch.dict(os.environ, {"PATH": self.project.environment["PATH"]}):
            yield

    def _run(
        self,
        command: Callable[..., Any],
        watch: Callable[[auto.EngineEvent], None] = lambda _: None,
        **options: Any,
    ) -> Outcome:
        events: list[auto.EngineEvent] = []

        def seen(event: auto.EngineEvent) -> None:
            events.append(event)
            watch(event)

        try:
            with self._environment():
                done = command(
                    on_event=seen, on_output=self.said.append, on_error=self.said.append, **options
                )
        finally:
            gc.collect()  # a program that was cut off leaves coroutines, which must not end within pytest's own work
        self.said.append(json.dumps([vars(one) for one in events], default=_described))
        return Outcome(
            tuple(_step(one.resource_pre_event.metadata) for one in events if one.resource_pre_event),
            tuple(_step(one.res_outputs_event.metadata) for one in events if one.res_outputs_event),
            f"{done.stdout}{done.stderr}",
        )


# The file backend writes the whole state after each step, which takes half of an update; here its end is enough.
_ONE_CHECKPOINT = {"PULUMI_SKIP_CHECKPOINTS": "true", "PULUMI_EXPERIMENTAL": "true"}


def world_of(project: Project) -> World:
    """The project's stack under the Automation API."""
    with mock.patch.dict(os.environ, {"PATH": project.environment["PATH"]}):
        stack = auto.select_stack(
            stack_name=STACK,
            project_name=PROJECT,
            program=_program,
            opts=auto.LocalWorkspaceOptions(
                work_dir=str(project.folder), env_vars=project.environment | _ONE_CHECKPOINT
            ),
        )
    return World(project, stack)


def _program() -> None:
    """The project's own program; the working folder is the project's."""
    runpy.run_path("__main__.py", run_name="__main__")


def _step(metadata: auto.StepEventMetadata) -> Step:
    new, differences = metadata.new, metadata.detailed_diff or {}
    return Step(
        op=str(getattr(metadata.op, "value", metadata.op)),
        type=metadata.type,
        name=metadata.urn.rpartition("::")[2],
        inputs=dict(new.inputs or {}) if new else {},
        outputs=dict(new.outputs or {}) if new else {},
        differs={
            key: str(getattr(one.diff_kind, "value", one.diff_kind)) for key, one in differences.items()
        },
        replacing=tuple(metadata.keys or ()),
    )


def _described(value: Any) -> Any:
    return vars(value) if hasattr(value, "__dict__") else str(value)
