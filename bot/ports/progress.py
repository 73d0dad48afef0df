"""Where long work says how far it is. On the command line `bot.commands.output.progress` shows it; elsewhere no one looks."""

from __future__ import annotations

from collections.abc import Callable

Report = Callable[[str], None]
"""Takes a short line, such as "entry 1,200 of 48,000". It may be called often: it does no I/O."""


def silent(_: str) -> None:
    """For work that no one watches."""
