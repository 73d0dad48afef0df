"""A full disk, or a file that cannot be used, is said in one sentence, and leaves no half-written key behind."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path
from typing import TextIO

import click
import pytest
from click.testing import CliRunner, Result

from bot.__main__ import Commands, main
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


def ended_with(trouble: OSError, monkeypatch: pytest.MonkeyPatch) -> Result:
    """Of a command that meets it."""

    @click.command()
    @telling_mistakes
    def command() -> None:
        raise trouble

    monkeypatch.setattr(Commands, "get_command", lambda *_: command)
    return CliRunner().invoke(main, ["command"])


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "/srv/var/keys/link.key"),
            "the disk is full for /srv/var/keys/link.key (No space left on device). Make room, then run it again",
        ),
        (
            OSError(errno.EFBIG, "File too large"),
            "a file became larger than may be (File too large). Raise the limit (`ulimit -f`), then run it again",
        ),
        *(
            (
                OSError(number, "Not so", "/mnt/out\x1b"),
                "/mnt/out  cannot be used (Not so). Name another place, or let your user read and write there, then run it again",
            )
            for number in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EISDIR)
        ),
    ],
)
def test_a_command_says_what_is_wrong_with_a_place_in_one_sentence(
    trouble: OSError, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = ended_with(trouble, monkeypatch)

    assert (done.exit_code, done.output) == (2, f"{said}\n")


def test_any_other_trouble_with_a_file_stays_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    done = ended_with(OSError(errno.EBADF, "Bad file descriptor"), monkeypatch)

    assert isinstance(done.exception, OSError)
    assert done.output == ""


def test_a_file_that_cannot_be_put_in_its_place_after_the_command_is_told_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As that of `audit export --out`."""
    place = tmp_path / "out"

    @click.command()
    @click.option("--out", type=click.File("w", atomic=True))
    @telling_mistakes
    def command(out: TextIO) -> None:
        out.write("1")
        place.mkdir()

    monkeypatch.setattr(Commands, "get_command", lambda *_: command)
    done = CliRunner().invoke(main, ["command", "--out", str(place)])

    assert done.exit_code == 2
    assert done.output.startswith(f"{place} cannot be used (Is a directory)")
    assert len(done.output.splitlines()) == 1


def test_what_ends_too_early_is_not_taken_for_a_person_who_ends_the_input() -> None:
    @click.command()
    @telling_mistakes
    def command() -> None:
        raise EOFError("Compressed file ended before the end-of-stream marker was reached")

    done = CliRunner().invoke(command)

    assert (done.exit_code, "Aborted" in done.output) == (1, False)
    assert "ends too early (Compressed file ended before" in done.output
