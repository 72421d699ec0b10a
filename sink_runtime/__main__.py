"""`python -m sink_runtime`: read the settings and the plan, put the parts together, and run."""

from __future__ import annotations

import argparse
import gc
import os
import sys
import threading
import traceback

import structlog

from sink_runtime import logs, plans, settings, shutdown
from sink_runtime.assembly import assemble, sink_version
from sink_runtime.aws import Aws
from sink_runtime.faults import FatalError
from sink_runtime.patience import Patience, StoppingError
from sink_runtime.plan import PlanError
from sink_runtime.settings import Settings, SettingsError

Log = structlog.typing.FilteringBoundLogger

HELP = """exit codes:
  0  asked to stop (SIGTERM, SIGINT), and the batch in hand was finished or given back
  1  an error of the sink itself; the log has the traceback
  2  settings missing or wrong: all of them are named on stderr
  3  the plan cannot be read, is of another format, or is not the one its name says
  4  deleting messages is denied: going on would write the same messages for ever

Everything else (Postgres, its catalog, the buffer, the dead-letter queue, credentials) is waited for, and logged as
"waiting" with the name of what is missing. The addresses come from the environment: """


def main(arguments: list[str] | None = None) -> int:
    """Run the sink until it is asked to stop; the exit code, as `--help` lists them."""
    parser = argparse.ArgumentParser(
        prog="python -m sink_runtime",
        description="Write one dataset's buffered records to Postgres, by a compiled plan.",
        epilog=HELP + ", ".join(settings.REQUIRED) + ".",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--plan", help=f"file or s3://bucket/key; {settings.PLAN} where it is not given")
    options = parser.parse_args(arguments)
    try:
        found = settings.read(os.environ, options.plan)
        return _run(found, shutdown.on_signals(), logs.configure(found.log_format))
    except SettingsError as error:
        return _refuse(str(error), 2)
    except PlanError as error:
        return _refuse(str(error), 3)
    except FatalError as error:
        return _refuse(str(error), error.exit_code)
    except StoppingError:
        return 0
    except Exception as error:  # noqa: BLE001 - the last edge: told without the message, which may repeat a value
        places = "".join(traceback.format_tb(error.__traceback__))
        return _refuse(f"{type(error).__name__}\n{places}", 1)


def _run(found: Settings, stop: threading.Event, log: Log) -> int:
    patience = Patience(stop, log)
    aws = Aws.of(found)
    loaded = patience.until(lambda: plans.load(found.plan, aws))
    if loaded.plan.publish_events and found.topic_arn is None:
        raise SettingsError(f"{settings.TOPIC_ARN} is not set, and the plan publishes events")
    log = log.bind(dataset=loaded.plan.dataset, version=loaded.plan.version)
    log.info("started", plan=loaded.sha256, sink=sink_version())
    _collect_seldom()
    assemble(found, loaded, aws, Patience(stop, log), log).run()
    log.info("stopped")
    return 0


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
