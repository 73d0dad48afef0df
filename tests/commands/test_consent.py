"""Questions before production moves: asked on a terminal, answered by --yes, refused where no one could answer; and progress."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import pytest

from bot.commands.context import Failed, Mistake, NothingFound, telling_mistakes
from bot.commands.output.consent import confirm, confirm_on_terminal
from bot.commands.output.progress import FIRST, progress
from bot.commands.output.terminal import can_answer, is_terminal, shows_progress, width
from bot.errors import CountersignError, InvalidSettings, NotFound, Permanent, Refused, Temporary

MOVES = "alias:champion of bike-demand moves from v3 back to v2."
END = "<end>"


class Terminal:
    """A real one, whose other end the test holds."""

    def __init__(self) -> None:
        self.ours, theirs = os.openpty()
        os.set_blocking(self.ours, False)
        settings = termios.tcgetattr(theirs)
        settings[3] &= ~termios.ECHO
        termios.tcsetattr(theirs, termios.TCSANOW, settings)
        self.stdin = os.fdopen(theirs, "r", closefd=False)
        self.stderr = os.fdopen(theirs, "w", closefd=False)
        self._theirs = theirs

    @contextmanager
    def attached(self) -> Iterator[None]:
        """Within a test, because pytest replaces the streams between its fixtures and it."""
        before = sys.stdin, sys.stderr
        sys.stdin, sys.stderr = self.stdin, self.stderr
        try:
            yield
        finally:
            sys.stdin, sys.stderr = before

    def answers(self, text: str) -> None:
        os.write(self.ours, text.encode())

    def printed(self) -> str:
        """All of it: a terminal hands over what was written some time later, so a mark is written last and waited for."""
        self.stderr.write(END)
        self.stderr.flush()
        read = ""
        while not read.endswith(END):
            select.select([self.ours], [], [])
            read += os.read(self.ours, 10_000).decode()
        return read.removesuffix(END).replace("\r\n", "\n")

    def close(self) -> None:
        self.stdin.close()
        self.stderr.close()
        os.close(self._theirs)
        os.close(self.ours)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    one = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("COLUMNS", raising=False)
    yield one
    one.close()


@pytest.mark.parametrize("answer", ["y\n", "yes\n"])
def test_a_person_who_agrees_goes_on_and_has_read_what_will_happen(terminal: Terminal, answer: str) -> None:
    terminal.answers(answer)

    with terminal.attached():
        confirm(MOVES, yes=False)

    assert terminal.printed().startswith(f"{MOVES}\nGo on? [y/N]:")


@pytest.mark.parametrize("answer", ["n\n", "\n", "no\n"])
def test_a_person_who_does_not_agree_stops_it(terminal: Terminal, answer: str) -> None:
    terminal.answers(answer)

    with terminal.attached(), pytest.raises(click.Abort):
        confirm_on_terminal(lambda: MOVES, yes=False)


def test_where_no_one_can_answer_it_refuses_and_names_the_option() -> None:
    with pytest.raises(Mistake, match=r"moves from v3 back to v2\. Nothing was done: add --yes") as refusal:
        confirm(MOVES, yes=False)

    assert refusal.value.exit_code == 2


def test_a_script_that_agrees_or_that_called_it_before_is_not_asked() -> None:
    looked = list[str]()

    confirm(MOVES, yes=True)
    confirm_on_terminal(lambda: looked.append("read the registry") or MOVES, yes=False)  # type: ignore[func-returns-value]

    assert looked == []


def test_progress_is_drawn_on_a_terminal_and_erased_at_the_end(terminal: Terminal) -> None:
    with terminal.attached(), progress("reading the ledger") as report:
        report("checking entry 1,200 of 48,000 \x1b[2J")
        time.sleep(FIRST * 1.5)

    printed = terminal.printed()
    assert "checking entry 1,200 of 48,000  [2J (" in printed
    assert printed.endswith("\r\x1b[2K")


def test_progress_is_silent_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("reading the ledger") as report:
        report("checking entry 1 of 2")

    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("error", "kind", "code", "said"),
    [
        (Refused("no rule names it"), Failed, 1, "no rule names it"),
        (Permanent("invite the bot"), Failed, 1, "invite the bot"),
        (NotFound("there is no job 12"), NothingFound, 4, "there is no job 12"),
        (InvalidSettings(("PORT is missing", "JIRA_URL is none")), Mistake, 2, "PORT is missing\nJIRA_URL is none"),
        (
            Temporary("MLflow cannot be reached at 127.0.0.1. It will be tried again."),
            Failed,
            1,
            "MLflow cannot be reached at 127.0.0.1.",
        ),
        (Temporary("The mail server is away. It is tried again."), Failed, 1, "The mail server is away."),
        (
            Temporary("git cannot read it: gone. It will be tried again; if it stays so, remove that directory"),
            Failed,
            1,
            "git cannot read it: gone. If it stays so, remove that directory",
        ),
        (
            Temporary("The remote cannot be read. Check the address; it will be tried again."),
            Failed,
            1,
            "The remote cannot be read. Check the address.",
        ),
    ],
)
def test_each_error_has_its_exit_code_and_no_command_promises_another_try(
    error: CountersignError, kind: type[Failed], code: int, said: str
) -> None:
    @telling_mistakes
    def command() -> None:
        raise error

    with pytest.raises(kind) as failed:
        command()

    assert (failed.value.exit_code, failed.value.message) == (code, said)


@pytest.mark.parametrize("name", ["stdin", "stdout", "stderr"])
def test_a_stream_that_was_closed_before_the_start_is_no_terminal(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, name, None)

    assert not is_terminal(getattr(sys, name))
    assert not can_answer()
    assert width() is None
    assert not shows_progress()


@pytest.mark.parametrize("command", ["init", "jobs drop 1 --reason x", "restore a.backup"])
def test_a_command_without_standard_input_says_what_it_lacks(command: str, tmp_path: Path) -> None:
    (tmp_path / "a.backup").write_text("nothing")

    said = subprocess.run(
        ["sh", "-c", f'"{sys.executable}" -P -m bot {command} <&-'],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert said.returncode in (1, 2)
    assert "Traceback" not in said.stderr
    assert said.stderr.strip()
