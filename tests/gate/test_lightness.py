"""Asking must be quick: what the gate imports, and what it leaves alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import bot
from tests.gate.approvals import Shelf

ROOT = Path(bot.__file__).parents[1]
HEAVY = {
    "mlflow",
    "flask",
    "slack_sdk",
    "slack_bolt",
    "jira",
    "sqlalchemy",
    "psycopg",
    "pydantic",
    "requests",
    "structlog",
}
ASK = """
import sys
from bot.__main__ import main
try:
    main(["gate", "check", *sys.argv[1:]], prog_name="countersign")
finally:
    print(*sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
"""


def test_a_whole_check_imports_none_of_the_heavy_packages(shelf: Shelf, key: str) -> None:
    shelf.approved()
    arguments = [f"models:/{shelf.model}/1", "--target", "alias:champion", "--key", key]
    environ = {"PATH": "", "PYTHONPATH": str(ROOT), "MLFLOW_TRACKING_URI": shelf.url}

    told = subprocess.run(
        [sys.executable, "-c", ASK, *arguments], env=environ, capture_output=True, text=True, check=False
    )

    assert (told.returncode, told.stdout) == (0, f"models:/{shelf.model}/1\n"), told.stderr
    assert HEAVY & set(told.stderr.splitlines()[-1].split()) == set()
