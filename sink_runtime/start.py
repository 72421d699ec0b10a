"""The two ways through the checks: a start waits for each until it passes, `--check` tells of all and goes home."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from sink_runtime import exits, plans
from sink_runtime.aws import Aws
from sink_runtime.checks import FIXES, Check, Checks, Passed
from sink_runtime.faults import FatalError, Fault
from sink_runtime.patience import Patience
from sink_runtime.plan import PlanError
from sink_runtime.plans import Loaded
from sink_runtime.settings import Settings

_WIDTH = len("dead letters")


def wait_for_queues(checks: Checks, patience: Patience, log: structlog.typing.FilteringBoundLogger) -> None:
    """Pass the queues' checks, however long it takes. Raises FatalError where deleting is denied, StoppingError."""
    for check in checks.of_queues():
        passed = patience.until(check.run)
        for warning in passed.warnings:
            log.warning("start-up check", check=check.name, why=warning)


def report(found: Settings, aws: Aws, tell: Callable[[str], None]) -> int:
    """Run every check once and tell a line of each; the exit code. Raises PlanError."""
    try:
        loaded = plans.load(found.plan, aws)
    except (Fault, PlanError) as error:
        _failed("plan", str(error), FIXES["plan"], tell)
        return exits.PLAN
    _told("ok", "plan", f"{loaded.plan.dataset} v{loaded.plan.version}, {loaded.sha256}", tell)
    return _report(found, loaded, aws, tell)


def _report(found: Settings, loaded: Loaded, aws: Aws, tell: Callable[[str], None]) -> int:
    checks = Checks(found, loaded, aws)
    codes: dict[str, int] = {}
    try:
        for check in checks.all():
            if codes.get(check.needs or "", exits.STOPPED) != exits.STOPPED:
                _told("skipped", check.name, f"needs {check.needs}", tell)
            else:
                codes[check.name] = _one(check, tell)
    finally:
        checks.close()
    return exits.DENIED if exits.DENIED in codes.values() else max(codes.values())


def _one(check: Check, tell: Callable[[str], None]) -> int:
    try:
        passed: Passed = check.run()
    except FatalError as error:
        _failed(check.name, str(error), check.fix(error), tell)
        return error.exit_code
    except Fault as fault:
        _failed(check.name, f"{fault.dependency}: {fault.text}", check.fix(fault), tell)
        return exits.CHECK
    _told("ok", check.name, passed.text, tell)
    for warning in passed.warnings:
        _told("warning", check.name, warning, tell)
    return exits.STOPPED


def _failed(name: str, what: str, fix: str, tell: Callable[[str], None]) -> None:
    _told("FAILED", name, f"{what.rstrip('.')}. {fix}", tell)


def _told(level: str, name: str, text: str, tell: Callable[[str], None]) -> None:
    tell(f"{level:<8} {name:<{_WIDTH}}  {text}")
