"""One line a happening on stdout, JSON for machines or plain for people; never a value of a record, never a secret."""

from __future__ import annotations

import logging
import sys
from typing import Any

import orjson
import structlog


def configure(form: str) -> structlog.typing.FilteringBoundLogger:
    """The process' logger; `form` is "json" or "human"."""
    human = form == "human"
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer(colors=False)
            if human
            else structlog.processors.JSONRenderer(serializer=_json),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    log: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return log


def _json(event: Any, **_: Any) -> str:
    return orjson.dumps(event, default=str).decode()
