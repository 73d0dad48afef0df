"""The steps of `make deploy-check` that need no download; what promtool and systemd-analyze check, only where they are installed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import bot

ROOT = Path(bot.__file__).parents[1]
DOWNLOADS = "uv tool run"


def steps() -> list[str]:
    """As make would run them, each on one line."""
    done = subprocess.run(
        ["make", "--dry-run", "--no-print-directory", "--assume-old", ".venv/.installed", "deploy-check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [step for step in done.stdout.replace("\\\n", " ").splitlines() if DOWNLOADS not in step]


@pytest.mark.parametrize("step", steps(), ids=lambda step: " ".join(step.split()[:2]))
def test_a_step_of_deploy_check_that_needs_no_download_finds_nothing(step: str) -> None:
    done = subprocess.run(["sh", "-c", step], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
