"""Configures logging: one JSON object per line."""

from __future__ import annotations

import logging
import sys
from typing import TextIO

import structlog


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
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.WriteLoggerFactory(to or sys.stdout),
    )
