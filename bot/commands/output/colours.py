"""Which words have a colour. Whether a terminal gets colours at all is in `bot.commands.output.terminal`."""

from __future__ import annotations

from collections.abc import Mapping

import click

GOOD, BAD, WAITS, OVER = "green", "red", "yellow", "bright_black"

COLOURS: Mapping[str, str] = {
    **dict.fromkeys(("ok", "applied", "approved", "believed", "done", "approve", "on", "active"), GOOD),
    **dict.fromkeys(("FAIL", "rejected", "parked", "doubted", "unreadable", "reject", "stale", "refused"), BAD),
    **dict.fromkeys(("warn", "pending", "collecting", "waiting", "running", "shadow"), WAITS),
    **dict.fromkeys(("skip", "expired", "withdrawn", "superseded", "called_off", "dropped", "off", "retired"), OVER),
}
"""Of whole cells: a word inside a sentence keeps the terminal's own colour."""


def coloured(cell: str) -> str:
    colour = COLOURS.get(cell)
    return click.style(cell, fg=colour) if colour else cell


def heading(text: str) -> str:
    return click.style(text, bold=True) if text else text
