"""What the pages say to type or to set exists: commands, options, variables."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import countersign_guard.app
import mlflow.environment_variables
import pytest
import yaml

from bot.__main__ import main
from bot.clients.mlflow.checkup import OLDEST, TOO_NEW
from bot.doctor.past_mlflow import STORES
from bot.init.program import PUBLIC_KEY_FILE
from config.policy.shapes import PollShape
from config.settings import SETTINGS
from config.settings.registries import NAMED
from tests.docs.pages import DOCS, PAGES, ROOT, name_of

GUIDE = (DOCS / "guide.md").read_text()
CONNECT = (DOCS / "connect.md").read_text()
OPERATIONS = (DOCS / "operations.md").read_text()
THREE_SCREENS = 120  # lines

BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`(countersign [^`\n]+)`")
PLACEHOLDER = re.compile(r"\[?[A-Z_|]+\]?(\.\.\.)?")  # ID, [FILE], [SEQ|REQUEST_ID], [ARGUMENTS]...
KEY_OF_THE_GATE = re.compile(r"(?:--key(?:=| |, )|keys=\[\")([a-z/][\w./-]*\.(?:pem|pub))\b")
GIVE_A_KEY = [
    path
    for path in (*PAGES, *DOCS.glob("examples/*.yaml"), *ROOT.glob("deploy/**/*.yaml"))
    if KEY_OF_THE_GATE.search(path.read_text()) and path.name != "ledger.md"  # whose keys are the ledger's
]
ANY_SHELL = re.compile(r"^```(?:ba)?sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
BY_NAME = re.compile(r"\binstall\b.*[ '\"]mlflow-countersign(?:\[[\w,]+\])?['\"]?(?! @)(?=\s|$)")
FILES_WITH_COMMANDS = [
    *DOCS.glob("examples/*.yaml"),
    *(path for path in ROOT.glob("deploy/**/*.*") if path.suffix != ".json"),
]
OURS_OR_MLFLOWS = re.compile(r"\b(?:COUNTERSIGN|MLFLOW|SLACK|JIRA|DATABASE|SMTP)_[A-Z_]+\b")


def typed(page: Path) -> Iterator[list[str]]:
    """Whole command lines, from blocks of shell; a word in capitals is a placeholder, and any number will do."""
    for block in BLOCK.findall(page.read_text()):
        for line in block.splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == ["countersign"]:
                yield filled_in(words[: words.index(">")] if ">" in words else words)


def mentioned(page: Path) -> list[list[str]]:
    return [filled_in(shlex.split(span)) for span in SPAN.findall(page.read_text())]


def filled_in(words: list[str]) -> list[str]:
    return ["1" if PLACEHOLDER.fullmatch(word) else word for word in words]


def parse(command: click.Command, words: list[str], parent: click.Context | None = None) -> None:
    """As click would, to the last option, without running anything. A group alone may be mentioned as a whole."""
    if not isinstance(command, click.Group):
        command.make_context(words[0], words[1:], parent=parent).close()
    elif words[1:]:
        context = click.Context(command, parent=parent, info_name=words[0])
        name, subcommand, rest = command.resolve_command(context, words[1:])
        assert subcommand is not None
        parse(subcommand, [str(name), *rest], context)


def ids(case: object) -> str | None:
    return " ".join(case) if isinstance(case, list) else None


@pytest.mark.parametrize("words", [words for page in PAGES for words in typed(page)], ids=ids)
def test_every_command_line_can_be_typed_as_it_stands(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for word in words:
        if Path(word).suffix in (".pem", ".json", ".txt", ".yaml"):  # a file that is there
            (tmp_path / word).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / word).touch()

    parse(main, words)


@pytest.mark.parametrize("words", [words for page in PAGES for words in mentioned(page)], ids=ids)
def test_every_command_that_is_mentioned_exists(words: list[str]) -> None:
    try:
        parse(main, words)
    except click.MissingParameter:
        assert not any(word.startswith("--") for word in words)
    except click.exceptions.Exit:
        assert words[-1] == "--help"


def test_the_check_itself_would_notice() -> None:
    for line in ("countersign promote", "countersign jobs replay --everything", "countersign jobs drop 7"):
        with pytest.raises(click.UsageError):
            parse(main, line.split())


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_variable_is_ours_or_mlflows(page: Path) -> None:
    mlflows = {getattr(one, "name", "") for one in vars(mlflow.environment_variables).values()}
    guards = set(OURS_OR_MLFLOWS.findall(Path(countersign_guard.app.__file__).read_text()))
    known = {setting.name for setting in SETTINGS} | mlflows | guards | set(STORES)

    named = set(OURS_OR_MLFLOWS.findall(page.read_text()))
    assert {one for one in named - known if not NAMED.fullmatch(one)} == set()


@pytest.mark.parametrize("path", GIVE_A_KEY, ids=name_of)
def test_a_key_that_is_given_to_the_gate_is_the_file_that_init_writes(path: Path) -> None:
    assert {Path(named).name for named in KEY_OF_THE_GATE.findall(path.read_text())} == {PUBLIC_KEY_FILE}


@pytest.mark.parametrize("path", [*PAGES, *FILES_WITH_COMMANDS], ids=name_of)
def test_a_fresh_environment_gets_the_wheels_file_because_no_index_has_the_package(path: Path) -> None:
    text = path.read_text()
    lines = "\n".join(ANY_SHELL.findall(text)) if path.suffix == ".md" else text
    by_name = [line for line in lines.splitlines() if BY_NAME.search(line)]

    assert [line for line in by_name if "installed already" not in line] == []


def test_the_processes_of_the_page_are_the_procfiles() -> None:
    procfile = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines() if line)

    rows = re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", OPERATIONS, re.MULTILINE)

    assert dict(rows) == procfile


def test_the_figures_of_the_page_are_the_codes() -> None:
    poll = PollShape()

    assert f"every {poll.versions.seconds} and {poll.aliases.seconds} seconds" in CONNECT
    assert f"from {OLDEST[0]}.{OLDEST[1]} up to, not including, {TOO_NEW[0]}.{TOO_NEW[1]}" in CONNECT


def test_the_guide_is_three_screens_and_says_early_what_others_must_do() -> None:
    lines = GUIDE.splitlines()

    assert len(lines) <= THREE_SCREENS
    assert any("mlflow_user" in line for line in lines[:60])
    assert any("countersign.pub" in line for line in lines[:60])


def test_the_manifest_has_what_the_page_says_to_change() -> None:
    text = (ROOT / "config" / "slack_manifest.yaml").read_text()
    manifest = yaml.safe_load(text)

    addresses = [line for line in text.splitlines() if "https://countersign.example.com/" in line]

    assert len(addresses) == 4
    assert manifest["settings"]["socket_mode_enabled"] is False
