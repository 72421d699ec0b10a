"""Limits that two fields keep together. Limits of one field stand in the manifest's JSON Schema."""

from __future__ import annotations

from collections.abc import Iterator

from compiler.defaults import default
from compiler.manifest import RawManifest
from compiler.problems import Finding, Pointer, Severity

# Queue metrics sleep after idle hours and return late, so a sink that scales from 0 cannot be prompt.
SLEEPING_LATENCY_SECONDS = 1200
# The dead-letter queue keeps 14 days from the first send; its alarm rings two days before they are over, and there
# must be a day before that in which a dead letter is young enough not to ring.
LONGEST_RETENTION_DAYS = 11
_FEW_RECEIVES = 3


class _Field:
    """One number of the manifest, and whether its author or the default set it."""

    def __init__(self, manifest: RawManifest, section: str, name: str) -> None:
        given = manifest.value.get(section, {})
        self.pointer: Pointer = (section, name)
        self.given = name in given
        self.value: int = given[name] if self.given else default(section, name)

    def __str__(self) -> str:
        return f"{self.pointer[0]}.{self.pointer[1]} {self.value}{'' if self.given else ' (the default)'}"


def _set(field: _Field, other: _Field) -> Pointer:
    """Where to point: at the field that its author set, at `field` where both are."""
    return field.pointer if field.given else other.pointer


def tasks_in_order(manifest: RawManifest) -> Iterator[Finding]:
    """At least as many sinks may run as must."""
    low, high = _Field(manifest, "sink", "min_tasks"), _Field(manifest, "sink", "max_tasks")
    if low.value > high.value:
        yield Finding(
            low.pointer, "tasks-order", f"{low} is more than {high}.", "Lower it, or raise max_tasks."
        )


def sleep_needs_patience(manifest: RawManifest) -> Iterator[Finding]:
    """A dataset whose sinks sleep wakes minutes late."""
    low, target = _Field(manifest, "sink", "min_tasks"), _Field(manifest, "sink", "latency_target_seconds")
    if low.value == 0 and target.value < SLEEPING_LATENCY_SECONDS:
        yield Finding(
            low.pointer,
            "sleeping-sink",
            f"With {low} nothing runs while the buffer is empty, and waking takes longer than {target}.",
            f"Set min_tasks to 1, or latency_target_seconds to {SLEEPING_LATENCY_SECONDS} or more.",
        )


def retention_leaves_dead_letters_time(manifest: RawManifest) -> Iterator[Finding]:
    """A dead letter keeps its age: what the buffer took of the 14 days is gone."""
    retention = _Field(manifest, "buffer", "retention_days")
    if retention.value > LONGEST_RETENTION_DAYS:
        yield Finding(
            retention.pointer,
            "retention-too-long",
            f"{retention} leaves a dead letter {14 - retention.value} of its 14 days (SQS counts from the first send),"
            " too few to be noticed and replayed.",
            f"Use at most {LONGEST_RETENTION_DAYS}.",
        )


def linger_within_timeouts(manifest: RawManifest) -> Iterator[Finding]:
    """A batch that still gathers must be neither late nor visible to another sink."""
    linger = _Field(manifest, "sink", "linger_ms")
    visibility = _Field(manifest, "buffer", "visibility_timeout_seconds")
    target = _Field(manifest, "sink", "latency_target_seconds")
    if linger.value * 3 >= visibility.value * 1000:
        yield Finding(
            linger.pointer,
            "linger-too-long",
            f"{linger} is not under a third of {visibility}, where the sink extends it.",
            "Lower it, or raise visibility_timeout_seconds.",
        )
    if linger.value >= target.value * 1000:
        yield Finding(
            linger.pointer,
            "linger-too-long",
            f"{linger} alone uses up {target}.",
            "Lower it, or raise latency_target_seconds.",
        )


def alarm_between_target_and_loss(manifest: RawManifest) -> Iterator[Finding]:
    """An alarm that rings while all is well is switched off; one that rings after the loss is useless."""
    age = _Field(manifest, "alarms", "oldest_age_seconds")
    target = _Field(manifest, "sink", "latency_target_seconds")
    retention = _Field(manifest, "buffer", "retention_days")
    if age.value < target.value:
        yield Finding(
            _set(age, target),
            "alarm-in-target",
            f"{age} is less than {target}: the alarm rings while the dataset is on time.",
            f"Set oldest_age_seconds to {target.value} or more.",
        )
    if age.value >= retention.value * 86_400:
        yield Finding(
            age.pointer,
            "alarm-after-loss",
            f"{age} is not under {retention}: messages are gone before the alarm rings.",
            f"Set oldest_age_seconds below {retention.value * 86_400}.",
        )


def receives_survive_restarts(manifest: RawManifest) -> Iterator[Finding]:
    """Each sink that is killed with a message in hand costs it one receive."""
    receives = _Field(manifest, "buffer", "max_receive_count")
    if receives.value < _FEW_RECEIVES:
        yield Finding(
            receives.pointer,
            "few-receives",
            f"With {receives} good messages go to the dead-letter queue when sinks are restarted.",
            "Use 10, or at least 3.",
            Severity.WARNING,
        )


LIMIT_RULES = (
    tasks_in_order,
    sleep_needs_patience,
    retention_leaves_dead_letters_time,
    linger_within_timeouts,
    alarm_between_target_and_loss,
    receives_survive_restarts,
)
