"""A full disk is said in one sentence, and leaves no half-written key behind."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from bot.commands.context import telling_mistakes
from bot.links import KEY_FILE, links_for, make_link_key

MAKES_KEYS = """
import resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
from bot.clients.keys import make_key
from bot.links import make_link_key
for make in (lambda: make_link_key(Path(sys.argv[1])), lambda: make_key(Path(sys.argv[1]) / "approvals.pem")):
    try:
        make()
    except OSError as trouble:
        print(type(trouble).__name__)
"""


def test_no_key_is_left_that_only_its_beginning_fitted(tmp_path: Path) -> None:
    """A file of ten bytes at most stands for a full disk."""
    done = subprocess.run([sys.executable, "-c", MAKES_KEYS, str(tmp_path)], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["OSError", "OSError"]
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_an_empty_key_of_links_signs_nothing_and_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / KEY_FILE
    path.parent.mkdir(parents=True)
    path.touch()

    assert not links_for("https://countersign.example.com", (), tmp_path).are_made
    make_link_key(tmp_path)

    assert len(path.read_text().strip()) >= 43
    assert path.stat().st_mode & 0o777 == 0o600
    made = path.read_text()
    make_link_key(tmp_path)
    assert path.read_text() == made
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_a_command_says_it_in_one_sentence() -> None:
    @click.command()
    @telling_mistakes
    def command() -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/srv/var/keys/link.key")

    done = CliRunner().invoke(command)

    assert done.exit_code == 2
    assert done.output == (
        "the disk is full for /srv/var/keys/link.key (No space left on device). Make room, then run it again\n"
    )


def test_any_other_trouble_with_a_file_stays_a_bug() -> None:
    @click.command()
    @telling_mistakes
    def command() -> None:
        raise OSError(errno.EBADF, "Bad file descriptor")

    with pytest.raises(OSError, match="Bad file"):
        CliRunner().invoke(command, catch_exceptions=False)


def test_what_ends_too_early_is_not_taken_for_a_person_who_ends_the_input() -> None:
    @click.command()
    @telling_mistakes
    def command() -> None:
        raise EOFError("Compressed file ended before the end-of-stream marker was reached")

    done = CliRunner().invoke(command)

    assert (done.exit_code, "Aborted" in done.output) == (1, False)
    assert "ends too early (Compressed file ended before" in done.output
