"""The directory that `countersign init` works in: what is there, what git knows of it, and writing everything at the end.

Each file is written beside its place and then renamed, so a reader sees the old one or the new one. Secrets have mode 600 from the start.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bot.errors import InvalidSettings

OWNER_ONLY, EVERYONE_READS = 0o600, 0o644
IGNORE_FILE = ".gitignore"
IGNORED = ("*.env", "*.pem", "var/")
SECRET_ENDING = ".env"  # also of a temporary file: what is left of a crash is ignored by git
HEADING = "# Secrets and state of Countersign"


@dataclass(frozen=True)
class NewFile:
    path: Path
    text: str
    is_secret: bool = False

    @property
    def secret_paths(self) -> tuple[Path, ...]:
        """Where the secrets are, also for a moment: the file, and an example of the temporary one beside it."""
        place = self.path.resolve()
        return (self.path, place.with_name(f".{place.stem}.new{SECRET_ENDING}")) if self.is_secret else ()

    @property
    def is_there(self) -> bool:
        """With this text, and closed to others if it is secret."""
        is_closed = not self.is_secret or (self.path.exists() and not self.path.stat().st_mode & 0o077)
        return is_closed and _exactly_in(self.path) == self.text


def text_in(path: Path) -> str:
    """With our line ends, also of a file from Windows. Empty when there is no such file. Raises InvalidSettings."""
    return _exactly_in(path).replace("\r\n", "\n")


def _exactly_in(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")
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


def check_stays(folder: Path, paths: Iterable[Path]) -> None:
    """Raises InvalidSettings for a file that a symbolic link leads out of this directory: it would be overwritten.

    A path outside of it, which a setting names, may not be led out of its own directory.
    """
    led_away = [path for path in paths if not _stays(path, _home_of(path, folder))]
    if led_away:
        raise InvalidSettings(
            tuple(
                f"{path} is reached by a symbolic link that leads out of {_home_of(path, folder).absolute()}, or in a circle. "
                "Remove the link, or run it in the directory that it leads to."
                for path in led_away
            )
        )


def _stays(path: Path, home: Path) -> bool:
    try:
        return path.resolve().is_relative_to(home.resolve())
    except (OSError, RuntimeError):  # links in a circle
        return False


def _home_of(path: Path, folder: Path) -> Path:
    is_inside = path.absolute().is_relative_to(folder.absolute()) and ".." not in path.parts
    return folder if is_inside else path.parent


def ignoring(folder: Path) -> NewFile | None:
    """The .gitignore with our lines; None when it has them. Also outside of git, since `git init` may follow.

    Raises InvalidSettings.
    """
    path = folder / IGNORE_FILE
    text = text_in(path)
    missing = [line for line in IGNORED if line not in text.splitlines()]
    if not missing and text == _exactly_in(path):  # for git, `*.env` and a carriage return is another name
        return None
    if not missing:
        return NewFile(path, text)
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
    ending = SECRET_ENDING if file.is_secret else place.suffix
    descriptor, name = tempfile.mkstemp(dir=place.parent, prefix=f".{place.stem}.", suffix=ending)
    with os.fdopen(descriptor, "w", encoding="utf-8") as written:
        written.write(file.text)
        written.flush()
        os.fsync(written.fileno())
    Path(name).chmod(mode)
    return Path(name)


def _mode_of(place: Path) -> int:
    return place.stat().st_mode & 0o777 if place.exists() else EVERYONE_READS
