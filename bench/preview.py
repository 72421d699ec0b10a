"""`python -m bench.preview`: what the real engine takes for a project, beside a bare program of the same resources.

    preview, all new         nothing is deployed
    up                       everything is created, on the emulator and a real Postgres
    preview, no change       everything is there
    preview, one changed     one manifest has one more column; its migration is planned
    up, one changed          and is applied

The bare program declares the resources that ours declared, read from a file, with the SDK's classes: the same types,
names, inputs, parents and dependencies, the same engine and providers. What ours takes more is what reading, checking and compiling
the manifests costs. The stand-in for AWS costs more than the engine does in `up`, so look at the previews.

Best of --runs for previews; an update is run once. The three ratios at a line's end are ours to the bare one's: wall, CPU,
memory. Memory is the most that all processes of one command held together (resident, every 0.1 s), and the most that the
process of the program held.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path

import psutil

from bench.manifests import add_column, write_project
from bench.runs import sluice
from dev.emulator.launch import Emulator
from dev.postgres import installed_versions, running_server
from dev.state import Paths
from tests.engine.environment import engine_environment
from tests.engine.project import Project, make_project
from tests.support.postgres import new_database
from tools.pulumi.engine import engine

SAMPLE_SECONDS = 0.1
DATASETS = (10, 25, 50)
PROGRAM = "program.py"  # of the language host: the process of the program

# A program with no knowledge of its own: the SDK's classes, with the values that ours came to.
BARE = '''"""Declares what resources.json lists."""
import json, re
import pulumi, pulumi_aws, pulumi_postgresql

PACKAGES = {"aws": pulumi_aws, "postgresql": pulumi_postgresql}

class Component(pulumi.ComponentResource):
    pass

def typed(token, name, inputs, opts):
    package, module, kind = token.split(":")
    module = module.partition("/")[0]
    place = PACKAGES[package] if module == "index" else getattr(PACKAGES[package], module)
    arguments = {re.sub("(?=[A-Z])", "_", key).lower(): value for key, value in inputs.items()}
    return getattr(place, kind)(name, **arguments, opts=opts)

made = {}
for one in json.load(open("resources.json")):
    token, name, inputs = one["type"], one["name"], one["inputs"]
    after = [made[urn] for urn in one["dependencies"] if urn in made]
    opts = pulumi.ResourceOptions(parent=made.get(one["parent"]), provider=made.get(one["provider"]), depends_on=after)
    if not one["custom"]:
        made[one["urn"]] = Component(token, name, {}, opts)
    elif token.startswith("pulumi:providers:"):
        made[one["urn"]] = pulumi.ProviderResource(token.rpartition(":")[2], name, inputs, opts)
    elif token.startswith("pulumi-python:"):
        made[one["urn"]] = pulumi.CustomResource(token, name, inputs, opts)
    else:
        made[one["urn"]] = typed(token, name, inputs, opts)
'''


@dataclass(frozen=True)
class Cost:
    """One command: wall and CPU seconds of all its processes, and peaks of memory in MiB; and what of it is the program's."""

    wall: float
    cpu: float
    memory: float
    program_cpu: float
    program_memory: float


def main() -> None:
    """Measure ours beside the bare program, for each number of datasets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datasets", type=int, nargs="+", default=DATASETS)
    parser.add_argument("--runs", type=int, default=3, help="of each preview; the best one counts")
    arguments = parser.parse_args()
    for count in arguments.datasets:
        with tempfile.TemporaryDirectory() as folder:
            _measure(Path(folder), count, arguments.runs)


def _measure(folder: Path, count: int, runs: int) -> None:
    with _world(folder / "ours", count) as ours, _world(folder / "bare", count) as bare:
        news, up = [command(ours, "preview") for _ in range(runs)], command(ours, "up")
        resources = declared(ours)
        print(
            f"\n{count} datasets, {len(json.loads(resources))} resources, load average {os.getloadavg()[0]:.1f}"
        )
        (bare.folder / "__main__.py").write_text(BARE, encoding="utf-8")
        _declare(bare, resources)
        _report("preview, all new", news, [command(bare, "preview") for _ in range(runs)])
        _report("up", [up], [command(bare, "up")])
        _in_turn("preview, no change", ours, bare, runs, "preview", "--expect-no-changes")
        _change_one(ours)
        _change_one(bare)
        news, up = [command(ours, "preview") for _ in range(runs)], command(ours, "up")
        _declare(bare, declared(ours))
        _report("preview, one changed", news, [command(bare, "preview") for _ in range(runs)])
        _report("up, one changed", [up], [command(bare, "up")])


def _in_turn(title: str, ours: Project, bare: Project, runs: int, *words: str) -> None:
    done = [(command(ours, *words), command(bare, *words)) for _ in range(runs)]
    _report(title, [one for one, _ in done], [one for _, one in done])


def _report(title: str, ours: list[Cost], bare: list[Cost]) -> None:
    mine, other = _best(ours), _best(bare)
    ratios = (mine.wall / other.wall, mine.cpu / other.cpu, mine.memory / other.memory)
    print(
        f"{title:21} {_told(mine)} | bare {_told(other)} | {' '.join(f'{one:.2f}' for one in ratios)}",
        flush=True,
    )


def _best(runs: list[Cost]) -> Cost:
    """Each measure's lowest: a busy machine only adds."""
    return Cost(*(min(values) for values in zip(*map(astuple, runs), strict=True)))


