"""Asking before a command moves production or destroys something: it says what will happen, and a person says yes.

`--yes` answers for a script. Without it and without a terminal nobody could answer, so most commands refuse.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import click

from bot.commands.context import Mistake
from bot.commands.output import terminal
from bot.commands.output.printing import say

P = ParamSpec("P")
R = TypeVar("R")

yes_option: Callable[[Callable[P, R]], Callable[P, R]] = click.option(
    "--yes", "-y", is_flag=True, help="Do not ask first; for scripts."
)


def confirm(will_happen: str, *, yes: bool) -> None:
    """Returns once a person or `--yes` has agreed. Raises Abort (exit code 1) for a no, Mistake (2) where no one can answer."""
    if yes:
        return
    if not terminal.can_answer():
        raise Mistake(f"{will_happen} Nothing was done: add --yes to agree, or run it on a terminal.")
    _ask(will_happen)


def confirm_on_terminal(will_happen: Callable[[], str], *, yes: bool) -> None:
    """The same for a command that scripts already call without `--yes`: where no one can answer, it goes on."""
    if not yes and terminal.can_answer():
        _ask(will_happen())


def _ask(will_happen: str) -> None:
    say(will_happen, err=True)
    click.confirm("Go on?", abort=True, err=True)
