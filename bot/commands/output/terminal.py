"""Whether a person is looking, how wide their terminal is, and whether it shows colours."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping

NARROWEST = 20  # columns; on less nothing is readable


def width() -> int | None:
    """Columns of the terminal that standard output goes to; None for a file or a pipe. COLUMNS overrides the terminal's own."""
    return max(shutil.get_terminal_size().columns, NARROWEST) if sys.stdout.isatty() else None


def can_answer() -> bool:
    """Whether a question reaches a person: it is printed on standard error and answered on standard input."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def shows_progress() -> bool:
    """A dumb terminal cannot rewrite a line."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def error_width() -> int:
    """Columns of the terminal that standard error goes to."""
    return max(shutil.get_terminal_size().columns, NARROWEST)


def colour_choice(environ: Mapping[str, str]) -> bool | None:
    """For click's context: False for never (https://no-color.org and a dumb terminal), None for where the stream is a terminal."""
    return False if environ.get("NO_COLOR") or environ.get("TERM") == "dumb" else None


def current_colour_choice() -> bool | None:
    return colour_choice(os.environ)
