"""Configures logging: one JSON object per line, or on a terminal a plain line for a person."""

from __future__ import annotations

import logging
import os
import sys
from typing import TextIO

import structlog

from bot.plain_logs import PlainLines

FORMAT = "COUNTERSIGN_LOG_FORMAT"
JSON, TEXT = "json", "text"


def is_plain(to: TextIO | None = None) -> bool:
    """Whether a person reads the lines: on a terminal, unless the setting says otherwise."""
    chosen = os.environ.get(FORMAT, "").strip()
    return chosen == TEXT or (chosen != JSON and (to or sys.stdout).isatty())


def write_logs(to: TextIO | None = None) -> None:
    """For every process, including the web process. Writes to standard output by default.

    Tracebacks omit the local variables that structlog shows by default, because they can hold passwords and tokens.
    """
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(name)s %(levelname)s %(message)s", stream=sys.stderr
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            PlainLines() if is_plain(to) else structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.WriteLoggerFactory(to or sys.stdout),
    )


def quieten_vendors() -> None:
    """Raises the log level of libraries that log at INFO what our own log lines already say."""
    for name in ("mlflow", "alembic", "apscheduler", "procrastinate"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # At lower levels it logs the whole body of a refused request.
    logging.getLogger("slack_bolt").setLevel(logging.ERROR)
