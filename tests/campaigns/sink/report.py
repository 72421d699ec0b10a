"""The table of docs/reliability.md, from what the campaigns have written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.campaigns.sink.results import Figures, Results

Lines = Sequence[Figures]


def report(folder: Path) -> str:
    """Markdown: a row for each campaign that has done something, and the problems below."""
    rows = ["| campaign | how much | what was found | problems | time |", "|---|---|---|---|---|"]
    problems = []
    for name, tell in CAMPAIGNS.items():
        lines = Results(name, folder).lines()
        if not lines:
            continue
        done, found = tell(lines)
        number = sum(line.get("problems_in_all", len(line["problems"])) for line in lines)
        rows.append(f"| {name} | {done} | {found} | {number} | {_time(lines)} |")
        problems += [f"* {name}, {line['key']}: {one}" for line in lines for one in line["problems"]]
    return "\n".join([*rows, *([""] if problems else []), *problems])


def _kills(lines: Lines) -> tuple[str, str]:
    at = sum((Counter(line["at"]) for line in lines), Counter())
    random = at.pop("random", 0)
    return (
        (
            f"{_sum(lines, 'kills')} SIGKILLs in {len(lines)} rounds: {random} at random, {min(at.values(), default=0)} to "
            f"{max(at.values(), default=0)} at each of {len(at)} places"
        ),
        _counts(lines),
    )


def _fuzz(lines: Lines) -> tuple[str, str]:
    reasons = sum((Counter(line["reasons"]) for line in lines), Counter())
    told = ", ".join(f"{reason} {number:,}" for reason, number in sorted(reasons.items()))
    return (
        f"{_sum(lines, 'bodies')} bodies, {_sum(lines, 'not_taken_by_sqs')} of them not taken by SQS",
        f"{_sum(lines, 'rows')} rows read back equal, {_sum(lines, 'letters')} dead letters: {told}",
    )


def _outages(lines: Lines) -> tuple[str, str]:
    told = "; ".join(
        f"{line['key'].partition(' away')[0]}: {line['backlog_messages']:,} messages behind, caught up in "
        f"{line['catch_up_seconds']:g} s"
        for line in lines
    )
    longest = max(lines, key=lambda line: line["outage_seconds"])
    return (
        (
            f"{len(lines)} outages of {longest['outage_seconds']:g} s, {longest['times_all_receives']:g} times visibility "
            "timeout x maxReceiveCount"
        ),
        f"{told}; {_counts(lines)}",
    )


def _overlap(lines: Lines) -> tuple[str, str]:
    return (
        "; ".join(f"{line['sinks']} sinks, {line['deploys']} deploys" for line in lines),
        f"received (give-backs not counted): {_receives(lines)}; {_sum(lines, 'given_back')} given back; {_counts(lines)}",
    )


def _clock(lines: Lines) -> tuple[str, str]:
    told = "; ".join(
        f"{line['key'].partition(',')[0]}: received {_receives([line])}, idle CPU at most "
        f"{max(line['cpu_share_idle_by_offset'].values()):.1%}"
        for line in lines
    )
    return f"{_sum(lines, 'jumps')} jumps of the wall clock", f"{told}; {_counts(lines)}"


def _soak(lines: Lines) -> tuple[str, str]:
    [*_, line] = lines
    low, high = line["rss_mib_after_warm_up"]
    return (
        f"{line['minutes']:g} minutes of {line['records_a_second']:,} records a second",
        (
            f"memory {low:g} to {high:g} MiB after the warm-up, slope {line['slope_mib_an_hour']:g} MiB an hour; threads "
            f"{line['threads']}, file descriptors {line['descriptors']}, connections to Postgres {line['connections']}; "
            f"{line['cpu_share']:.0%} of a CPU; {_counts(lines)}"
        ),
    )


CAMPAIGNS: dict[str, Callable[[Lines], tuple[str, str]]] = {
    "kills": _kills,
    "fuzz": _fuzz,
    "outages": _outages,
    "overlap": _overlap,
    "clock": _clock,
    "soak": _soak,
}


def _counts(lines: Lines) -> str:
    return (
        f"{_sum(lines, 'rows')} rows, {_sum(lines, 'letters')} dead letters ({_sum(lines, 'letters_again')} came again), "
        f"{_sum(lines, 'commits')} commits, each announced ({_sum(lines, 'events_again')} again)"
    )


def _receives(lines: Lines) -> str:
    times = sum((Counter(line["messages_by_receives"]) for line in lines), Counter())
    return ", ".join(f"{count}x {messages:,}" for count, messages in sorted(times.items()))


def _sum(lines: Lines, name: str) -> str:
    return f"{sum(line[name] for line in lines):,}"


def _time(lines: Lines) -> str:
    """The outages ran side by side; all others one after the other."""
    seconds = [line["seconds"] for line in lines]
    together = max(seconds) if lines[0]["campaign"] == "outages" else sum(seconds)
    return f"{together / 60:.0f} min"
