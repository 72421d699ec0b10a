"""The tables of docs/sink.md, from the data that the sink itself works by."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import structlog
from prometheus_client.metrics_core import Metric

from compiler.emit.sink import sink_plan
from compiler.pipeline import compile_datasets
from sink_runtime import checks, exits, patience, settings
from sink_runtime.patience import Patience
from sink_runtime.pipeline import batchwriter, custody, deleter, intake, putoff, receiver
from sink_runtime.pipeline.metrics import COMMON, PREFIX
from sink_runtime.pipeline.shared import Shared
from sink_runtime.postgres import errors, writer
from sink_runtime.records.delivery import Refused
from sink_runtime.records.reasons import DESCRIPTIONS, Reason, Rejection
from sink_runtime.watch import health
from sink_runtime.watch.gauges import Gauges
from sink_runtime.worker import Failures, Worker

ROOT = Path(__file__).parents[1]

# What each check looks at; what to do where it fails is the check's own.
LOOKS_AT = {
    "plan": "it can be read, its format is known, and it is the one that its name says",
    "buffer": "it is there; its `MaximumMessageSize`, `VisibilityTimeout` and redrive, against the plan's. A difference is a "
    "warning; a visibility timeout under half of the plan's is waited for",
    "delete": "deleting is permitted: asked with a receipt that no message has",
    "login": "Postgres answers and takes the login",
    "catalog": "the table has every column, the key's unique index, and takes the write statement",
    "grants": "the login may read and write it, and is the dataset's writer",
    "dead letters": "it is there and may be sent to: asked with a body that SQS refuses by itself",
    "topic": "it is named, where the plan publishes events",
}
ACTIONS = {
    errors.Action.RETRY: "holds the batch, receives nothing, tries again on a fresh connection for as long as it takes",
    errors.Action.RECONNECT: "as `retry`",
    errors.Action.CREDENTIALS: "fetches the secret anew, twice in a row; then as `pause`",
    errors.Action.PAUSE: "as `retry`, with longer pauses and log lines of level error: a person must look",
    errors.Action.RECORD: "halves the batch in savepoints until each record to blame stands alone, writes the others, dead-letters those",
    errors.Action.TOO_SLOW: "halves the batch; one record that is too slow three times is rejected as `statement_timeout`",
}


def page() -> str:
    """The whole page."""
    text = (ROOT / "templates" / "sink.md").read_text(encoding="utf-8")
    tables = {
        "checks": _rows((f"`{name}`", LOOKS_AT[name], fix) for name, fix in checks.FIXES.items()),
        "exits": _rows((str(code), meaning) for code, meaning in exits.MEANINGS.items()),
        "settings": settings_table(),
        "metrics": _rows(map(_metric, _metrics())),
        "reasons": _rows((f"`{reason}`", DESCRIPTIONS[reason]) for reason in sorted(DESCRIPTIONS)),
        "errors": _rows(map(_error, errors.TABLE)),
        "actions": _rows((f"`{action}`", ACTIONS[action]) for action in errors.Action),
        **_numbers(),
    }
    for name, table in tables.items():
        assert f"%{name}%" in text, f"templates/sink.md has no %{name}%"
        text = text.replace(f"%{name}%", table.rstrip("\n"))
    return text


def _numbers() -> dict[str, str]:
    mebibyte = 1024 * 1024
    return {
        "stuck": f"{health.STUCK_SECONDS:.0f}",
        "first": str(receiver.FIRST),
        "receives": str(receiver.RECEIVES),
        "writers": str(batchwriter.WRITERS),
        "deletes": str(deleter.CALLS),
        "ordinary": str(custody.ORDINARY_BYTES // mebibyte),
        "budget": str(custody.BUDGET_BYTES // mebibyte),
        "batch": str(intake.BATCH_BYTES // mebibyte),
        "hold": str(putoff.HOLD_SECONDS // 60),
        "pause": f"{patience.LONGEST_SECONDS:.0f}",
        "alarm": f"{patience.LONGEST_ALARM_SECONDS:.0f}",
        "poll": str(receiver.SCOUT_SECONDS),
        "mass": str(writer.MASS_RECORDS),
    }


def settings_table() -> str:
    """Every environment variable of a sink."""
    return "| variable | default | meaning |\n|---|---|---|\n" + _rows(map(_variable, settings.VARIABLES))


def _rows(rows: Iterable[tuple[str, ...]]) -> str:
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |\n" for row in rows)


def _variable(one: settings.Variable) -> tuple[str, ...]:
    default = "**required**" if one.default is None else f"`{one.default}`" if one.default else "none"
    return f"`{one.name}`", default, one.meaning


def _error(row: errors.Row) -> tuple[str, ...]:
    codes = ", ".join(code if len(code) == 5 else f"{code}…" for code in row.prefixes if code)
    return (
        codes or "any other",
        "own" if row.blame is errors.Blame.OWN else "any",
        row.meaning,
        f"`{row.action}`",
    )


def _metric(one: Metric) -> tuple[str, ...]:
    name = one.name + ("_total" if one.type == "counter" else "")
    labels = {label for sample in one.samples for label in sample.labels} - {*COMMON, "le"}
    return f"`{name}`", one.type, ", ".join(f"`{label}`" for label in sorted(labels)), one.documentation


def _metrics() -> Iterator[Metric]:
    """Every metric of a sink, each with a sample of its labels."""
    dataset = compile_datasets(ROOT).datasets[0].dataset
    plan = sink_plan(dataset, ())
    log = structlog.get_logger()
    shared = Shared.of(plan, plan.sha256, Patience(threading.Event(), log), log)
    shared.metrics.rejected([Refused(None, 0, Rejection(Reason.NOT_JSON, ""))])
    shared.metrics.put_off(1, "held")
    worker = Worker("writer-1", lambda: None, threading.Event(), Failures(threading.Event()))
    shared.metrics.registry.register(Gauges(shared, [worker], plan.sha256, "0"))
    found = (one for one in shared.metrics.registry.collect() if one.name.startswith(PREFIX))
    return iter(sorted(found, key=lambda one: one.name))
