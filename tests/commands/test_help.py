"""The help: one whole sentence for each command, by subject; what it imports; and the shell's completion."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from bot.__main__ import COMMANDS, GROUPS, main
from bot.commands.asking.options import VersionNumber

LOADED = "import sys; from bot.__main__ import main; main(['--help'], standalone_mode=False); print(*sys.modules, file=sys.stderr)"


def printed(*words: str) -> str:
    done = CliRunner().invoke(main, [*words, "--help"], catch_exceptions=False, terminal_width=80)
    assert done.exit_code == 0
    return done.output


def test_each_command_is_in_one_group_with_a_whole_sentence_on_its_line() -> None:
    lines = printed().splitlines()

    assert sum(map(len, GROUPS.values())) == len(COMMANDS)
    for name, named in COMMANDS.items():
        (line,) = (line for line in lines if line.split()[:1] == [name])
        assert line.endswith(named.sentence)
        assert named.sentence.endswith(".")
    assert max(map(len, lines)) <= 80


def test_no_sentence_of_a_command_in_a_group_is_cut() -> None:
    context = click.Context(main)
    groups = [name for name in COMMANDS if isinstance(main.get_command(context, name), click.Group)]

    for name in groups:
        said = printed(name)
        assert not any(line.endswith("...") for line in said.split("Commands:")[1].splitlines()), name
        assert max(map(len, said.splitlines())) <= 80, name
    assert len(groups) > 8


def test_the_help_imports_no_command() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)

    loaded = set(done.stderr.split())
    assert {"sqlalchemy", "flask", "mlflow", "pydantic", "structlog"} & loaded == set()


@pytest.mark.parametrize(
    ("words", "incomplete", "offered"),
    [
        ([], "ro", {"rollback"}),
        (["requests"], "", {"list", "show", "call-off"}),
        (["requests", "list", "--state"], "app", {"approved", "applied"}),
        (["jobs", "list"], "--a", {"--all"}),
        (["keys", "new", "--algorithm"], "ed", {"ed25519"}),
    ],
)
def test_the_shell_completes_commands_options_and_choices(words: list[str], incomplete: str, offered: set[str]) -> None:
    found = ShellComplete(main, {}, "countersign", "_COUNTERSIGN_COMPLETE").get_completions(words, incomplete)

    assert {one.value for one in found} == offered


@pytest.mark.parametrize(
    ("words", "meant"),
    [(["requets"], "requests"), (["requests", "lst"], "list"), (["policy", "fast-track"], ""), (["zzz"], "")],
)
def test_a_mistyped_command_is_answered_with_the_one_that_was_meant_in_every_group(
    words: list[str], meant: str
) -> None:
    done = CliRunner().invoke(main, words)

    assert done.exit_code == 2
    assert f"No such command '{words[-1]}'." in done.output
    assert (f'Did you mean "{meant}"?' in done.output) is bool(meant)


@pytest.mark.parametrize(("said", "code"), [("v3", 0), ("V3", 0), ("3", 0), ("v0", 2), ("vv3", 2), ("v", 2)])
def test_a_version_is_taken_as_cards_write_it(said: str, code: int) -> None:
    @click.command()
    @click.option("--version", type=VersionNumber(min=1))
    def command(version: int) -> None:
        assert version == 3

    assert CliRunner().invoke(command, ["--version", said]).exit_code == code
