"""Every command line of the pages is run by a test, or is named here with the reason why it is not."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import click
import pytest

from bot.__main__ import main
from tests.docs.pages import PAGES, ROOT, name_of

BLOCK = re.compile(r"^ *```(?:sh|bash|console)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
OURS = re.compile(r"(?:^|\(|&& |\. |exec )countersign (?P<words>[^|)]*)")
SETS_A_VARIABLE = re.compile(r"(export )?[A-Z_]+=\S+( [A-Z_]+=\S+)*|set -a && \. \./countersign\.env && set \+a")

RUN_BY_HELPERS: dict[str, str] = {
    "audit export": "tests/e2e/ledger/test_witnesses.py",
    "audit prove": "tests/e2e/ledger/test_witnesses.py",
    "audit verify": "tests/e2e/ledger/test_witnesses.py",
    "digest": "tests/commands/test_digest.py",
    "gate check": "tests/gate/test_pinned_passkeys.py",
    "jobs list": "tests/commands/test_jobs.py",
    "jobs show": "tests/commands/test_jobs.py",
    "policy explain": "tests/e2e/policy/test_commands.py",
    "policy replay": "tests/e2e/policy/test_commands.py",
    "register": "tests/commands/test_register.py",
    "request-transition": "tests/e2e/request/test_asking_in_words.py",
    "requests call-off": "tests/commands/test_people.py",
}
"""Commands whose words a helper of that file puts together: the file says the last word and each option."""

NETWORK = "it installs from a package index, and no test uses the network"
CLUSTER = "no container engine is where the tests run"
NOT_RUN_HERE: dict[str, str] = {
    "make demo": "it is a wrapper of `countersign demo`, which tests/e2e runs with --auto",
    "make test": "it is what runs the tests",
    "make soak": "tests/soak runs its short form",
    "make chaos": "tests/chaos runs its short form",
    "mlflow server --app-name countersign": "tests/guard starts the same server on a port of its own",
    "make dist": "it is run by tests/deploy/test_wheel.py as a proof, with another TREE and DIST",
    "pip install": NETWORK,
    "/opt/countersign/bin/pip install": NETWORK,
    "uv tool install": NETWORK,
    "pipx install": NETWORK,
    "docker build": CLUSTER,
    "mlflow models build-docker": CLUSTER,
    "python3 -m venv": "an environment made so is what runs the tests",
    "cd ": "it only changes the directory",
    "mkdir ": "it only makes a directory, and a repository of git in it",
    "python3 -c": "it is run below",
    "curl ": "tests/e2e/request send the same request from Python",
    "createuser ": "the tests make both roles in SQL, in a PostgreSQL without these programs",
    "createdb ": "the tests make the database in SQL",
    "openssl ": "tests/contracts verifies the same bytes with `cryptography`; openssl may be missing",
    "model_signing verify": "tests/e2e/attestation/test_model_signature.py calls the library that this command is part of",
    'eval "$(_COUNTERSIGN_COMPLETE=': "tests/commands/test_help.py asks for the same completions from Python",
    "_COUNTERSIGN_COMPLETE=fish_source": "tests/commands/test_help.py asks for the same completions from Python",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false mlflow server": "the tests start the same server on a port of their own",
    "python run.py": "tests/examples/test_bike_demand.py calls its functions",
    "python src/fetch.py": "tests/examples/test_bike_demand.py runs it by `run.py`",
    "git ": "tests/examples/test_bike_demand.py runs git by `run.py`",
    "dvc ": "tests/examples/test_bike_demand.py runs DVC by `run.py`",
    "countersign register --to alias:champion --comment": "tests/commands/test_register.py registers with --ask, and tests/e2e ask the API "
    "that this calls",
    "countersign gate serve models:/bike-demand@champion --key countersign.pub -- --port": "tests/gate/test_serving.py runs it with a "
    "server of its own in place of MLflow's, which would build an environment",
}
"""How a command line begins, and why no test runs it as it is."""


@dataclass(frozen=True)
class Line:
    page: Path
    text: str

    @property
    def code(self) -> str:
        """Without a comment at its end."""
        return self.text.partition("  #")[0].strip()

    @property
    def ours(self) -> list[list[str]]:
        """The words after `countersign`, for each time that the line calls it."""
        return [shlex.split(found["words"], comments=True) for found in OURS.finditer(self.text)]


def lines() -> Iterator[Line]:
    for page in PAGES:
        for block in BLOCK.findall(page.read_text()):
            for text in re.sub(r"\\\n\s*", " ", block).splitlines():
                if text.strip() and not text.strip().startswith("#"):
                    yield Line(page, text.strip())


@lru_cache
def said_in_tests() -> tuple[tuple[str, ...], ...]:
    """The words of each function of a test or of a fixture: string constants, in their order, split where they hold blanks."""
    functions = []
    for file in sorted((ROOT / "tests").rglob("*.py")):
        if file.parent != Path(__file__).parent:
            tree = ast.parse(file.read_text())
            functions += [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    return tuple(tuple(_words_of(one)) for one in functions)


def _words_of(function: ast.FunctionDef) -> Iterator[str]:
    docstring = ast.get_docstring(function, clean=False)
    for node in ast.walk(function):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value != docstring:
            yield from node.value.split()


def command_of(words: Sequence[str]) -> tuple[str, ...]:
    """Without options and arguments, such as `jobs drop`."""
    found: list[str] = []
    command: click.Command = main
    for word in words:
        inner = command.get_command(click.Context(command), word) if isinstance(command, click.Group) else None
        if inner is None:
            break
        found.append(word)
        command = inner
    return tuple(found)


def is_run(words: Sequence[str]) -> bool:
    """By a function that says the command in one piece, and all its options."""
    command = command_of(words)
    options = _options_in(words)
    return bool(command) and any(options <= set(said) and _holds(said, command) for said in said_in_tests())


def _options_in(words: Sequence[str]) -> set[str]:
    ours = words[: words.index("--")] if "--" in words else words
    return {word.partition("=")[0] for word in ours if word.startswith("--")}


def _named_by_the_helper(tree: ast.Module) -> set[str]:
    """Words in a table of the module, beside its functions."""
    tables = [node for node in tree.body if not isinstance(node, ast.FunctionDef)]
    constants = [node.value for table in tables for node in ast.walk(table) if isinstance(node, ast.Constant)]
    return {word for text in constants if isinstance(text, str) for word in text.split()}


def _holds(said: Sequence[str], command: Sequence[str]) -> bool:
    return any(tuple(said[at : at + len(command)]) == tuple(command) for at in range(len(said)))


def run_by_a_helper(words: Sequence[str]) -> bool:
    command = " ".join(command_of(words))
    if command not in RUN_BY_HELPERS:
        return False
    tree = ast.parse((ROOT / RUN_BY_HELPERS[command]).read_text())
    said = {word for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) for word in _words_of(node)}
    said |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return {command.split()[-1]} | _options_in(words) <= said | _named_by_the_helper(tree)


PYTHON = re.compile(r"python3 -c '([^']+)'")


@pytest.mark.parametrize("line", [line for line in lines() if PYTHON.match(line.text)], ids=lambda line: line.text[:60])
def test_what_makes_a_secret_makes_a_long_one(line: Line) -> None:
    found = PYTHON.match(line.text)
    assert found is not None

    done = subprocess.run([sys.executable, "-c", found[1]], capture_output=True, text=True, check=True)

    assert len(done.stdout.strip()) >= 43


def reason_for(text: str) -> str | None:
    return next((why for beginning, why in NOT_RUN_HERE.items() if text.startswith(beginning)), None)


def ids(line: object) -> str | None:
    return f"{name_of(line.page)}: {line.text[:60]}" if isinstance(line, Line) else None


@pytest.mark.parametrize("line", [line for line in lines() if not SETS_A_VARIABLE.fullmatch(line.code)], ids=ids)
def test_a_command_is_run_by_a_test_or_named_as_not_run(line: Line) -> None:
    if reason_for(line.text):
        return
    assert line.ours, "no test runs it: name it in NOT_RUN_HERE, with the reason"
    for words in line.ours:
        assert is_run(words) or run_by_a_helper(words), f"no test runs `countersign {' '.join(words)}`"


@pytest.mark.parametrize("beginning", NOT_RUN_HERE)
def test_what_is_named_as_not_run_is_in_a_page(beginning: str) -> None:
    assert any(line.text.startswith(beginning) for line in lines())


@pytest.mark.parametrize("command", RUN_BY_HELPERS)
def test_a_helper_is_named_for_nothing_that_is_found_without(command: str) -> None:
    """Else the table would only grow."""
    mine = [words for line in lines() for words in line.ours if " ".join(command_of(words)) == command]

    assert [words for words in mine if not is_run(words)] != []


def test_the_check_itself_would_notice() -> None:
    assert not is_run(["jobs", "drop", "7", "--because", "of-this"])
    assert not run_by_a_helper(["jobs", "drop", "7", "--because", "of-this"])
    assert not is_run(["countersign-does-not-have-this"])
    assert reason_for("kubectl apply -k deploy/kubernetes") is None
