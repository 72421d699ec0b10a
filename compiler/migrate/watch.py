"""What a long step is at, told while it runs: how far a build has come, and whom it waits for.

A second session asks; the first one is busy. It holds no transaction open, so no build waits for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg import Connection

from compiler.migrate import blockers, session

ASK_SECONDS = 2.0
TELL_SECONDS = 10.0

_PROGRESS = """
SELECT phase, CASE WHEN blocks_total > 0 THEN 100 * blocks_done / blocks_total END,
       CASE WHEN lockers_total > 0 THEN format('%%s of %%s', lockers_done, lockers_total) END
FROM pg_stat_progress_create_index WHERE pid = %s
"""


@contextmanager
def watched(connection: Connection[Any], tell: Callable[[str], None]) -> Iterator[None]:
    """Tell of the statement that `connection` runs in the block: its progress now and then, each session in its way once.

    Where no second session can be had, the step runs unwatched.
    """
    over = threading.Event()
    watcher = threading.Thread(
        target=_watch, args=(connection, connection.info.backend_pid, tell, over), name="watch", daemon=True
    )
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def _watch(connection: Connection[Any], pid: int, tell: Callable[[str], None], over: threading.Event) -> None:
    if over.wait(ASK_SECONDS):  # most steps are done by then
        return
    with suppress(psycopg.Error), session.beside(connection) as other:
        named: set[int] = set()
        last, waited = "", TELL_SECONDS
        while True:
            text = _progress(other, pid)
            if text and (waited >= TELL_SECONDS or text.partition(",")[0] != last.partition(",")[0]):
                tell(f"  {text}")
                last, waited = text, 0.0
            for blocker, words in blockers.blocking(other, pid):
                if blocker not in named:
                    named.add(blocker)
                    tell(f"  waits for {words}")
            waited += ASK_SECONDS
            if over.wait(ASK_SECONDS):
                return


def _progress(other: Connection[Any], pid: int) -> str:
    row = other.execute(_PROGRESS, (pid,)).fetchone()
    if row is None:
        return ""
    phase, percent, lockers = row
    more = (
        f"{percent} % of the table" if percent is not None else "",
        f"{lockers} waited for" if lockers else "",
    )
    return ", ".join([str(phase), *filter(None, more)])
