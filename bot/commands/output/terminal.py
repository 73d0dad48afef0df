"""Whether a person is looking, how wide their terminal is, and whether it shows colours."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

USUAL = 80  # columns; of a terminal that does not say its size
NARROWEST = 20  # columns; on less nothing is readable


def columns(*, err: bool) -> int | None:
    """Of the terminal that the stream goes to; None for a file or a pipe. COLUMNS overrides the terminal's own."""
    stream = sys.stderr if err else sys.stdout
    if not stream.isatty():
        return None
    wanted = os.environ.get("COLUMNS", "")
    found = int(wanted) if wanted.isdecimal() else os.get_terminal_size(stream.fileno()).columns
    return max(found or USUAL, NARROWEST)


def width() -> int | None:
    """The same for standard output."""
    return columns(err=False)


def can_answer() -> bool:
    """Whether a question reaches a person: it is printed on standard error and answered on standard input."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def shows_progress() -> bool:
    """A dumb terminal cannot rewrite a line."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def colour_choice(environ: Mapping[str, str]) -> bool | None:
    """For click's context: False for never (https://no-color.org and a dumb terminal), None for where the stream is a terminal."""
    return False if environ.get("NO_COLOR") or environ.get("TERM") == "dumb" else None


def current_colour_choice() -> bool | None:
    return colour_choice(os.environ)
