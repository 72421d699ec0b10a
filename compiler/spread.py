"""Work on many items, spread over the machine's processors where that pays."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

# A forked process costs some milliseconds and the pickling of its results; below this many items it does not pay.
_LEAST = 100


def spread(work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """`[work(item) for item in items]`, in order, by several processes where there are many items.

    Children are forked, so that what was imported and built is there; `work` must therefore only read, and its results
    must pickle. A child that fails leaves its share to this process, where the error shows as it is.
    """
    count = min(_processors(), len(items) // _LEAST)
    if count < 2 or not hasattr(os, "fork") or threading.active_count() > 1:
        return [work(item) for item in items]
    shares = [items[number::count] for number in range(count)]
    children = [_fork(work, share) for share in shares[1:]]
    results = [[work(item) for item in shares[0]]]
    for child, share in zip(children, shares[1:], strict=True):
        received: list[Result] | None = _receive(*child)
        results.append([work(item) for item in share] if received is None else received)
    return [results[number % count][number // count] for number in range(len(items))]


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _fork(work: Callable[[Item], Result], share: Sequence[Item]) -> tuple[int, int]:
    """The child's process id and the pipe that its results come through."""
    import pickle  # only where there is a child to hear from

    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return child, reading
    try:
        os.close(reading)
        with os.fdopen(writing, "wb") as pipe:
            pickle.dump([work(item) for item in share], pipe, pickle.HIGHEST_PROTOCOL)
        os._exit(0)
    finally:  # after any error, even one in leaving: a child never returns into its parent's code
        os._exit(1)


def _receive(child: int, reading: int) -> list[Result] | None:
    import pickle

    with os.fdopen(reading, "rb") as pipe:
        data = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(status):
        return None
    results: list[Result] = pickle.loads(data)  # noqa: S301 - our own child wrote it
    return results
