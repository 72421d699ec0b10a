"""`python -m bench.sink`: rows a second, CPU a row, latency and memory of this sink and of its peers.

The contenders meet the same queue server (`bench.sqs`), whose own ceiling is printed first, the same table, made by
`datasets/alert_events`' migration on a Postgres that syncs its commits to disk, and the same messages. Runs are interleaved:
every contender once, then every contender again. Peers come from requirements/bench.txt.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

from bench.sink import report
from bench.sink.contenders import CONTENDERS, OURS, Contender
from bench.sink.measure import Drain, Idle, Latency, Load, copy, drain, idle, latency
from bench.sink.profiling import profile
from bench.sink.world import World, running_world
from bench.sqs.ceiling import ceiling
from bench.sqs.client import Server, running_server

DATASET = "alert_events"


def main() -> None:
    """Measure and print."""
    arguments = _arguments()
    chosen = [one for one in CONTENDERS if not arguments.only or one.name in arguments.only]
    for one in chosen:
        if one.missing:
            print(f"{one.name}: left out, {' and '.join(one.missing)} not installed (requirements/bench.txt)")
    present = [one for one in chosen if not one.missing]
    print(f"{os.cpu_count()} processors, load average {os.getloadavg()[0]:.1f}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that every process that was started is ended
    with tempfile.TemporaryDirectory() as folder, running_server() as server:
        Path(folder).chmod(0o755)
        print(ceiling(server, 50_000, 1))
        print(ceiling(server, 3_000, 100))
        with running_world(Path(folder), arguments.linger) as world:
            for load in _loads(arguments):
                if arguments.profile:
                    profile(world, server, load, arguments.top)
                    continue
                _drain_all(present, world, server, load, arguments.runs)
            if arguments.profile:
                return
            if "latency" in arguments.parts:
                _latencies(present, world, server, arguments)
            if "idle" in arguments.parts:
                _idle(present, world, server, arguments)


def _loads(arguments: argparse.Namespace) -> list[Load]:
    loads = []
    if "single" in arguments.parts:
        loads.append(Load("single records", arguments.messages, 1, ""))
    if "envelopes" in arguments.parts:
        loads.append(Load("envelopes of 100", arguments.envelopes, 100, DATASET))
    return loads


def _drain_all(contenders: list[Contender], world: World, server: Server, load: Load, runs: int) -> None:
    done: dict[str, list[Drain]] = defaultdict(list)
    able = [one for one in contenders if load.records == 1 or one.opens_envelopes]
    for _ in range(runs):
        for one in able:
            given = replace(load, messages=int(load.messages * one.share))
            done[one.name].append((drain if one.drains else copy)(one, world, server, given))
            report.progress(load, one.name, done[one.name][-1])
    report.drains(load, [one.name for one in able], done, OURS.name)


def _latencies(
    contenders: list[Contender], world: World, server: Server, arguments: argparse.Namespace
) -> None:
    done: dict[str, list[Latency]] = defaultdict(list)
    for _ in range(max(1, arguments.runs // 2)):
        for one in [each for each in contenders if each.drains]:
            done[one.name].append(latency(one, world, server, arguments.rate, arguments.seconds))
    report.latencies(arguments.rate, done)


def _idle(contenders: list[Contender], world: World, server: Server, arguments: argparse.Namespace) -> None:
    done: dict[str, Idle] = {}
    for one in contenders:
        if one is OURS or len(contenders) == 1:
            idle(one, world, server, 0)  # writes the bytecode
            done[one.name] = idle(one, world, server, arguments.idle)
    report.idles(done)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=[one.name for one in CONTENDERS], default=[])
    parser.add_argument("--runs", type=int, default=5)
    parts = ("single", "envelopes", "latency", "idle")
    parser.add_argument("--parts", nargs="+", choices=parts, default=parts)
    parser.add_argument("--messages", type=int, default=100_000, help="single records in the queue")
    parser.add_argument("--envelopes", type=int, default=4_000, help="envelopes of 100 in the queue")
    parser.add_argument("--rate", type=int, default=2_000, help="single records a second, for the latency")
    parser.add_argument("--seconds", type=int, default=10, help="how long the paced producer sends")
    parser.add_argument("--linger", type=int, help="this sink's linger_ms, in place of the manifest's")
    parser.add_argument("--idle", type=float, default=20.0, help="seconds of idling")
    parser.add_argument(
        "--profile", action="store_true", help="instead: where this sink's CPU goes, by py-spy"
    )
    parser.add_argument("--top", type=int, default=25, help="with --profile: lines of each list")
    return parser.parse_args()


if __name__ == "__main__":
    main()
