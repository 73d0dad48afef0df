"""The files that editors, pre-commit and Dependabot read agree with the Makefile and with ruff."""

from __future__ import annotations

import re
import tomllib
from configparser import ConfigParser

import yaml

from tests.docs.pages import ROOT

MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE))


def test_pre_commit_runs_a_target_of_the_makefile() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())

    (hook,) = [hook for repo in config["repos"] for hook in repo["hooks"]]
    assert hook["entry"].split() == ["make", "check"]
    assert "check" in TARGETS


def test_editors_wrap_code_where_ruff_does() -> None:
    editors = ConfigParser()
    editors.read_string("[top]\n" + (ROOT / ".editorconfig").read_text())
    ruff = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]

    assert editors.getint("*.py", "max_line_length") == ruff["line-length"]
    assert editors.getint("*.md", "max_line_length") == ruff["lint"]["pycodestyle"]["max-line-length"]


def test_dependabot_looks_at_what_this_repository_depends_on() -> None:
    config = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text())

    where = {(one["package-ecosystem"], one["directory"]) for one in config["updates"]}
    assert where == {("pip", "/"), ("github-actions", "/"), ("docker", "/deploy")}
    assert [
        path for path in ("pyproject.toml", ".github/workflows", "deploy/Dockerfile") if not (ROOT / path).exists()
    ] == []
    assert {one["schedule"]["interval"] for one in config["updates"]} == {"weekly"}


def test_contributing_names_every_target_that_checks() -> None:
    table = (ROOT / "CONTRIBUTING.md").read_text()

    assert {name for name in TARGETS if f"make {name}" not in table} == {"clean"}
