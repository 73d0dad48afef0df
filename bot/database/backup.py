"""A backup of our database in one file, and back: a tar of a `pg_dump` and a manifest that says what is in it.

The dump and the manifest are of the same snapshot. PostgreSQL's own programs do the work: of the extra `embedded`, else those on PATH.
"""

from __future__ import annotations

import hashlib
import io
import json
import lzma
import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Self

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from bot.database.connect import alembic_config, connect
from bot.database.embedded_programs import find_programs
from bot.errors import NoDatabase, Refused

MANIFEST, DUMP = "manifest.json", "database.dump"
FORMAT = 1
LARGEST_MANIFEST = 1024 * 1024  # bytes
TABLES = "select count(*) from pg_tables where schemaname not in ('pg_catalog', 'information_schema')"
UNFINISHED = "countersign_restore_unfinished"  # a table that is there from before the dump is loaded until what waited then has ended
AS_OURS = ("--no-owner", "--no-privileges")  # whoever restores it owns it; `countersign migrate` grants again
AFTER_SIGNAL: dict[int, str] = {
    signal.SIGXFSZ: "A file became larger than this shell allows: run `ulimit -f unlimited`, then run it again",
    signal.SIGXCPU: "It took more processor time than this shell allows: run `ulimit -t unlimited`, then run it again",
    signal.SIGKILL: "The machine or container may have been out of memory, which `dmesg` says: give it more, then run it again",
}


@dataclass(frozen=True)
class Manifest:
    """`entries`, `head` and `ledger` are the ledger's length, last head and name; `keys` are the ids of the keys that may sign in it."""

    made_at: datetime
    revision: str
    entries: int
    head: str
    ledger: str
    keys: tuple[str, ...]
    sha256: str = ""
    format: int = FORMAT

    def to_json(self) -> bytes:
        return json.dumps({**asdict(self), "made_at": self.made_at.isoformat()}, indent=2).encode()

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """Raises Refused."""
        try:
            found = json.loads(text)
            if found["format"] != FORMAT:
                raise Refused(
                    f"the backup has format {found['format']}, and this release reads {FORMAT}. Restore it with the release that made it"
                )
            made_at = datetime.fromisoformat(found["made_at"])
            return cls(**{**found, "made_at": made_at, "keys": tuple(found["keys"])})
        except (ValueError, KeyError, TypeError):
            raise Refused(f"{MANIFEST} in the backup cannot be read. Use another backup") from None


def write_backup(url: str, file: Path, manifest: Manifest, snapshot: str) -> Manifest:
    """`snapshot` is one that an open transaction has exported. Writes all or nothing. Raises NoDatabase and OSError."""
    try:
        room = tempfile.TemporaryDirectory(dir=file.parent, prefix=".countersign-backup-")
    except OSError as trouble:  # about the file that was named, and not about one that nobody knows
        raise OSError(trouble.errno, trouble.strerror, str(file)) from None
    with room as place:
        dump, whole = Path(place) / DUMP, Path(place) / "whole.tar"
        _run("pg_dump", "--format=custom", *AS_OURS, f"--snapshot={snapshot}", f"--file={dump}", url=url)
        written = replace(manifest, sha256=_sha256(dump))
        with tarfile.open(whole, "x") as archive:
            _add(archive, MANIFEST, written.to_json())
            archive.add(dump, DUMP)
        whole.chmod(0o600)
        with whole.open("rb") as stream:
            os.fsync(stream.fileno())
        whole.replace(file)
    return written


def read_manifest(file: Path) -> Manifest:
    """Raises Refused, and OSError for a file that cannot be read."""
    if not file.exists():
        raise Refused(f"there is no file {file}")
    why = f"{file} is no backup of Countersign, or was cut. Use one that `countersign backup` has written"
    with _refusing(why), tarfile.open(file) as archive:
        member = archive.extractfile(MANIFEST)
        text = member.read(LARGEST_MANIFEST) if member else b""
    return Manifest.from_json(text)


