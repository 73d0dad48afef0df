"""How a person is asked: on a terminal with a proposal to accept, in a script by an option that has to be there.

Questions and sentences name things from MLflow, Slack and Jira, so all of them are printed through `plain`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import click

from bot.commands.output.text import printable, printable_lines
from bot.domain.names import without_accounts
from bot.errors import InvalidSettings
from bot.init.questions import Check


def in_one_line(text: str) -> str:
    return printable(plain(text))


def plain(text: str) -> str:
    """For a terminal: without characters that steer it, and without passwords in addresses."""
    return printable_lines(without_accounts(text))


class OnTerminal:
    is_terminal = True
    missing: Sequence[str] = ()

    def say(self, text: str) -> None:
        click.echo(plain(text))

    def text(
        self,
        option: str,  # noqa: ARG002 - a script's
        what: str,
        proposal: str = "",
        *,
        may_be_empty: bool = False,
        check: Check = str,
    ) -> str:
        default = proposal or ("" if may_be_empty else None)
        shown = f"{what} [{proposal}]" if proposal else what
        return self._asked(lambda: click.prompt(in_one_line(shown), default=default, show_default=False), check)

    def secret(self, option: str, what: str, check: Check) -> str:  # noqa: ARG002 - a script's
        return self._asked(lambda: click.prompt(in_one_line(f"{what} (not shown)"), hide_input=True), check)

    def agreed(self, what: str, *, proposal: bool = True) -> bool:
        return click.confirm(in_one_line(what), default=proposal)

    def _asked(self, ask: Callable[[], str], check: Check) -> str:
        while True:
            answer = str(ask()).strip()
            try:
                if answer:
                    check(answer)
            except InvalidSettings as mistake:
                click.echo(plain(str(mistake)))
            else:
                return answer


class InScript:
    """Collects what was not said, so that it is reported at once."""

    is_terminal = False

    def __init__(self) -> None:
        self.missing: list[str] = []

    def say(self, text: str) -> None:
        click.echo(plain(text))

    def text(
        self, option: str, what: str, proposal: str = "", *, may_be_empty: bool = False, check: Check = str
    ) -> str:
        if proposal:
            check(proposal)
        if not proposal and not may_be_empty:
            self.missing.append(f"{option} is needed: {what}.")
        return proposal

    def secret(self, option: str, what: str, check: Check) -> str:  # noqa: ARG002 - a terminal's
        self.missing.append(f"{option} is needed: {what}.")
        return ""

    def agreed(self, what: str, *, proposal: bool = True) -> bool:  # noqa: ARG002 - a terminal's
        return proposal