def _told(cost: Cost) -> str:
    return (
        f"{cost.wall:6.1f} s wall {cost.cpu:6.1f} s CPU {cost.memory:5.0f} MiB"
        f" (program {cost.program_cpu:5.1f} s {cost.program_memory:4.0f} MiB)"
    )


@contextmanager
def _world(folder: Path, count: int) -> Iterator[Project]:
    """A planned project of so many datasets, with an emulator and a database of its own."""
    folder.mkdir()
    write_project(folder / "source", count)
    sluice(folder / "source", "plan")
    emulator = Emulator(Paths(folder / "emulator").ensure())
    versions = installed_versions()
    with running_server(versions[max(versions)]) as server, new_database(server) as database:
        try:
            yield make_project(
                folder / "project",
                engine_environment(engine(), folder),
                emulator.start(),
                database,
                ["*"],
                source=folder / "source" / "datasets",
            )
        finally:
            emulator.stop()


def _change_one(project: Project) -> None:
    names = sorted(path.name for path in (project.folder / "datasets").iterdir())
    add_column(project.folder, only=names[0])
    sluice(project.folder, "plan", names[0])


def declared(project: Project) -> str:
    """What the program declared, in the order of the state, which has every resource after what it needs; the addresses of
    this world's servers are left open.
    """
    found = [
        {
            "urn": urn,
            "type": one["type"],
            "name": urn.rpartition("::")[2],
            "custom": one.get("custom", False),
            "inputs": one.get("inputs", {}),
            "parent": one.get("parent"),
            "provider": one.get("provider", "").rpartition("::")[0],
            "dependencies": one.get("dependencies", []),
        }
        for urn, one in project.resources().items()
        if one["type"] not in ("pulumi:pulumi:Stack", "pulumi:providers:pulumi-python")
    ]
    text = json.dumps(found)
    for place, address in _addresses(project).items():
        text = text.replace(address, place)
    return text


def _declare(project: Project, resources: str) -> None:
    for place, address in _addresses(project).items():
        resources = resources.replace(place, address)
    (project.folder / "resources.json").write_text(resources, encoding="utf-8")


def _addresses(project: Project) -> dict[str, str]:
    """Where an address stands in resources.json -> the one of this world."""
    postgres = project.postgres
    return {
        "@emulator@": project.emulator.endpoint_url,
        "@database@": postgres["dbname"],
        '"port": "@postgres@"': f'"port": "{postgres["port"]}"',
    }


def command(project: Project, verb: str, *options: str) -> Cost:
    """Run one command of the CLI. Ends the benchmark where it fails."""
    words = [
        "pulumi",
        "--non-interactive",
        verb,
        *(["--yes", "--skip-preview"] if verb == "up" else []),
        *options,
    ]
    with tempfile.TemporaryFile() as printed:
        started = time.perf_counter()
        process = psutil.Popen(
            words, cwd=project.folder, env=project.environment, stdout=printed, stderr=subprocess.STDOUT
        )
        peak = program = 0.0
        cpu: dict[int, float] = {}
        programs: set[int] = set()
        while process.poll() is None:
            sizes = dict(_sizes(process, cpu))
            peak = max(peak, sum(size for size, _ in sizes.values()))
            programs |= {pid for pid, (_, is_program) in sizes.items() if is_program}
            program = max([program, *(size for size, is_program in sizes.values() if is_program)])
            time.sleep(SAMPLE_SECONDS)
        wall = time.perf_counter() - started
        if process.returncode:
            printed.seek(0)
            raise SystemExit(f"pulumi {verb} ended with {process.returncode}:\n{printed.read().decode()}")
    return Cost(wall, sum(cpu.values()), peak, sum(cpu[pid] for pid in programs), program)


def _sizes(process: psutil.Popen, cpu: dict[int, float]) -> Iterator[tuple[int, tuple[float, bool]]]:
    """Each process of the command: its resident MiB, and whether it is the program's; `cpu` is brought up to date."""
    for one in (process, *process.children(recursive=True)):
        try:
            with one.oneshot():
                times, size, words = one.cpu_times(), one.memory_info().rss / 2**20, one.cmdline()
        except psutil.Error:
            continue  # it has just ended
        cpu[one.pid] = times.user + times.system
        yield one.pid, (size, any(word.endswith(PROGRAM) for word in words))


if __name__ == "__main__":
    main()
