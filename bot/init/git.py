"""What git would do with the files that hold secrets. A refusal of git is an error, never "no repository"."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from bot.errors import InvalidSettings

NO = 1  # git's exit code; others are errors
NO_REPOSITORY = ("not a git repository (or any of the parent", "not a git repository (or any parent")


def is_inside(folder: Path) -> bool:
    """Whether git looks after this directory. False also without git: then no one commits from here. Raises InvalidSettings."""
    if shutil.which("git") is None:
        return False
    done = _run(folder, "rev-parse", "--is-inside-work-tree")
    if done.returncode and any(words in done.stderr for words in NO_REPOSITORY):
        return False
    return _answer(folder, done) and done.stdout.strip() == "true"


def check_not_tracked(secrets: Iterable[Path]) -> None:
    """Raises InvalidSettings for secrets that git has already: .gitignore would not help them any more."""
    tracked = [path for path in secrets if any(map(_is_tracked, {path.absolute(), path.resolve()}))]
    if tracked:
        raise InvalidSettings(
            tuple(
                f"{path} is in git, so its secrets are in every clone. Run `git rm --cached {path.resolve()}`, commit, and "
                "replace the secrets that were in it."
                for path in tracked
            )
        )


def check_ignored(secrets: Iterable[Path]) -> None:
    """Raises InvalidSettings for secrets that `git add` would take."""
    committable = [path for path in secrets if not _is_ignored(path.resolve())]
    if committable:
        raise InvalidSettings(
            tuple(
                f"git does not ignore {path}, so `git add` would take its secrets. Remove the line that includes it again "
                "(such as !*.env) from .gitignore, or add one that ignores it, and run it again. No secret was written."
                for path in committable
            )
        )


def _is_tracked(path: Path) -> bool:
    folder = _existing(path.parent)
    if not is_inside(folder):
        return False
    return _answer(folder, _run(folder, "--literal-pathspecs", "ls-files", "--error-unmatch", str(path)))


def _is_ignored(path: Path) -> bool:
    """True also where no repository is."""
    folder = _existing(path.parent)
    return not is_inside(folder) or _answer(folder, _run(folder, "check-ignore", "--quiet", str(path)))


def _existing(folder: Path) -> Path:
    return next(one for one in (folder, *folder.parents) if one.is_dir())


def _answer(folder: Path, done: subprocess.CompletedProcess[str]) -> bool:
    """Yes or no. Raises InvalidSettings when git could not say."""
    if done.returncode in (0, NO):
        return not done.returncode
    said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
    raise InvalidSettings(
        (
            f"git failed: {said}. Whether secrets in {folder} would be committed is not known. Make `git status` work there first.",
        )
    )


def _run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    git = shutil.which("git") or "git"
    environment: Mapping[str, str] = {**os.environ, "LC_ALL": "C"}
    return subprocess.run([git, *words], cwd=folder, env=environment, capture_output=True, text=True, check=False)
