"""The PostgreSQL that pip installed (extra `embedded`), for a small team, the demo and the tests.

It lives in `<home>/postgres`, listens on a unix socket in a directory that only its owner may enter, and keeps running after the process
that started it. We call `initdb` and `pg_ctl` ourselves and not the package's `get_server`, which trusts a stale `postmaster.pid`, opens
parent directories to everyone, and gives up after ten seconds. `bot.database.embedded_programs` finds the programs and their account.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import psycopg
from psycopg.conninfo import conninfo_to_dict

from bot.database.embedded_programs import Account, account_for, find_programs
from bot.errors import NoDatabase
from bot.folders import make_private

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = [
    "NoDatabase",
    "attach",
    "discard",
    "is_made",
    "keep_running",
    "makes_sockets_in",
    "missing_sockets",
    "start",
    "stop",
]

FILES, LOCK = "postgres", ".postgres.lock"  # in the home
OWN_DIRECTORY = re.compile(r"countersign-[0-9a-f]{16}")
SOCKET_NAME = ".s.PGSQL.5432"
SOCKET_PATH_LIMIT = 103  # bytes: sun_path is 108 on Linux and 104 on macOS, and ends in a NUL
START_PATIENCE = 60.0  # seconds; after a crash the server first replays its write-ahead log
LEAST_ROOM = 100_000_000  # bytes; a new cluster takes half of it
LAUNCHES = 5  # after `kill -9` of the postmaster its children hold the shared memory for a moment
LOCALE = ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")  # the same on every system


def start(home: Path, settings: Mapping[str, str] | None = None) -> str:
    """Starts the server unless it runs, checks that it answers, and returns its libpq URI.

    Safe to call again and from many processes: there is one postmaster. `settings` are server settings such as `fsync`, used only when
    this call starts the server. Raises NoDatabase.
    """
    home = home.expanduser().resolve()
    make_private(home)
    with _only_starter(home):
        cluster = _cluster(home)
        deadline = time.monotonic() + START_PATIENCE
        while (trouble := trouble_reaching(cluster.uri)) is not None:
            if time.monotonic() > deadline:
                raise NoDatabase(f"PostgreSQL in {cluster.files} does not answer: {trouble}\n{cluster.log_tail()}")
            if cluster.postmaster() is None:
                _launch(cluster, settings or {})
            time.sleep(0.05)
    return cluster.uri


def keep_running(home: Path) -> None:
    """Starts the server in `home` again when it died. One that lives and does not answer is left alone: its connections may be used up.

    Raises NoDatabase.
    """
    if _cluster(home.expanduser().resolve()).postmaster() is None:
        start(home)


def attach(home: Path) -> str:
    """The libpq URI of the server that already runs in `home`. Raises NoDatabase; starts nothing."""
    home = home.expanduser().resolve()
    uri = _uri(_socket_directory(home / FILES))
    trouble = trouble_reaching(uri)
    if trouble is not None:
        why = "" if missing_sockets(uri) else f" ({trouble})"
        raise NoDatabase(
            f"No database is running in {home}. Start `countersign serve`, or set DATABASE_URL to a PostgreSQL of yours.{why}"
        )
    return uri


def missing_sockets(url: str) -> tuple[Path, ...]:
    """The sockets that the URL names, where none of them is there. Empty when it names a server that is reached in another way."""
    chosen = conninfo_to_dict(url)
    directories = str(chosen.get("host") or "").split(",")
    ports = str(chosen.get("port") or 5432).split(",")
    if len(ports) != len(directories):
        ports = ports[:1] * len(directories)
    sockets = tuple(
        Path(directory, f".s.PGSQL.{port}")
        for directory, port in zip(directories, ports, strict=True)
        if directory[:1] == "/"
    )
    is_reached = len(sockets) < len(directories) or any(socket.exists() for socket in sockets)
    return () if is_reached else sockets


def makes_sockets_in(directory: Path) -> bool:
    """Whether it is one that `start` has made, or would make for a long path."""
    is_short = OWN_DIRECTORY.fullmatch(directory.name) is not None and directory.parent == Path(tempfile.gettempdir())
    return is_short or (directory.name == FILES and (directory.parent / LOCK).exists())


def is_made(home: Path) -> bool:
    """Whether a server was ever started in `home`."""
    return (home.expanduser() / FILES).exists()


def stop(home: Path) -> None:
    """Stops the server in `home`, if there is one; committed rows stay."""
    home = home.expanduser().resolve()
    if not (home / FILES).exists():
        return
    with _only_starter(home):
        cluster = _cluster(home)
        if cluster.postmaster() is not None:
            cluster.run("pg_ctl", "stop", "-D", str(cluster.files), "-m", "fast", "-w", "-t", "30")
        if cluster.sockets != cluster.files and cluster.sockets.exists():
            shutil.rmtree(cluster.sockets)


def discard(home: Path) -> None:
    """Stops the server in `home` and removes its files: for a database that was never finished."""
    stop(home)
    shutil.rmtree(home.expanduser().resolve() / FILES, ignore_errors=True)


def trouble_reaching(uri: str) -> str | None:
    """Why the server cannot be reached, or None. Connects, because the number in a pid file may belong to another process."""
    try:
        with psycopg.connect(uri, connect_timeout=5) as connection:
            connection.execute("select 1")
    except psycopg.OperationalError as refused:
        return str(refused)
    return None


def _launch(cluster: Cluster, settings: Mapping[str, str]) -> None:
    for attempt in range(1, LAUNCHES + 1):
        try:
            return cluster.launch(settings)
        except NoDatabase:
            if attempt == LAUNCHES:
                raise
            time.sleep(0.5)
    return None


@dataclass(frozen=True)
class Cluster:
    """A data directory, the PostgreSQL programs for it, and the account that runs them."""

    files: Path
    sockets: Path
    programs: Path
    account: Account

    @property
    def uri(self) -> str:
        return _uri(self.sockets)

    def postmaster(self) -> int | None:
        """The pid of a living server on these files, or None. `starting up` and `shutting down` count as living."""
        try:
            pid = int((self.files / "postmaster.pid").read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return None
        return pid if _is_postgres(pid, self.files) else None

    def launch(self, settings: Mapping[str, str]) -> None:
        if not (self.files / "PG_VERSION").exists():
            self._initialise()
        (self.files / "postmaster.pid").unlink(missing_ok=True)  # stale: postmaster() found no living server
        self._make_socket_directory()
        ours = {"listen_addresses": "", "unix_socket_directories": str(self.sockets), "log_checkpoints": "off"}
        chosen = [f"--{name}={value}" for name, value in {**ours, **settings}.items()]
        options = shlex.join(chosen)  # pg_ctl passes them to a shell
        self.run("pg_ctl", "start", "-D", str(self.files), "-l", str(self._log), "-o", options, "-w", "-t", "60")

    def run(self, program: str, *arguments: str) -> None:
        """Runs one of PostgreSQL's programs as the server's account."""
        process = subprocess.Popen(
            [str(self.programs / program), *arguments],
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            user=self.account.uid,
            group=self.account.gid,
            extra_groups=None if self.account.uid is None else [],
        )
        try:
            output, _ = process.communicate()
        except (
            BaseException
        ):  # a killed `pg_ctl start` would leave a server that has no pid file yet, which `stop` would not find
            process.communicate()
            raise
        if process.returncode:
            said = f"{output}\n{self.log_tail()}"
            is_full = shutil.disk_usage(self.files.parent).free < LEAST_ROOM
            if is_full and os.strerror(errno.ENOSPC) in said:
                raise NoDatabase(
                    f"the disk is full, and PostgreSQL needs room in {self.files.parent}. Make some, then start again"
                )
            raise NoDatabase(f"{program} failed on {self.files}: {output.strip()}\n{self.log_tail()}".strip())

    def log_tail(self) -> str:
        if not self._log.exists():
            return ""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-10:])

    @property
    def _log(self) -> Path:
        return self.files / "server.log"

    def _initialise(self) -> None:
        """Creates the cluster in a temporary directory and then renames it, so that a killed `initdb` leaves no partial cluster."""
        fresh = self.files.with_name("postgres.new")
        shutil.rmtree(fresh, ignore_errors=True)
        try:
            self._own(fresh)
            self.run("initdb", "-D", str(fresh), "-U", "postgres", "-E", "UTF8", *LOCALE, "--auth=trust")
        except BaseException:  # also Ctrl-C
            shutil.rmtree(fresh, ignore_errors=True)
            raise
        fresh.replace(self.files)

    def _own(self, directory: Path) -> None:
        directory.mkdir(mode=0o700)
        if self.account.uid is not None and self.account.gid is not None:
            os.chown(directory, self.account.uid, self.account.gid)

    def _make_socket_directory(self) -> None:
        """The socket is beside the data, or in a separate short directory when that path is too long."""
        if self.sockets == self.files:
            return
        if not self.sockets.exists():
            self._own(self.sockets)
        found = self.sockets.lstat()
        owner = os.geteuid() if self.account.uid is None else self.account.uid
        if found.st_uid != owner or found.st_mode & 0o777 != 0o700:
            raise NoDatabase(
                f"{self.sockets} belongs to somebody else. Remove it, or choose a shorter COUNTERSIGN_HOME."
            )


def _cluster(home: Path) -> Cluster:
    files = home / FILES
    programs = find_programs(files)
    account = account_for(home, programs) if os.geteuid() == 0 else Account()
    return Cluster(files=files, sockets=_socket_directory(files), programs=programs, account=account)


def _uri(sockets: Path) -> str:
    return f"postgresql://postgres@/postgres?host={quote(str(sockets), safe='')}"


def _socket_directory(files: Path) -> Path:
    if len(os.fsencode(files / SOCKET_NAME)) <= SOCKET_PATH_LIMIT:
        return files
    return Path(tempfile.gettempdir()) / f"countersign-{hashlib.sha256(os.fsencode(files)).hexdigest()[:16]}"


def _is_postgres(pid: int, files: Path) -> bool:
    """Whether this process is a PostgreSQL server on these files. A zombie has no command line."""
    arguments = Path(f"/proc/{pid}/cmdline")
    if Path("/proc/self").exists():
        try:
            command = arguments.read_bytes().decode(errors="replace").split("\0")
        except (FileNotFoundError, ProcessLookupError):
            return False
        return Path(command[0]).name == "postgres" and str(files) in command
    listed = subprocess.run(
        ["/bin/ps", "-p", str(pid), "-o", "command="], capture_output=True, text=True, check=False
    )  # macOS
    return "postgres" in listed.stdout and str(files) in listed.stdout


@contextmanager
def _only_starter(home: Path) -> Iterator[None]:
    """Lets one process at a time start or stop the server. A dead process releases the lock."""
    with (home / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
