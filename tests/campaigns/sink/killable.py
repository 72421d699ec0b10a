"""`python -m tests.campaigns.sink.killable`: lives of one sink, each in a process of its own that kills itself at a place.

A line of JSON on stdin begins a life, `{"place": "committed", "passes": 3}` or `{}` for one that does not kill itself; its
`{"pid": ...}` and later its `{"status": ...}` come on stdout. The program is loaded once and forks, so that a life begins
in a tenth of a second. The product knows nothing of this: its functions are wrapped here.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sink_runtime.__main__ import main as sink_main
from sink_runtime.faults import Fault
from sink_runtime.pipeline.batchwriter import BatchWriter
from sink_runtime.pipeline.deleter import Deleter
from sink_runtime.pipeline.events import Publisher
from sink_runtime.pipeline.heartbeat import Heartbeat
from sink_runtime.pipeline.intake import Intake
from sink_runtime.pipeline.receiver import Receiver
from sink_runtime.pipeline.rejects import Rejects
from sink_runtime.postgres.writer import Writer
from sink_runtime.records.admission import Admission


@dataclass(frozen=True)
class Place:
    """A method, whether the life ends before a call of it or after, and which calls count: by arguments and result."""

    owner: type
    method: str
    after: bool
    counts: Callable[[tuple[Any, ...], Any], bool] = lambda _arguments, _result: True


def _brought_some(arguments: tuple[Any, ...], _: Any) -> bool:
    return bool(arguments[1])


def _was_answered(arguments: tuple[Any, ...], _: Any) -> bool:
    return not isinstance(arguments[2], Fault)


PLACES = {
    "received": Place(Receiver, "_hold", after=False, counts=_brought_some),
    "decoded": Place(Admission, "read", after=True),
    "batch taken": Place(Intake, "take", after=True, counts=lambda _, batch: bool(batch)),
    "executed, not committed": Place(Writer, "_execute", after=True),
    "committed": Place(Writer, "write", after=True),
    "to be settled": Place(BatchWriter, "_tell", after=False),
    "settled": Place(BatchWriter, "deliver", after=True),
    "dead letter to be sent": Place(Rejects, "_send", after=False),
    "dead letter sent": Place(Rejects, "_send", after=True),
    "delete to be sent": Place(Deleter, "_begin", after=False),
    "deleted": Place(Deleter, "_take", after=False, counts=_was_answered),
    "event to be published": Place(Publisher, "_publish", after=False),
    "event published, not marked": Place(Publisher, "_publish", after=True),
    "heartbeat to be sent": Place(Heartbeat, "_extend", after=False),
    "heartbeat sent": Place(Heartbeat, "_extend", after=True),
}


def arm(name: str, passes: int) -> None:
    """Kill this process at the place's n-th pass."""
    place = PLACES[name]
    wrapped: Callable[..., Any] = getattr(place.owner, place.method)
    left = iter(range(passes, 0, -1))
    lock = threading.Lock()

    def pass_by() -> None:
        with lock:
            if next(left) == 1:
                os.kill(os.getpid(), signal.SIGKILL)

    def wrapper(*arguments: Any, **named: Any) -> Any:
        if not place.after and place.counts(arguments, None):
            pass_by()
        result = wrapped(*arguments, **named)
        if place.after and place.counts(arguments, result):
            pass_by()
        return result

    setattr(place.owner, place.method, wrapper)


def main() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _live(order)
        print(json.dumps({"pid": pid}), flush=True)
        _, status = os.waitpid(pid, 0)
        print(json.dumps({"status": os.waitstatus_to_exitcode(status)}), flush=True)


def _live(order: dict[str, Any]) -> None:
    """The child: it never returns. Its log goes to stderr, and nothing of it to the parent's stdout."""
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    os.close(sys.stdin.fileno())
    if "place" in order:
        arm(order["place"], order["passes"])
    code = 1
    try:
        code = sink_main([])
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
