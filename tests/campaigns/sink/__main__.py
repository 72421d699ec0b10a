"""`python -m tests.campaigns.sink`: all of the sink's campaigns, one after the other; what is done already is left out.

    python -m tests.campaigns.sink --detach       start, and leave it running (make campaign)
    python -m tests.campaigns.sink --report       the table of what is done so far
    python -m tests.campaigns.sink fuzz soak      only these

Each writes a line of JSON for each part to .campaign/<name>.jsonl; .campaign/log tells how it goes.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from filelock import FileLock, Timeout

from tests.campaigns.sink.report import CAMPAIGNS, report
from tests.campaigns.sink.results import ROOT, parser


def main() -> int:
    options = parser(__doc__)
    options.add_argument("names", nargs="*", metavar="campaign", help=", ".join(CAMPAIGNS))
    options.add_argument("--detach", action="store_true")
    options.add_argument("--report", action="store_true")
    found = options.parse_args()
    if unknown := set(found.names) - CAMPAIGNS.keys():
        options.error(f"no such campaign: {', '.join(sorted(unknown))}")
    folder: Path = found.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if found.report:
        print(report(folder))
        return 0
    arguments = [*found.names, "--folder", str(folder), "--seed", str(found.seed)]
    if found.detach:
        return _detach(folder, arguments)
    try:
        with FileLock(folder / "lock", timeout=0):
            codes = [_run(name, arguments[len(found.names) :]) for name in found.names or CAMPAIGNS]
            return max(codes)
    except Timeout:
        sys.exit(f"campaigns are running already: see {folder / 'log'}")


def _detach(folder: Path, arguments: list[str]) -> int:
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.campaigns.sink", *arguments],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    print(
        f"process {process.pid}; how it goes: {folder / 'log'}; so far: python -m tests.campaigns.sink --report"
    )
    return 0


def _run(name: str, arguments: list[str]) -> int:
    process = subprocess.Popen([sys.executable, "-m", f"tests.campaigns.sink.{name}", *arguments], cwd=ROOT)
    try:
        return process.wait()
    finally:
        if process.poll() is None:  # asked to stop: it takes its servers with it
            process.send_signal(signal.SIGTERM)
            process.wait()


if __name__ == "__main__":
    sys.exit(main())
