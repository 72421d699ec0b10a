"""`python -m sink_runtime`: read the settings and the plan, check the queues, put the parts together, and run."""

from __future__ import annotations

import argparse
import gc
import os
import sys
import threading
import traceback

import structlog

from sink_runtime import __version__, exits, logs, plans, settings, shutdown, start
from sink_runtime.assembly import assemble
from sink_runtime.aws import Aws
from sink_runtime.checks import Checks
from sink_runtime.faults import FatalError
from sink_runtime.patience import Patience, StoppingError
from sink_runtime.pipeline.shared import Shared
from sink_runtime.plan import PlanError
from sink_runtime.settings import Settings, SettingsError
from sink_runtime.watch.server import Watch

Log = structlog.typing.FilteringBoundLogger

HELP = f"""exit codes:
{chr(10).join(f"  {code}  {meaning}" for code, meaning in exits.MEANINGS.items())}

Everything else (Postgres, its catalog, the buffer, the dead-letter queue, credentials) is waited for, logged as "waiting"
with the name of what is missing, and told by /readyz. The addresses come from the environment; docs/sink.md has all
variables. Required:
{chr(10).join(f"  {name}" for name in settings.REQUIRED)}
  {settings.PLAN}, or --plan
  {settings.DATABASE_SECRET_ARN}, or {settings.DATABASE_USER} where {settings.DATABASE_AUTH} is iam
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the sink until it is asked to stop; the exit code, as `--help` lists them."""
    parser = argparse.ArgumentParser(
        prog="python -m sink_runtime",
        description="Write one dataset's buffered records to Postgres, by a compiled plan.",
        epilog=HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--plan", help=f"file or s3://bucket/key; {settings.PLAN} where it is not given")
    parser.add_argument("--check", action="store_true", help="only check all that a start needs, a line each")
    parser.add_argument("--version", action="version", version=__version__)
    options = parser.parse_args(arguments)
    try:
        found = settings.read(os.environ, options.plan)
        if options.check:
            return start.report(found, Aws.of(found), _print)
        return _run(found, shutdown.on_signals(), logs.configure(found.log_format))
    except SettingsError as error:
        return _refuse(str(error), exits.SETTINGS)
    except PlanError as error:
        return _refuse(str(error), exits.PLAN)
    except FatalError as error:
        return _refuse(str(error), error.exit_code)
    except StoppingError:
        return exits.STOPPED
    except Exception as error:  # noqa: BLE001 - the last edge: told without the message, which may repeat a value
        places = "".join(traceback.format_tb(error.__traceback__))
        return _refuse(f"{type(error).__name__}\n{places}", exits.DEFECT)


def _run(found: Settings, stop: threading.Event, log: Log) -> int:
    watch = Watch(Patience(stop, log))
    if found.http_port:
        watch.listen(found.http_host, found.http_port)
    try:
        _start(found, watch, stop, log)
    finally:
        watch.close()
    return exits.STOPPED


def _start(found: Settings, watch: Watch, stop: threading.Event, log: Log) -> None:
    aws = Aws.of(found)
    loaded = watch.starting.until(lambda: plans.load(found.plan, aws))
    if loaded.plan.publish_events and found.topic_arn is None:
        raise SettingsError(f"{settings.TOPIC_ARN} is not set, and the plan publishes events")
    log = log.bind(dataset=loaded.plan.dataset, version=loaded.plan.version)
    log.info("started", plan=loaded.sha256, sink=__version__)
    patience = watch.starting = Patience(stop, log)  # its lines name the dataset
    start.wait_for_queues(Checks(found, loaded, aws), patience, log)
    shared = Shared.of(loaded.plan, loaded.sha256, patience, log)
    sink = assemble(found, aws, shared)
    watch.show(sink, shared, __version__)
    _collect_seldom()
    sink.run()
    log.info("stopped")


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _collect_seldom() -> None:
    """What is loaded by now stays, and messages make no cycles: looking for some at every turn costs a tenth of all."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)


def _refuse(text: str, exit_code: int) -> int:
    sys.stderr.write(f"sink: {text}\n")
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
