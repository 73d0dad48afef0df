"""The release workflow calls what exists, pins what it downloads, and gives each job no more rights than it needs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

import bot

ROOT = Path(bot.__file__).parents[1]
TEXT = (ROOT / ".github" / "workflows" / "release.yml").read_text()
WORKFLOW = yaml.safe_load(TEXT)
JOBS: dict[str, dict[str, Any]] = WORKFLOW["jobs"]
STEPS = [step for job in JOBS.values() for step in job["steps"]]
COMMANDS = "\n".join(step["run"] for step in STEPS if "run" in step)
MAKEFILE = (ROOT / "Makefile").read_text()


@pytest.mark.parametrize("action", sorted({step["uses"] for step in STEPS if "uses" in step}))
def test_an_action_is_pinned_to_a_commit_and_says_its_version(action: str) -> None:
    assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action)
    assert re.search(rf"{re.escape(action)}  # v\d", TEXT)


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\bmake ([\w-]+)", COMMANDS))))
def test_a_target_of_make_exists(target: str) -> None:
    assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE)


@pytest.mark.parametrize("path", [".ci/run", "tests/deploy", "pyproject.toml", "CHANGELOG.md"])
def test_a_file_that_it_names_exists(path: str) -> None:
    assert path in COMMANDS
    assert (ROOT / path).exists()


def test_only_the_jobs_that_need_a_right_have_it() -> None:
    writing = {
        name: {right for right, level in job["permissions"].items() if level == "write"} for name, job in JOBS.items()
    }

    assert WORKFLOW["permissions"] == {}
    assert writing == {
        "build": set(),
        "attest": {"id-token", "attestations"},
        "publish": {"id-token"},
        "page": {"contents"},
        "docs": {"contents"},
    }
    assert "secrets." not in TEXT


def test_nothing_is_published_that_was_not_built_from_a_tag_and_attested() -> None:
    assert JOBS["attest"]["needs"] == "build"
    assert JOBS["publish"]["needs"] == "attest"
    assert JOBS["page"]["needs"] == "publish"
    assert {JOBS[name]["if"] for name in ("attest", "publish")} == {"github.ref_type == 'tag'"}


def test_no_expression_is_written_into_a_shell_command() -> None:
    assert "${{" not in COMMANDS


@pytest.mark.parametrize("asset", ["sbom.cdx.json", "requirements.txt"])
def test_an_asset_of_the_release_is_what_make_writes(asset: str) -> None:
    assert f"dist/{asset}" in COMMANDS
    assert f'"$(DIST)/{asset}"' in MAKEFILE