def load_backup(file: Path, manifest: Manifest, url: str) -> None:
    """Into a database without tables, in one transaction; it is not to be used before `finish`. Raises Refused, NoDatabase."""
    from alembic.script import ScriptDirectory  # here, because every process asks `check_finished`, and it takes 11 MB

    known = {script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()}
    if manifest.revision not in known:
        raise Refused(
            f"the backup is of a newer release than this one (schema {manifest.revision}). Install that release, then restore"
        )
    with connect(url) as connection:
        row = connection.execute(TABLES).fetchone()
    if row is None or row[0]:
        raise Refused("the database has tables already. Restore into an empty one")
    with tempfile.TemporaryDirectory(prefix="countersign-restore-") as place:
        dump = Path(place) / DUMP
        _unpack(file, dump)
        if _sha256(dump) != manifest.sha256:
            raise Refused(f"{DUMP} in {file} was changed or damaged since it was written. Use another backup")
        with connect(url) as connection:
            connection.execute(f"create table {UNFINISHED} ()")
        try:
            _run("pg_restore", *AS_OURS, "--exit-on-error", "--single-transaction", str(dump), url=url)
        except NoDatabase:
            finish(url)  # nothing was loaded
            raise


def finish(url: str) -> None:
    """What was loaded may be used."""
    with connect(url) as connection:
        connection.execute(f"drop table {UNFINISHED}")


def check_finished(url: str) -> None:
    """Of a restore that was cut short, nothing says that what happened since the backup is not on record. Raises NoDatabase."""
    with connect(url) as connection:
        row = connection.execute("select to_regclass(%s)", (UNFINISHED,)).fetchone()
    if row is not None and row[0] is not None:
        raise NoDatabase(
            "`countersign restore` was cut short in this database, so it must not be used. Empty it, then restore again"
        )


def _unpack(file: Path, dump: Path) -> None:
    """A member that is not whole is found by its digest."""
    why = f"{file} was cut: {DUMP} is not in it as a whole. Use another backup"
    with _refusing(why), tarfile.open(file) as archive, dump.open("wb") as copy:
        member = archive.extractfile(DUMP)
        shutil.copyfileobj(member or io.BytesIO(), copy)


@contextmanager
def _refusing(why: str) -> Iterator[None]:
    """For bytes that are no whole archive, compressed or not. Raises Refused, and OSError for what the file system refuses."""
    try:
        yield
    except OSError as trouble:
        if trouble.errno is not None:  # those of Python's decompressors have none
            raise
        raise Refused(why) from None
    except (tarfile.TarError, KeyError, EOFError, zlib.error, lzma.LZMAError):
        raise Refused(why) from None


def _run(program: str, *arguments: str, url: str) -> None:
    """The password goes into the program's environment: all users of the machine can read its arguments."""
    place = conninfo_to_dict(url)
    password = place.pop("password", None)
    environment = {**os.environ, **({"PGPASSWORD": str(password)} if password else {})}
    command = [_program(program), f"--dbname={make_conninfo('', **place)}", *arguments]
    finished = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, env=environment
    )
    if finished.returncode:
        raise NoDatabase(_why_failed(program, finished.returncode, finished.stderr.strip()))


def _why_failed(program: str, code: int, said: str) -> str:
    if code > 0:
        return f"{program} failed: {said or f'exit code {code}'}"
    name = next((one.name for one in signal.Signals if one == -code), f"signal {-code}")
    fix = AFTER_SIGNAL.get(-code, "Run it again")
    return f"{program} was ended by {name} ({signal.strsignal(-code)}){f': {said}' if said else ''}. {fix}"


def _program(name: str) -> str:
    """Those of the extra are of a new PostgreSQL, which can dump every older one."""
    try:
        return str(find_programs(Path("none")) / name)
    except NoDatabase:
        found = shutil.which(name)
    if found is None:
        raise NoDatabase(
            f"{name} is not on PATH. Install PostgreSQL's client programs, or `pip install 'mlflow-countersign[embedded]'`."
        )
    return found


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))
