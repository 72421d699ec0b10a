"""Puts a sink together from the plan and the settings: every thread's object, with connections of its own."""

from __future__ import annotations

import threading

from sink_runtime import __version__
from sink_runtime.app import Parts, Sink
from sink_runtime.aws import Aws
from sink_runtime.pipeline.batchwriter import WRITERS, BatchWriter
from sink_runtime.pipeline.deadletters import DeadLetters
from sink_runtime.pipeline.deleter import CALLS, Deleter
from sink_runtime.pipeline.events import Publisher
from sink_runtime.pipeline.heartbeat import Heartbeat
from sink_runtime.pipeline.receiver import RECEIVES, Receiver
from sink_runtime.pipeline.rejects import Rejects
from sink_runtime.pipeline.shared import Shared
from sink_runtime.postgres.database import Database
from sink_runtime.postgres.login import login_of
from sink_runtime.postgres.session import Session
from sink_runtime.postgres.writer import Writer
from sink_runtime.records.admission import Admission
from sink_runtime.settings import Settings
from sink_runtime.sqs.calls import SqsDeletes, SqsQueue, SqsReceives, endpoint_of
from sink_runtime.sqs.wire import Wire


def assemble(found: Settings, aws: Aws, shared: Shared) -> Sink:
    """The sink from its parts; nothing is connected yet."""
    return Sink(_Assembly(found, aws, shared).parts(), shared, found.drain_seconds)


class _Assembly:
    def __init__(self, found: Settings, aws: Aws, shared: Shared) -> None:
        self._settings = found
        self._aws = aws
        self._shared = shared
        self._plan = shared.plan

    def parts(self) -> Parts:
        shared = self._shared
        return Parts(
            receiver=Receiver(
                SqsReceives(self._settings.buffer_url, self._buffer_wires(RECEIVES)),
                Admission(self._plan, self._settings.trusted_senders),
                shared,
            ),
            writers=[self._writer(f"writer-{number}") for number in range(1, WRITERS + 1)],
            rejects=self._rejects(),
            deleter=Deleter(SqsDeletes(self._settings.buffer_url, self._buffer_wires(CALLS)), shared),
            heartbeat=Heartbeat(self._buffer(), threading.Event(), shared),
            publisher=self._publisher(),
            buffer=self._buffer(),
        )

    def _writer(self, name: str) -> BatchWriter:
        database = self._database()
        session = Session(database, self._plan, self._shared.plan_sha256)
        writer = Writer(
            self._plan,
            self._shared.plan_sha256,
            database.begin,
            prepare=not self._settings.has_pooler,
            accepted=self._settings.accept_refusals,
        )
        return BatchWriter(name, session, writer, self._shared)

    def _rejects(self) -> Rejects:
        letters = DeadLetters(self._plan, self._shared.plan_sha256, __version__)
        dead_letter_queue = self._queue(self._settings.dead_letter_url, "dead_letters")
        return Rejects(self._buffer(), dead_letter_queue, letters, self._shared)

    def _publisher(self) -> Publisher | None:
        topic = self._settings.topic_arn
        if not (self._plan.publish_events and topic):
            return None
        return Publisher(self._aws, topic, self._database(), self._settings.environment, self._shared)

    def _database(self) -> Database:
        return Database(self._settings, self._plan, login_of(self._settings, self._aws))

    def _buffer(self) -> SqsQueue:
        return self._queue(self._settings.buffer_url, "buffer")

    def _buffer_wires(self, number: int) -> list[Wire]:
        url = self._settings.buffer_url
        return [self._aws.wire(url, endpoint_of, "buffer") for _ in range(number)]

    def _queue(self, url: str, dependency: str) -> SqsQueue:
        return SqsQueue(url, self._aws.wire(url, endpoint_of, dependency))
