"""How the product writes its log lines: one JSON object each. What is said in them is the callers' matter."""

from __future__ import annotations

import logging
import sys
from typing import TextIO

import structlog


def write_logs(to: TextIO | None = None) -> None:
    """For every process, the web process under gunicorn included; to standard output unless the caller says otherwise.

    A traceback goes without the local variables that structlog would show by itself: passwords and tokens are among them.
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
