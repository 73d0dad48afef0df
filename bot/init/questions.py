"""What setting up asks of a person. `bot.commands.init.asking` has the two ways: on a terminal, and by options in a script."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from bot.domain.names import shown
from bot.domain.text import counted

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


def some(names: Sequence[str], none: str = "none") -> str:
    """As many as fit into a sentence, each on one line."""
    more = f" and {counted(len(names) - LISTED, 'other')}" if len(names) > LISTED else ""
    return (", ".join(map(shown, names[:LISTED])) or none) + more
