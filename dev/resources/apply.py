"""Bring resources to what a run of the program declares: create, update, replace, leave alone, and at the end remove."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from threading import Lock
from typing import Any, assert_never

from dev.resources.context import Context
from dev.resources.handler import Change, Created, Handler, Properties, ResourceError, State
from dev.resources.ledger import Key, Ledger, Record
from dev.resources.registry import handler_of


class Action(StrEnum):
    """What happened to a resource."""

    CREATED = "created"
    UPDATED = "updated"
    REPLACED = "replaced"
    UNCHANGED = "unchanged"
    DELETED = "deleted"
    RETAINED = "retained"


@dataclass(frozen=True)
class Event:
    """One resource dealt with, for the progress and the summary. `seconds` is what it took."""

    action: Action
    type: str
    name: str
    id: str
    seconds: float


class StoppedError(ResourceError):
    """An earlier resource failed, so this one was not touched."""


@dataclass
class Run:
    """One run of the program. `register` may be called from several threads; resources are dealt with one by one.

    `failure` is the first error, with its resource named; after it nothing more is touched.
    """

    context: Context
    ledger: Ledger
    report: Callable[[Event], None]
    find: Callable[[str], Handler] = handler_of
    failure: ResourceError | None = None
    declared: dict[Key, None] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def register(
        self, token: str, name: str, inputs: Properties, *, retain: bool
    ) -> tuple[str, dict[str, Any]]:
        """Bring one resource to its inputs; returns its id and outputs. Raises ResourceError that names it."""
        with self._lock:
            if self.failure is not None:
                raise StoppedError(f"{token} {name!r} was not touched: {self.failure}")
            try:
                record = self._register(token, name, inputs, retain=retain)
            except Exception as error:
                self.failure = ResourceError(f"{token} {name!r}: {_told(error)}")
                raise self.failure from error
            return record.state.id, record.state.outputs

    def finish(self) -> None:
        """Remove what was declared before and is no longer, newest first; what holds data or asks for it is retained.

        Raises ResourceError that names the resource.
        """
        for record in reversed(self.ledger.superseded[:]):
            self._remove(record)
            self.ledger.remove_superseded(record)
        for key in reversed([key for key in self.ledger.records if key not in self.declared]):
            record = self.ledger.records[key]
            self._remove(record)
            self.ledger.remove(key, retained=self._is_kept(record))

    def _register(self, token: str, name: str, inputs: Properties, *, retain: bool) -> Record:
        if (token, name) in self.declared:
            raise ResourceError("declared twice in one run.")
        self.declared[token, name] = None
        handler = self.find(token)
        began = time.monotonic()
        old = self.ledger.get((token, name))
        checked = handler.check(self.context, old.state.inputs if old else None, inputs)
        change, state = self._change(handler, old, name, checked)
        record = Record(token, name, state, retain)
        if old is not None and change is Action.REPLACED and state.id != old.state.id:
            self.ledger.supersede(old, record)
        elif record != old:
            self.ledger.put(record)
        self.report(Event(change, token, name, state.id, time.monotonic() - began))
        return record

    def _change(
        self, handler: Handler, old: Record | None, name: str, inputs: dict[str, Any]
    ) -> tuple[Action, State]:
        if old is None:
            return Action.CREATED, _state(handler.create(self.context, name, inputs), inputs)
        match handler.diff(self.context, old.state, inputs):
            case Change.NONE:
                return Action.UNCHANGED, old.state
            case Change.UPDATE:
                outputs = handler.update(self.context, old.state, inputs)
                return Action.UPDATED, State(old.state.id, inputs, outputs)
            case Change.REPLACE:  # the old one goes at the end of the run, when nothing refers to it any more
                return Action.REPLACED, _state(handler.create(self.context, name, inputs), inputs)
            case other:
                assert_never(other)

    def _is_kept(self, record: Record) -> bool:
        return record.retain or self.find(record.type).holds_data

    def _remove(self, record: Record) -> None:
        began = time.monotonic()
        kept = self._is_kept(record)
        try:
            if not kept:
                self.find(record.type).delete(self.context, record.state)
        except Exception as error:
            raise ResourceError(f"{record.type} {record.name!r} cannot be deleted: {_told(error)}") from error
        action = Action.RETAINED if kept else Action.DELETED
        self.report(Event(action, record.type, record.name, record.state.id, time.monotonic() - began))


def _state(created: Created, inputs: Mapping[str, Any]) -> State:
    return State(created.id, dict(inputs), created.outputs)


def _told(error: Exception) -> str:
    text = str(error).strip()
    return text if isinstance(error, ResourceError) and text else f"{type(error).__name__}: {text}"
