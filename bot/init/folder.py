"""The directory that `countersign init` works in: what is there, what git knows of it, and writing everything at the end.

Each file is written beside its place and then renamed, so a reader sees the old one or the new one. Secrets have mode 600 from the start.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bot.errors import InvalidSettings

OWNER_ONLY, EVERYONE_READS = 0o600, 0o644
IGNORED = ("*.env", "*.pem", "var/")
HEADING = "# Secrets and state of Countersign"


@dataclass(frozen=True)
class NewFile:
    path: Path
    text: str
    is_secret: bool = False

    @property
    def is_there(self) -> bool:
        """With this text, and closed to others if it is secret."""
        is_closed = not self.is_secret or (self.path.exists() and not self.path.stat().st_mode & 0o077)
        return is_closed and text_in(self.path) == self.text


def text_in(path: Path) -> str:
    """Empty when there is no such file. Raises InvalidSettings."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as trouble:
        why = trouble.strerror if isinstance(trouble, OSError) else "it is not UTF-8"
        raise InvalidSettings(
            (f"{path} cannot be read: {why}. Correct it or move it away, then run it again.",)
        ) from None


def check_writable(folder: Path) -> None:
    """Raises InvalidSettings. Asked before any question, because an answer that cannot be kept is lost."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return
    except OSError as trouble:
        said = f"{folder.resolve()} cannot be written to: {trouble.strerror}. Change to a directory of yours."
        raise InvalidSettings((said,)) from None


def check_not_tracked(secrets: Iterable[Path]) -> None:
    """Raises InvalidSettings for secrets that git has already: .gitignore would not help them any more."""
    tracked = [path for path in secrets if _git(path.parent, "ls-files", "--error-unmatch", path.name)]
    if tracked:
        raise InvalidSettings(
            tuple(
                f"{path} is in git, so its secrets are in every clone. Run `git rm --cached {path}`, commit, and "
                "replace the secrets that were in it."
                for path in tracked
            )
        )


def ignoring(folder: Path) -> NewFile | None:
    """The .gitignore with our lines, where git looks after this directory. None when it looks after nothing or knows them."""
    if not _git(folder, "rev-parse", "--is-inside-work-tree"):
        return None
    path = folder / ".gitignore"
    text = text_in(path)
    missing = [line for line in IGNORED if line not in text.splitlines()]
    if not missing:
        return None
    gap = "" if not text or text.endswith("\n") else "\n"
    return NewFile(path, f"{text}{gap}{HEADING}\n" + "".join(f"{line}\n" for line in missing))


def write_all(files: Iterable[NewFile]) -> None:
    """All files are prepared before the first is renamed. Raises InvalidSettings, and then none has changed."""
    prepared: dict[Path, Path] = {}
    try:
        for file in files:
            prepared[_prepare(file)] = file.path.resolve()
        for temporary, place in prepared.items():
            temporary.replace(place)
    except OSError as trouble:
        said = f"{trouble.filename or 'the directory'} cannot be written: {trouble.strerror}."
        raise InvalidSettings((said,)) from None
    finally:
        for temporary in prepared:
            temporary.unlink(missing_ok=True)


def _prepare(file: NewFile) -> Path:
    place = file.path.resolve()  # a link stays one
    place.parent.mkdir(parents=True, exist_ok=True)
    mode = OWNER_ONLY if file.is_secret else _mode_of(place)
    descriptor, name = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}.")
    with os.fdopen(descriptor, "w", encoding="utf-8") as written:
        written.write(file.text)
        written.flush()
        os.fsync(written.fileno())
    Path(name).chmod(mode)
    return Path(name)


def _mode_of(place: Path) -> int:
    return place.stat().st_mode & 0o777 if place.exists() else EVERYONE_READS


def _git(folder: Path, *words: str) -> bool:
    """False also without git: then no one commits from here."""
    git = shutil.which("git")
    if git is None:
        return False
    environment: Mapping[str, str] = {**os.environ, "LC_ALL": "C"}
    return subprocess.run([git, *words], cwd=folder, env=environment, capture_output=True, check=False).returncode == 0
