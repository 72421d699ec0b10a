"""`sluice dev up`, `down`: the whole embedded environment, brought to what the project declares.

    servers      Postgres and the AWS emulator, each started unless it runs                  dev/servers.py
    principals   the roles that the stack binds and other teams own on AWS                   dev/principals.py
    program      `__main__.py` with local resource handlers in the engine's place: the        dev/program.py
                 sinks' services among them, each a process of its own
    outputs      `.sluice/outputs.json`: the stack's exports, and how to reach the servers   dev/outputs.py
    sinks        those that no service runs any more are stopped                             dev/sinks.py
    tables       nothing was changed by hand                                                 compiler/migrate/

Every step leaves alone what is right already, so a second `up` is quick, and mends what crashed since the first.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from compiler.dataset import Dataset
from compiler.migrate.apply import status as chain_status
from compiler.migrate.chain import read_chain
from compiler.migrate.errors import DriftError, MigrateError
from compiler.pipeline import DATASETS, check_datasets, compile_datasets
from compiler.problems import Problem, ProblemsError, Severity, errors
from compiler.stack import StackConfig, load_stack
from dev import damage, outputs, principals, program_run, servers
from dev.outputs import load_outputs
from dev.postgres import Address
from dev.resources.apply import Event
from dev.servers import Servers
from dev.sinks import RunningSink, Sinks
from dev.stack import STACK, configured
from dev.state import DevError, Paths, locked, write_json

__all__ = ["Environment", "Observer", "Up", "load_outputs"]

UNPLANNED = "chain-missing"


class Observer:
    """Is told what goes on; this one keeps it to itself."""

    def began(self, what: str) -> None:
        """A step began."""

    def ended(self, what: str, found: str, seconds: float) -> None:
        """A step ended well; `found` says with what."""

    def resource(self, event: Event) -> None:
        """The program dealt with a resource."""


@dataclass(frozen=True)
class Up:
    """What `up` did: each resource as it was dealt with, and the sinks that were started and stopped, by dataset.

    `lost` counts resources that a server had lost since the last run (an emulator keeps everything in memory).
    """

    outputs: Mapping[str, Any]
    resources: tuple[Event, ...]
    sinks_started: tuple[str, ...]
    sinks_stopped: tuple[str, ...]
    lost: int
    seconds: float


class Environment:
    """The embedded environment of one project; `paths` is its state folder."""

    def __init__(self, project: Path, paths: Paths | None = None, observer: Observer | None = None) -> None:
        self.project = project
        self.paths = paths or Paths.of(project)
        self._observer = observer or Observer()
        self._mark: Path | None = None  # while an `up` is under way

    def up(self) -> Up:
        """Bring everything up, or to what the project declares now.

        Raises ProblemsError for what is wrong in the project, before anything is started, and DevError.
        """
        began = time.monotonic()
        config, datasets = self._checked()
        with locked(self.paths), self._marked():
            with self._step("servers") as found:
                both = servers.start(self.paths, config.region)
                lost = servers.forget_lost(self.paths, both)
                outputs.forget_stale(self.paths, both)
                found(f"Postgres on port {both.address.port}, AWS emulator on {both.emulator.endpoint_url}")
            readers = self._principals(config, both, datasets)
            events: list[Event] = []
            sinks = Sinks(self.paths)
            before = sinks.known()
            with self._step("resources") as found:
                exports = program_run.run(
                    self.project.absolute(), self.paths, lambda event: self._note(events, event)
                )
                found(f"{len(events)} resources")
            document = outputs.write(self.paths, exports, both, readers)
            self._sinks(sinks, exports)
            self._tables(both, datasets)
        after = sinks.known()
        started, stopped = _datasets(set(after) - set(before)), _datasets(set(before) - set(after))
        return Up(document, tuple(events), started, stopped, lost, time.monotonic() - began)

    def down(self, *, keep_data: bool = False) -> tuple[RunningSink, ...]:
        """Stop everything and delete the environment's state; with `keep_data` Postgres' data stay for the next `up`.

        Messages that are still in a queue are gone either way: the emulator keeps them in memory. Returns the sinks
        that were stopped. Raises DevError where a process does not end.
        """
        with locked(self.paths):
            self._clear_damage()
            sinks = Sinks(self.paths)
            stopped = sinks.known()
            with self._step("sinks") as found:
                sinks.stop(stopped)
                found(f"{len(stopped)} stopped")
            with self._step("servers") as found:
                servers.stop(self.paths, keep_data=keep_data)
                found("stopped")
            outputs.remove_state(self.paths, keep_data=keep_data)
        outputs.remove_folder(self.paths)
        return stopped

    def _checked(self) -> tuple[StackConfig, tuple[Dataset, ...]]:
        """As `_compile`; an environment that runs is marked as not what was asked for where that fails."""
        try:
            return self._compile()
        except ProblemsError:
            if (self.paths.root / outputs.OUTPUTS).exists():
                write_json(self.paths.unfinished, {"step": "check"})
            raise

    @contextmanager
    def _marked(self) -> Iterator[None]:
        """Leave in the folder how far an `up` came, until it has come to its end."""
        self._mark = self.paths.unfinished
        yield
        self._mark.unlink(missing_ok=True)

    def _clear_damage(self) -> None:
        files = damage.damaged(self.paths)
        if files:
            with self._step("damaged") as found:
                ended = damage.clear(self.paths, files)
                found(f"{', '.join(path.name for path in files)} deleted, {ended} processes stopped")

    def _compile(self) -> tuple[StackConfig, tuple[Dataset, ...]]:
        checked, compilation = check_datasets(self.project), compile_datasets(self.project)
        stack = load_stack(
            self.project / f"Pulumi.{STACK}.yaml", configured(Address("127.0.0.1", 1, "", "", "-"))
        )
        datasets = tuple(one.dataset for one in compilation.datasets)
        problems = map(_unplanned_is_error, checked.problems)
        found = (*problems, *stack.problems, *stack.serves(datasets))
        if errors(found):
            raise ProblemsError(found)
        config = stack.require()
        return config, tuple(dataset for dataset in datasets if config.selects(dataset.name))

    def _principals(
        self, config: StackConfig, both: Servers, datasets: tuple[Dataset, ...]
    ) -> Mapping[str, str]:
        context = principals.context_of(both.emulator, both.address)
        with self._step("principals") as found:
            producers = principals.make_producers(context, config, datasets)
            readers = principals.make_readers(context, self.paths, config, datasets)
            found(f"{len(producers)} producers, {len(readers)} logins")
        return readers

    def _note(self, events: list[Event], event: Event) -> None:
        events.append(event)
        self._observer.resource(event)

    def _sinks(self, sinks: Sinks, exports: Mapping[str, Any]) -> None:
        """Services run one each; what is left of services that an earlier emulator took along is stopped."""
        with self._step("sinks") as found:
            left = tuple(sink for sink in sinks.known() if sink.dataset not in exports["datasets"])
            sinks.stop(left)
            found(f"{len(exports['datasets'])} running")

    def _tables(self, both: Servers, datasets: tuple[Dataset, ...]) -> None:
        """No table may be otherwise than its migrations left it. Raises DevError."""
        with self._step("tables") as found:
            for dataset in datasets:
                chain = read_chain(self.project / DATASETS / dataset.name, dataset.name, dataset.version)
                if chain is None:
                    continue
                try:
                    changed = chain_status(both.address.conninfo(), chain).drift
                except MigrateError as error:
                    raise DevError(str(error)) from None
                if changed:
                    table = f"{chain.table.schema}.{chain.table.name}"
                    raise DevError(str(DriftError(table, changed, dataset.name)))
            found("as their migrations left them")

    @contextmanager
    def _step(self, what: str) -> Iterator[Callable[[str], None]]:
        """Tell the observer of a step; the step calls what it is given once it knows what it found."""
        began = time.monotonic()
        if self._mark:
            write_json(self._mark, {"step": what})
        self._observer.began(what)
        said: list[str] = []
        yield said.append
        self._observer.ended(what, " ".join(said), time.monotonic() - began)


def _unplanned_is_error(problem: Problem) -> Problem:
    """Without its first migration a dataset has no table, so what is a warning elsewhere stops `up`."""
    return replace(problem, severity=Severity.ERROR) if problem.rule == UNPLANNED else problem


def _datasets(sinks: Iterable[RunningSink]) -> tuple[str, ...]:
    return tuple(sorted({sink.dataset for sink in sinks}))
