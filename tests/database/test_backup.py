"""A backup that cannot be written or read says in one sentence which file, why, and what to do."""

from __future__ import annotations

import bz2
import errno
import gzip
import lzma
import os
import random
import tarfile
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from bot.__main__ import main
from bot.commands.file_troubles import told
from bot.database import backup
from bot.database.backup import DUMP, MANIFEST, Manifest, read_manifest, write_backup
from bot.errors import NoDatabase, Refused

CUT = "is no backup of Countersign, or was cut. Use one that `countersign backup` has written"


def archive(folder: Path) -> Path:
    """Of the same members as a backup, and as hard to compress."""
    file = folder / "whole.backup"
    with tarfile.open(file, "w") as whole:
        for name, size in ((MANIFEST, 5_000), (DUMP, 50_000)):
            member = folder / name
            member.write_bytes(random.Random(name).randbytes(size))
            whole.add(member, name)
    return file


@pytest.mark.parametrize("compress", [bytes, gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("kept", [0, 1, 9, 30, 600, 4_000])
def test_a_cut_backup_is_told_however_it_was_compressed(
    compress: Callable[[bytes], bytes], kept: int, tmp_path: Path
) -> None:
    file = tmp_path / "cut.backup"
    file.write_bytes(compress(archive(tmp_path).read_bytes())[:kept])

    done = CliRunner().invoke(main, ["restore", str(file), "--yes"], env={"COUNTERSIGN_HOME": str(tmp_path)})

    assert (done.exit_code, done.output) == (1, f"Error: {file} {CUT}\n")


@pytest.mark.parametrize("compress", [bytes, gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("is_damaged", [False, True], ids=["cut", "damaged"])
def test_a_dump_that_is_not_there_as_a_whole_is_told_however_it_was_compressed(
    compress: Callable[[bytes], bytes], is_damaged: bool, tmp_path: Path
) -> None:
    file, whole = tmp_path / "cut.backup", compress(archive(tmp_path).read_bytes())
    file.write_bytes(whole[:30_000] + (bytes(len(whole) - 30_000) if is_damaged else b""))

    with suppress(Refused) if compress is bytes else pytest.raises(Refused, match=f"{DUMP} is not in it as a whole"):
        backup._unpack(file, tmp_path / "dump")

    copy = tmp_path / "dump"
    assert not copy.exists() or backup._sha256(copy) != backup._sha256(tmp_path / DUMP)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO])
def test_a_backup_that_may_not_be_read_is_not_said_to_be_cut(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = archive(tmp_path)

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number), str(file))

    monkeypatch.setattr(tarfile, "open", refuse)

    with pytest.raises(OSError, match=os.strerror(number)):
        read_manifest(file)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="there is no file"):
        read_manifest(tmp_path / "none")
    with pytest.raises(IsADirectoryError):
        read_manifest(tmp_path)


@pytest.mark.parametrize("folder", ["/proc", "none", "a file"])
def test_a_place_where_no_backup_can_be_written_is_told_by_the_name_that_was_given(folder: str, tmp_path: Path) -> None:
    (tmp_path / "a file").touch()
    file = tmp_path / folder / "mine.backup"
    manifest = Manifest(datetime.now(UTC), "0001", 1, "", "", ())

    with pytest.raises(OSError, match=r"No such file|Not a directory") as refused:
        write_backup("", file, manifest, "")

    assert told(refused.value).startswith(f"{file} cannot be used (")


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (
            "kill -XFSZ $$",
            "was ended by SIGXFSZ (File size limit exceeded). A file became larger than this shell allows",
        ),
        ("echo working >&2; kill -KILL $$", "was ended by SIGKILL (Killed): working. The machine or container may"),
        ("kill -TERM $$", "was ended by SIGTERM (Terminated). Run it again"),
        ("exit 3", "failed: exit code 3"),
        ("echo no such role >&2; exit 1", "failed: no such role"),
    ],
)
def test_whatever_ends_a_program_of_postgresql_is_told(
    script: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "pg_dump"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o700)
    monkeypatch.setattr(backup, "_program", lambda _: str(program))

    with pytest.raises(NoDatabase) as failed:
        backup._run("pg_dump", url="postgresql://127.0.0.1:9/none")

    assert str(failed.value).startswith(f"pg_dump {said}")


def test_a_restore_that_cannot_be_is_refused_before_anybody_is_asked_to_agree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "postgres").mkdir()
    monkeypatch.setattr(backup, "read_manifest", lambda _: None)

    done = CliRunner().invoke(main, ["restore", "any.backup"], env={"COUNTERSIGN_HOME": str(tmp_path)})

    assert done.exit_code == 2
    assert "postgres is there already" in " ".join(done.output.split())
    assert "--yes" not in done.output
