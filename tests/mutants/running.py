"""Runs named tests on a copy of the tree, on servers that all its runs share."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from bot.sandbox.mlflow_server import running_mlflow
from tests.fixtures import quick_directory
from tests.fixtures.mlflow_server import SERVED_BY_GUNICORN, SHARED_MLFLOW
from tests.fixtures.postgres import SHARED_POSTGRES, _server

ROOT = Path(__file__).parents[2]
NOT_COPIED = shutil.ignore_patterns(
    ".git", ".venv", "var", "build", "dist", "site", "__pycache__", ".*_cache", ".hypothesis"
)
LONGEST = 300.0  # seconds for the tests of one mutant; the slowest takes a minute on a busy machine
IMPORTED_BEFORE = ("-W", "ignore::pytest.PytestAssertRewriteWarning")  # what brings a plugin too, as anyio does
NOT_PASSED = ("failure", "error", "skipped")


@dataclass(frozen=True)
class Outcome:
    """What became of each test; of those that were not run, nothing. A test of several cases fails when one of them does."""

    passed: frozenset[str]
    failed: frozenset[str]


@dataclass(frozen=True)
class Copy:
    """A copy of the tree, with the process that runs tests on it."""

    root: Path
    runner: subprocess.Popen[str]

    def run(self, tests: Sequence[str], longest: float = LONGEST) -> Outcome:
        report, output = self.root.with_suffix(".xml"), self.root.with_suffix(".txt")
        report.unlink(missing_ok=True)
        arguments = ["-q", "-p", "no:cacheprovider", *IMPORTED_BEFORE, f"--junit-xml={report}", *tests]
        asked = {"arguments": arguments, "output": str(output), "longest": longest}
        assert self.runner.stdin is not None
        assert self.runner.stdout is not None
        self.runner.stdin.write(json.dumps(asked) + "\n")
        self.runner.stdin.flush()
        if self.runner.stdout.readline() != "ended\n":
            raise RuntimeError(f"the process that runs the tests in {self.root} has ended by itself")
        return _outcome(report)


@contextmanager
def shared_database() -> Iterator[str]:
    """The address of a PostgreSQL for all copies: each test makes a database of its own in it."""
    with _server() as address:
        yield address


@contextmanager
def copied(to: Path, database: str) -> Iterator[Copy]:
    """With an MLflow of its own, because what one test does there is news to the sweeps of another."""
    shutil.copytree(ROOT, to, ignore=NOT_COPIED, symlinks=True)
    command = [sys.executable, "-m", "tests.mutants.forking"]
    pipe = subprocess.PIPE
    with quick_directory() as home, running_mlflow(home / "mlflow", options=SERVED_BY_GUNICORN) as mlflow:
        servers = {SHARED_POSTGRES: database, SHARED_MLFLOW: f"{mlflow} {home / 'mlflow'}"}
        environ = {**os.environ, **servers, "PYTHONPATH": str(to), "PYTHONDONTWRITEBYTECODE": "1"}
        with subprocess.Popen(command, cwd=to, env=environ, stdin=pipe, stdout=pipe, text=True) as runner:
            yield Copy(to, runner)


def _outcome(report: Path) -> Outcome:
    cases = dict[str, set[str]]()
    for test, ended in _cases(report) if report.is_file() else ():
        cases.setdefault(test, set()).add(ended)
    passed = frozenset(test for test, ended in cases.items() if ended == {"passed"})
    return Outcome(passed, frozenset(test for test, ended in cases.items() if "failure" in ended))


def _cases(report: Path) -> Iterator[tuple[str, str]]:
    """From pytest's own report, written a moment before."""
    for case in ElementTree.parse(report).iter("testcase"):
        file = case.get("classname", "").replace(".", "/") + ".py"
        name = case.get("name", "").partition("[")[0]
        yield f"{file}::{name}", next((child.tag for child in case if child.tag in NOT_PASSED), "passed")
