"""Work on many items, spread over the machine's processors where that pays."""

from __future__ import annotations

import os
import threading
from array import array
from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

# A forked process costs some milliseconds and the pickling of its results; below this many items it does not pay.
_LEAST = 100
# Few items at a time, so that no process is left with much to do when the others have ended.
_CHUNK = 10
# As many numbers as surely fit into an empty pipe.
_MOST_CHUNKS = 1000


def spread(work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """`[work(item) for item in items]`, in order, by several processes where there are many items.

    Children are forked, so that what was imported and built is there; `work` must therefore only read, and its results
    must pickle. Each process takes the next few items as it comes to them: processors are rarely equally fast. What a
    child that fails had taken is done by this process, where the error shows as it is.
    """
    count = min(_processors(), len(items) // _LEAST)
    if count < 2 or not hasattr(os, "fork") or threading.active_count() > 1:
        return [work(item) for item in items]
    size = max(_CHUNK, -(-len(items) // _MOST_CHUNKS))
    pile = _pile(range(0, len(items), size))
    try:
        children = [_fork(work, items, size, pile) for _ in range(count - 1)]
        results = _share(work, items, size, pile)
    finally:
        os.close(pile)
    for child in children:
        results |= _receive(*child)
    return [results[number] if number in results else work(item) for number, item in enumerate(items)]


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _pile(numbers: range) -> int:
    """A pipe that holds the numbers, for several processes to read from: each number comes to one of them."""
    reading, writing = os.pipe()
    os.write(writing, array("I", numbers).tobytes())
    os.close(writing)
    return reading


def _share(work: Callable[[Item], Result], items: Sequence[Item], size: int, pile: int) -> dict[int, Result]:
    """What this process comes to do, by the items' numbers."""
    done = {}
    while taken := os.read(pile, array("I").itemsize):
        (start,) = array("I", taken)
        for number in range(start, min(start + size, len(items))):
            done[number] = work(items[number])
    return done


def _fork(work: Callable[[Item], Result], items: Sequence[Item], size: int, pile: int) -> tuple[int, int]:
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
            pickle.dump(_share(work, items, size, pile), pipe, pickle.HIGHEST_PROTOCOL)
        os._exit(0)
    finally:  # after any error, even one in leaving: a child never returns into its parent's code
        os._exit(1)


def _receive(child: int, reading: int) -> dict[int, Result]:
    """What the child did; nothing where it failed."""
    import pickle

    with os.fdopen(reading, "rb") as pipe:
        data = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(status):
        return {}
    results: dict[int, Result] = pickle.loads(data)  # noqa: S301 - our own child wrote it
    return results
