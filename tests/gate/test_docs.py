"""docs/gate.md and its examples: the commands run as printed, the files parse, and the figures are the code's."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml

import bot
from bot.gate.command import UNDECIDED, gate
from bot.gate.reports import Format
from handlers.attestation.vsa import RENEWED_BEFORE, VALID_FOR

DOCS = Path(bot.__file__).parents[1] / "docs"
PAGE = (DOCS / "gate.md").read_text()
EXAMPLES = sorted((DOCS / "examples").glob("*.yaml"))
COMMAND = re.compile(r"countersign gate [^\n)`]+")


def typed() -> Iterator[list[str]]:
    """Every command line of the page and of the examples."""
    for text in (PAGE, *(path.read_text() for path in EXAMPLES)):
        yield from (shlex.split(found) for found in COMMAND.findall(text))
    (deployment,) = [
        one for one in yaml.safe_load_all((DOCS / "examples" / "kubernetes.yaml").read_text()) if "spec" in one
    ]
    pod = deployment["spec"]["template"]["spec"]
    yield from (container["command"] for container in (*pod["initContainers"], *pod["containers"]))


@pytest.mark.parametrize("words", list(typed()), ids=" ".join)
def test_every_command_parses_as_it_stands(words: list[str]) -> None:
    with click.Context(gate, info_name="gate") as context:
        name, command, rest = gate.resolve_command(context, words[2:])

        assert command is not None
        command.make_context(str(name), list(rest), parent=context).close()


def test_there_are_commands_to_check() -> None:
    assert len(list(typed())) >= 8


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_is_yaml(path: Path) -> None:
    assert all(isinstance(document, dict) for document in yaml.safe_load_all(path.read_text()))


def test_the_workflow_hands_on_the_number_that_was_checked() -> None:
    workflow = yaml.safe_load((DOCS / "examples" / "github-actions.yaml").read_text())

    gate_job, deploy = workflow["jobs"]["gate"], workflow["jobs"]["deploy"]
    (check,) = [step for step in gate_job["steps"] if step.get("id") == "gate"]
    assert check["run"].startswith("model=$(countersign gate check ")
    assert gate_job["outputs"]["model"] == "${{ steps.gate.outputs.model }}"
    assert deploy["needs"] == "gate"
    assert deploy["steps"][0]["env"]["MODEL"] == "${{ needs.gate.outputs.model }}"


def test_the_page_has_every_exit_code_and_format() -> None:
    assert re.findall(r"^\| (\d) \|", PAGE, re.MULTILINE) == ["0", "1", "2", str(UNDECIDED)]
    assert all(f"`{form}`" in PAGE for form in Format)


def test_the_pages_figures_are_the_codes() -> None:
    hours = f"good for {VALID_FOR.total_seconds() / 3600:g} hours"

    assert hours in PAGE
    assert f"renews it every {RENEWED_BEFORE.total_seconds() / 3600:g} while" in PAGE
