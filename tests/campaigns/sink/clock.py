"""`python -m tests.campaigns.sink.clock`: the wall clock of a running sink jumps by an hour, ahead and back, under traffic.

    python -m tests.campaigns.sink.clock --minutes 3

By libfaketime (Debian's package `faketime`, or LIBFAKETIME names the library), for the sink's process alone, and only its
CLOCK_REALTIME. Twice: with a server that does not look at the signatures' date, so that all goes on and no message may
come twice; and with one that refuses a date 15 minutes off, as AWS does, so that the sink must wait until it is right.
"""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import psutil

from tests.campaigns.sink.receipts import Receipts
from tests.campaigns.sink.results import Figures, Results, exit_code, parser
from tests.campaigns.sink.stage import staged
from tests.campaigns.sink.traffic import Traffic
from tests.faults.rig import Rig
from tests.sink.deployment import Sink
from tests.support.proxies.aws import Answer, AwsProxy
from tests.support.waiting import until

VISIBILITY_SECONDS = 6
RECEIVES = 20
RECORDS_A_SECOND = 100
JUMPS = (3600, -3600)  # seconds
JUMP_EVERY = 6.0
IDLE_SECONDS = 10.0
IDLE_SHARE = 0.25  # of one CPU, at most, with nothing to do: far above what is seen, far below a busy loop
TOLERANCE = timedelta(minutes=15)  # of AWS, for a signature's date
_LATE = b'{"__type": "com.amazon.coral.service#InvalidSignatureException", "message": "Signature not yet current"}'
_LATE_XML = (
    b"<ErrorResponse><Error><Type>Sender</Type><Code>SignatureDoesNotMatch</Code></Error></ErrorResponse>"
)


class Clock:
    """The clock of the processes that have `environment`; it stands at an offset from the true one, in seconds."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "offset"
        self.environment = {
            "LD_PRELOAD": str(library()),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        self.set(0)

    def set(self, offset: int) -> None:
        new = self._file.with_suffix(".new")
        new.write_text(f"{offset:+d}\n", encoding="ascii")
        new.replace(self._file)


def library() -> Path:
    """Libfaketime for programs with threads. Raises SystemExit where it is not here."""
    named = os.environ.get("LIBFAKETIME")
    found = [Path(named)] if named else sorted(Path("/usr/lib").glob("**/faketime/libfaketimeMT.so.1"))
    if not found:
        sys.exit(
            "libfaketime is not here: install Debian's package `faketime`, or name the library in LIBFAKETIME"
        )
    return found[0]


@contextmanager
def _as_aws_does(proxy: AwsProxy) -> Iterator[None]:
    """Calls with a date that is too far off are refused."""
    handle = proxy.handle

    def check(method: str, path: str, headers: list[tuple[str, str]], body: bytes) -> Answer | None:
        named = {name.lower(): value for name, value in headers}
        signed = datetime.strptime(named["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        if abs(datetime.now(UTC) - signed) <= TOLERANCE:
            return handle(method, path, headers, body)
        refused[0] += 1
        return Answer(403, _LATE if "x-amz-target" in named else _LATE_XML)

    refused = [0]
    proxy.handle = check  # type: ignore[method-assign]
    yield
    proxy.handle = handle  # type: ignore[method-assign]
    assert refused[0], "no call had a wrong date: the clock did not jump"


@contextmanager
def _leniently(_: AwsProxy) -> Iterator[None]:
    yield


CHECKS: dict[str, Callable] = {
    "does not look at dates": _leniently,
    "refuses dates as AWS does": _as_aws_does,
}


def jumps(check: str, seconds: float, seed: int) -> Figures:
    """Jumps for so long, then nothing to do at each offset."""
    chance = random.Random(seed)
    is_lenient = CHECKS[check] is _leniently
    with (
        staged(visibility_timeout_seconds=VISIBILITY_SECONDS, max_receive_count=RECEIVES) as rig,
        Receipts(rig.aws).counting() as receipts,
        Traffic(rig, seed, rate=RECORDS_A_SECOND).running() as traffic,
    ):
        clock = Clock(rig.deployment.folder)
        sink = rig.start(**clock.environment)
        until(lambda: bool(rig.stored()), rig.tell)
        with CHECKS[check](rig.aws):
            begun, times = time.monotonic(), 0
            used = _cpu(sink)
            while time.monotonic() - begun < seconds:
                clock.set(chance.choice(JUMPS))
                time.sleep(chance.uniform(0.5, JUMP_EVERY))
                times += 1
                if not is_lenient or chance.random() < 0.3:
                    clock.set(0)
                    time.sleep(chance.uniform(0.5, JUMP_EVERY))
                    times += 1
            under_traffic = (_cpu(sink) - used) / (time.monotonic() - begun)
            clock.set(0)
            traffic.end_production()
            traffic.await_all()
            idle = {offset: _idle_share(sink, clock, offset) for offset in (0, *JUMPS)}
        clock.set(0)
        found = traffic.findings()
        found["problems"] += _problems(rig, sink, idle)
    beyond = receipts.beyond()
    if is_lenient and max(beyond) > 1:
        found["problems"].append(f"received too often: {dict(beyond)}")
    return {
        "jumps": times,
        "cpu_share_under_traffic": round(under_traffic, 2),
        "cpu_share_idle_by_offset": {str(offset): round(share, 3) for offset, share in idle.items()},
        "messages_by_receives": {str(count): messages for count, messages in sorted(beyond.items())},
        **found,
    }


def _problems(rig: Rig, sink: Sink, idle: dict[int, float]) -> Iterator[str]:
    if sink.process.poll() is not None:
        yield f"the sink ended: {rig.tell()[-2000:]}"
    if max(idle.values()) > IDLE_SHARE:
        yield f"busy with nothing to do: {idle}"
    hours = {datetime.fromisoformat(line["timestamp"]).hour for line in sink.lines()}
    if len(hours) < 3:
        yield f"the sink's own log shows no jumps: {sorted(hours)}"


def _cpu(sink: Sink) -> float:
    """CPU seconds so far."""
    times = psutil.Process(sink.process.pid).cpu_times()
    return float(times.user + times.system)


def _idle_share(sink: Sink, clock: Clock, offset: int) -> float:
    clock.set(offset)
    used = _cpu(sink)
    time.sleep(IDLE_SECONDS)
    return (_cpu(sink) - used) / IDLE_SECONDS


def main() -> int:
    options = parser(__doc__)
    options.add_argument("--minutes", type=float, default=3.0, help="of jumps, for each kind of server")
    found = options.parse_args()
    results = Results("clock", found.folder)
    return exit_code(
        [
            results.part(
                f"server {check}, {found.minutes:g} min, seed {found.seed}",
                partial(jumps, check, found.minutes * 60, found.seed),
            )
            for check in CHECKS
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
