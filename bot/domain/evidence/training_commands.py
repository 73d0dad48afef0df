"""The commands that a fix names. Each works when it is pasted in the repository's root; a path is quoted for the shell.

The path of a dvc.lock is the trainer's word. One with letters that a message or a shell may misread is not printed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from posixpath import dirname
from shlex import quote

from bot.language import recorded

READABLE = re.compile(r"[\w.+@][\w.+@ /-]{0,200}")


@dataclass(frozen=True)
class Commands:
    """`folder` is that of dvc.lock, relative to the repository's root. `frozen` are stages that `dvc repro --force` would not run."""

    folder: str = ""
    frozen: tuple[str, ...] = ()

    @classmethod
    def beside(cls, lock_path: str, frozen: tuple[str, ...] = ()) -> Commands:
        return cls(dirname(lock_path), tuple(stage for stage in frozen if READABLE.fullmatch(stage)))

    @property
    def where(self) -> str:
        """Ends a list of commands; empty for a pipeline in the repository's root."""
        if not self.folder:
            return ""
        if self._can_be_printed:
            return recorded("lineage", " (in the repository's root)")
        return recorded("lineage", " (in the folder of dvc.lock)")

    @property
    def register(self) -> str:
        option = f" --lock-dir {quote(self.folder)}" if self.folder and self._can_be_printed else ""
        return f"`countersign register{option}`"

    @property
    def train_again(self) -> str:
        """A frozen stage runs only when it is unfrozen, and dvc.yaml says so, which is committed before the training."""
        train = self.dvc("repro", "--force")
        if not self.frozen:
            return train
        return recorded("lineage", "{first}, commit, {then}", first=self.dvc("unfreeze", *self.frozen), then=train)

    def dvc(self, *words: str) -> str:
        into = ("--cd", self.folder) if self.folder and self._can_be_printed else ()
        return f"`{' '.join(map(quote, ('dvc', *into, *words)))}`"

    @property
    def _can_be_printed(self) -> bool:
        return bool(READABLE.fullmatch(self.folder))
