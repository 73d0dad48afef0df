"""Progress of long work: one line on standard error, rewritten in place, and only where a person is looking."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

from bot.commands.output import terminal
from bot.commands.output.text import cut, printable
from bot.ports.progress import Report, silent

ERASE = "\r\x1b[2K"  # back to the start of the line, and the line erased; terminals only
EACH = 0.2  # seconds between two drawings
NARROW = 40  # columns; of a terminal that was closed meanwhile
FIRST = 0.5  # seconds; what is done by then needs no line


class _Line:
    """What was reported last, drawn by a thread of its own with the seconds so far: a step without reports goes on counting."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._ended = threading.Event()
        self._began = time.monotonic()
        self._thread = threading.Thread(target=self._draw, name="progress", daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._ended.set()
        self._thread.join()

    def _draw(self) -> None:
        wait = FIRST
        while not self._ended.wait(wait):
            line = f"{self.text} ({time.monotonic() - self._began:.0f} s)"
            click.echo(
                ERASE + cut(printable(line), (terminal.columns(err=True) or NARROW) - 1), nl=False, err=True, color=True
            )
            wait = EACH
        if wait == EACH:
            click.echo(ERASE, nl=False, err=True, color=True)


@contextmanager
def progress(text: str) -> Iterator[Report]:
    """Shows the text, then whatever is reported, until the work ends or fails; nothing of it is left on the terminal."""
    if not terminal.shows_progress():
        yield silent
        return
    line = _Line(text)

    def report(said: str) -> None:
        line.text = said

    try:
        yield report
    finally:
        line.end()
