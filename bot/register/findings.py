"""Why a run cannot be registered: each finding says what is wrong, why it matters, and how to fix it.

A fix names commands that work when they are pasted in the repository's root. None leads to a training that changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from shlex import quote

from bot.domain.evidence.training_commands import Commands

MOST_PATHS = 5


@dataclass(frozen=True)
class Finding:
    """`part` names the subject in a word or two. A finding that does not refuse is recorded with the run as missing."""

    part: str
    sentence: str
    refuses: bool = True


def finding(part: str, wrong: str, why: str, fix: str, *, refuses: bool = True) -> Finding:
    return Finding(part, f"{wrong}. {why}. Fix: {fix}.", refuses)


@dataclass(frozen=True)
class Fixes:
    """`push` is git's command that puts this commit on the remote; `has_dvc` says whether a pipeline is there to train with."""

    commands: Commands
    push: str
    has_dvc: bool = True

    @property
    def again(self) -> str:
        push = f"`{self.push}`, {self.commands.dvc('push')}" if self.has_dvc else f"`{self.push}`"
        return f"commit, {push}{self._where}, and register again"

    @property
    def retrain(self) -> str:
        if not self.has_dvc:
            return "train again, and register the new run"
        return f"run {self.commands.train_again}, {self.again}"

    def changed(self, what: str) -> str:
        """For a training whose code has to change first: it must run from a commit that has the change."""
        return f"{what}, commit, {self.retrain}"

    def take_back(self, paths: Collection[str]) -> str:
        """`paths` are relative to the repository's root. What is taken back stays in git's stash."""
        return f"`git stash push --include-untracked -- {self._named(paths)}`"

    def restore(self, in_git: Collection[str], in_dvc: Collection[str]) -> str:
        """`in_git` are relative to the repository's root, `in_dvc` to the lock's folder, as DVC is called there."""
        git = [f"`git checkout HEAD -- {_quoted(in_git)}`"] if in_git else []
        dvc = [self.commands.dvc("checkout", "--force", *in_dvc)] if in_dvc else []
        return " and ".join([*git, *dvc]) + self._where

    def _named(self, paths: Collection[str]) -> str:
        return _quoted(paths) if len(paths) <= MOST_PATHS else quote(self.commands.folder or ".")

    @property
    def _where(self) -> str:
        return self.commands.where


def _quoted(paths: Iterable[str]) -> str:
    return " ".join(map(quote, paths))
