"""A backup that cannot be written or read says in one sentence which file, why, and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.database import backup
from bot.errors import NoDatabase


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
