"""The story in ten chapters; `python -m dev.demo [--keep]`."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import click
import psutil

from dev.demo import data, project
from dev.demo.data import Sample
from dev.demo.story import DemoError, Story
from dev.demo.world import World
from dev.outputs import psql_line
from dev.state import Paths

SOURCE = Path(__file__).parents[2]


@click.command()
@click.option("--keep", is_flag=True, help="Leave the environment up at the end.")
def main(keep: bool) -> None:  # noqa: FBT001 - click passes flags by name
    """Tell the whole story on this machine; exits with 1 where a number is not what it should be."""
    began = time.monotonic()
    stop_earlier()
    story = Story(project.make(SOURCE))
    try:
        with tempfile.TemporaryDirectory(prefix="sluice-demo-") as folder:
            tell(story, Path(folder), keep=keep)
    except DemoError as error:
        story.wrong.append(str(error))
    if story.wrong:
        story.console.print(f"\n{len(story.wrong)} facts did not hold:", style="bold red")
        for wrong in story.wrong:
            story.console.print(f"  {wrong}", style="red", markup=False)
        story.console.print(
            f"The environment is left as it is: cd {project.FOLDER}, sluice dev status, sluice dev down."
        )
        sys.exit(1)
    story.console.print(f"\nEvery number was verified. {time.monotonic() - began:.0f} s.", style="bold")


def tell(story: Story, folder: Path, *, keep: bool) -> None:
    """All chapters, in order."""
    samples = data.write(folder)
    check(story, samples)
    up(story)
    world = World(story.project)
    subscriber = world.subscribe()
    try:
        publish(story, samples)
        refuse(story, world, samples)
        drain(story, world, samples)
        publish_again(story, world, samples)
        publish_bad_records(story, world, folder)
        grow(story, world, folder)
        events(story, world, subscriber)
    finally:
        world.close()
    if keep:
        leave_up(story)
    else:
        down(story)


def check(story: Story, samples: tuple[Sample, ...]) -> None:
    """1. The manifests, their examples and their migrations are right."""
    story.chapter("Datasets are declared in git, and checked")
    found = json.loads(story.sluice("check", "--format", "json", shown="check"))
    story.fact("{} datasets", found["datasets"], len(samples))
    story.fact("{} problems", len(found["problems"]), 0)


def up(story: Story) -> None:
    """2. The Pulumi program's resources, really created."""
    story.chapter("One program makes everything: queues, permissions, tables, sinks")
    found = json.loads(story.sluice("dev", "up", "--format", "json", shown="dev up"))
    created: Counter[str] = Counter()
    for kind, count in found["resources"]["created"].items():
        service, _, name = kind.removeprefix("aws:").replace("pulumi-python:dynamic/", "").partition(":")
        created[f"{service.partition('/')[0]}.{name.rpartition(':')[2]}"] += count
    listed = [f"{count} {kind}" for kind, count in sorted(created.items())]
    for start in range(0, len(listed), 6):
        story.say("  ".join(listed[start : start + 6]))
    story.fact("{} queues: a buffer and a dead-letter queue for each dataset", created["sqs.Queue"], 6)
    # A dataset's table is declared twice: before its sinks, and after them for what old sinks stand in the way of.
    story.fact("{} tables, each by its reviewed migration", created["sluice.DatasetTable"] // 2, 3)
    story.fact("{} sinks run", len(found["sinks_started"]), 3)


def publish(story: Story, samples: tuple[Sample, ...]) -> None:
    """3. Each producer sends its file, as itself."""
    story.chapter("Producers send messages; they hold no database credentials")
    for sample in samples:
        story.fact(
            f"{sample.records:,} records sent as {sample.producer}",
            send(story, sample)["records"],
            sample.records,
        )


def refuse(story: Story, world: World, samples: tuple[Sample, ...]) -> None:
    """4. The same credentials may do nothing else."""
    story.chapter("The same credentials may not receive")
    for sample in samples:
        answer = world.may_receive(sample.dataset, sample.producer)
        story.fact(f"{sample.producer} receiving from {sample.dataset}: {{}}", answer, "AccessDenied")


def drain(story: Story, world: World, samples: tuple[Sample, ...]) -> None:
    """5. The sinks write the rows, each batch with its commit."""
    story.chapter("The sinks drain the buffers into the tables")
    took = story.wait_for("the buffers to drain", lambda: all(world.drained(s.dataset) for s in samples))
    for sample in samples:
        commits = world.commits(sample.dataset)
        story.fact(
            f"{sample.dataset}: {{}} rows of {sample.records:,} records",
            world.rows(sample.dataset),
            sample.rows,
        )
        story.fact("  its commits' inserts add up to {}", commits.inserted, sample.rows)
    newest = {data.asset_id(n): data.newest_score(n) for n in range(data.ASSETS)}
    story.fact(
        "integrity_signals keeps the newest observation of {} assets",
        matching(world.scores(), newest),
        len(newest),
    )
    story.say(f"drained in {took:.1f} s")


def publish_again(story: Story, world: World, samples: tuple[Sample, ...]) -> None:
    """6. A retry changes nothing, with a natural key or without."""
    story.chapter("The same files again: nothing doubles")
    before = {sample.dataset: world.commits(sample.dataset) for sample in samples}
    for sample in samples:
        send(story, sample)
    story.wait_for("the buffers to drain", lambda: all(world.drained(s.dataset) for s in samples))
    for sample in samples:
        again = world.commits(sample.dataset).count - before[sample.dataset].count
        story.fact(f"{sample.dataset}: still {{}} rows", world.rows(sample.dataset), sample.rows)
        story.fact("  and {} new commits", again, 0)


def publish_bad_records(story: Story, world: World, folder: Path) -> None:
    """7. Bad records reach the dead-letter queue, each with its reason; their neighbours are stored."""
    story.chapter(
        "Bad records go to the dead-letter queue, each with its reason; the good ones beside them are stored"
    )
    sample, bad = data.write_with_bad_records(folder, story.project / "datasets")
    refused = json.loads(story.sluice(*arguments(sample), shown=shown(sample), fails=True))
    story.fact("{} bad records found before anything is sent", refused["skipped"], bad)
    send(story, sample, "--no-validate")
    story.wait_for("the dead letters", lambda: world.dead_letter_depth(sample.dataset) >= bad)
    story.wait_for("the buffer to drain", lambda: world.drained(sample.dataset))
    letters = world.dead_letters(sample.dataset)
    story.fact("{} dead letters, each with its reason:", len(letters), bad)
    for (reason, text), count in sorted(Counter(letters).items()):
        story.say(f"  {count} {reason}: {text[:90]}")
    story.fact("{} rows: the good records of the same messages", world.rows(sample.dataset), sample.rows)


def grow(story: Story, world: World, folder: Path) -> None:
    """8. A column and an index come while producers send: the old sink goes on, then the new one takes over."""
    story.chapter("A table grows while it is written: a column and an index")
    project.grow(story.project)
    plans, rows = world.plans(project.GROWS), world.rows(project.GROWS)
    for line in story.sluice("plan", project.GROWS).splitlines():
        if line.startswith("  step"):
            story.say(line.strip())
    with story.meanwhile(lambda: send(story, data.write_more(folder, "before"), quietly=True)):
        story.sluice("migrate", "apply", project.GROWS)
    story.wait_for("the buffer to drain", lambda: world.drained(project.GROWS))
    story.fact(
        "{} rows by the old sink's plan, which is still served", world.rows(project.GROWS) - rows, data.MORE
    )
    story.fact("{} plans but that one in their commits", len(world.plans(project.GROWS) - plans), 0)
    with story.meanwhile(lambda: send(story, data.write_more(folder, "while"), quietly=True)):
        found = json.loads(story.sluice("dev", "up", "--format", "json", shown="dev up"))
    story.fact("{} sink replaced", len(found["sinks_started"]), 1)
    send(story, data.write_more(folder, "after", runbook=True))
    story.wait_for("the buffer to drain", lambda: world.drained(project.GROWS))
    story.fact("{} rows more: no write failed", world.rows(project.GROWS) - rows, 3 * data.MORE)
    story.fact(
        "{} of them have the new column's value", world.filled(project.GROWS, project.NEW_PROPERTY), data.MORE
    )
    story.fact(
        "{} plan more in the commits: the new sink took over", len(world.plans(project.GROWS) - plans), 1
    )
    story.fact("{} dead letters", world.dead_letter_depth(project.GROWS), 0)


def events(story: Story, world: World, subscriber: str) -> None:
    """9. Each commit was announced, after it was made."""
    story.chapter("Every commit was announced to a subscriber")
    commits = {name: world.commits(name) for name in world.datasets}
    received: dict[str, dict[int, dict[str, Any]]] = {name: {} for name in commits}

    def complete() -> bool:
        for event in world.events(subscriber):
            received[event["source"].rpartition("/")[2]][event["data"]["sequence"]] = event
        return all(len(received[name]) >= commits[name].count for name in commits)

    story.wait_for("the update events", complete)
    for name, found in commits.items():
        sequences = sorted(received[name])
        story.fact(f"{name}: {{}} events, one a commit", len(sequences), found.count)
        story.fact(
            "  sequence without a gap: {}",
            sequences == list(range(1, found.last_sequence + 1)),
            expected=True,
        )


def down(story: Story) -> None:
    """10. Nothing is left."""
    story.chapter("Everything is stopped, nothing is left")
    running = ours(story)
    story.sluice("dev", "down")
    story.fact("{} processes are left of " + str(len(running)), sum(alive(process) for process in running), 0)
    story.fact("state folder is left: {}", Paths.of(story.project).root.exists(), expected=False)
    project.remove(story.project)


def leave_up(story: Story) -> None:
    """10, with --keep: what to do next."""
    story.chapter("The environment is left up")
    story.say(f"cd {project.FOLDER}")
    story.say(psql_line(Paths.of(story.project)))
    story.say("sluice dev status")
    story.say("sluice show alert_events")
    story.say("sluice publish alert_events FILE --as monitor")
    story.say("sluice dev down")


def stop_earlier() -> None:
    """An earlier demo that was left up ends before this one begins."""
    earlier = SOURCE / project.FOLDER
    if Paths.of(earlier).root.exists():
        story = Story(earlier)
        story.say("A demo was left up; it is ended, and a new one begins.")
        story.sluice("dev", "down")


def send(story: Story, sample: Sample, *options: str, quietly: bool = False) -> dict[str, Any]:
    """Publish the sample's file as its producer; returns what the command reports. `quietly` does not show it."""
    told = None if quietly else shown(sample, *options)
    found: dict[str, Any] = json.loads(
        story.sluice(*arguments(sample, *options), shown=told, quietly=quietly)
    )
    return found


def arguments(sample: Sample, *options: str) -> tuple[str, ...]:
    """The command line that publishes the sample."""
    return (
        "publish",
        sample.dataset,
        str(sample.file),
        "--as",
        sample.producer,
        "--format",
        "json",
        *options,
    )


def shown(sample: Sample, *options: str) -> str:
    """The same, as a person would type it."""
    return " ".join(("publish", sample.dataset, sample.file.name, "--as", sample.producer, *options))


def matching(found: dict[str, str], expected: dict[str, str]) -> int:
    """How many entries are as expected."""
    return sum(found.get(key) == value for key, value in expected.items())


def ours(story: Story) -> list[psutil.Process]:
    """Every process of the environment: the servers, the sinks, and what they started."""
    found = json.loads(story.sluice("dev", "status", "--format", "json", shown="dev status"))
    processes = [*found["servers"], *(dataset["sink"] for dataset in found["datasets"])]
    parents = [psutil.Process(process["pid"]) for process in processes]
    return [*parents, *(child for parent in parents for child in parent.children(recursive=True))]


def alive(process: psutil.Process) -> bool:
    """Whether it still runs."""
    return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)


if __name__ == "__main__":
    main()
