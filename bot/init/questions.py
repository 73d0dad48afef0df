"""How a person is asked: on a terminal with a proposal to accept, in a script by an option that has to be there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import click

from bot.domain.text import counted
from bot.errors import InvalidSettings

Check = Callable[[str], object]
LISTED = 12


class Questions(Protocol):
    @property
    def is_terminal(self) -> bool: ...

    @property
    def missing(self) -> Sequence[str]:
        """What had no answer, one sentence each; never on a terminal."""

    def say(self, text: str) -> None: ...

    def text(
        self, option: str, what: str, proposal: str = "", *, may_be_empty: bool = False, check: Check = str
    ) -> str:
        """The answer, or the proposal. `check` raises InvalidSettings for an answer that cannot be."""

    def secret(self, option: str, what: str, check: Check) -> str:
        """Read without echo."""

    def agreed(self, what: str, *, proposal: bool = True) -> bool: ...


class OnTerminal:
    is_terminal = True
    missing: Sequence[str] = ()

    def say(self, text: str) -> None:
        click.echo(text)

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
        return self._asked(lambda: click.prompt(what, default=default, show_default=bool(proposal)), check)

    def secret(self, option: str, what: str, check: Check) -> str:  # noqa: ARG002 - a script's
        return self._asked(lambda: click.prompt(f"{what} (not shown)", hide_input=True), check)

    def agreed(self, what: str, *, proposal: bool = True) -> bool:
        return click.confirm(what, default=proposal)

    def _asked(self, ask: Callable[[], str], check: Check) -> str:
        while True:
            answer = str(ask()).strip()
            try:
                if answer:
                    check(answer)
            except InvalidSettings as mistake:
                click.echo(str(mistake))
            else:
                return answer


class InScript:
    """Collects what was not said, so that it is reported at once."""

    is_terminal = False

    def __init__(self) -> None:
        self.missing: list[str] = []

    def say(self, text: str) -> None:
        click.echo(text)

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


def some(names: Sequence[str], none: str = "none") -> str:
    """As many as fit into a sentence."""
    more = f" and {counted(len(names) - LISTED, 'other')}" if len(names) > LISTED else ""
    return (", ".join(names[:LISTED]) or none) + more
