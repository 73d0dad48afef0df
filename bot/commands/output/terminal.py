"""Whether a person is looking, how wide their terminal is, and whether it shows colours."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import IO

USUAL = 80  # columns; of a terminal that does not say its size
NARROWEST = 20  # columns; on less nothing is readable


def is_terminal(stream: IO[str] | None) -> bool:
    """A stream that was closed before the start, as by `<&-`, is None."""
    return stream is not None and not stream.closed and stream.isatty()


def columns(*, err: bool) -> int | None:
    """Of the terminal that the stream goes to; None for a file or a pipe. COLUMNS overrides the terminal's own."""
    stream = sys.stderr if err else sys.stdout
    if not is_terminal(stream):
        return None
    wanted = os.environ.get("COLUMNS", "")
    found = int(wanted) if wanted.isdecimal() else os.get_terminal_size(stream.fileno()).columns
    return max(found or USUAL, NARROWEST)


def width() -> int | None:
    """The same for standard output."""
    return columns(err=False)


def can_answer() -> bool:
    """Whether a question reaches a person: it is printed on standard error and answered on standard input."""
    return is_terminal(sys.stdin) and is_terminal(sys.stderr)


def shows_progress() -> bool:
    """A dumb terminal cannot rewrite a line."""
    return is_terminal(sys.stderr) and os.environ.get("TERM") != "dumb"


def colour_choice(environ: Mapping[str, str]) -> bool | None:
    """For click's context: False for never (https://no-color.org and a dumb terminal), None for where the stream is a terminal."""
    return False if environ.get("NO_COLOR") or environ.get("TERM") == "dumb" else None


def current_colour_choice() -> bool | None:
    return colour_choice(os.environ)
