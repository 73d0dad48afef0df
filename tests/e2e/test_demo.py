"""`countersign demo --auto` as a whole: the demo checks each of its steps, and exits 0 only if all of them happened."""

from __future__ import annotations

import os
import subprocess

import pytest

from bot.supervisor import COUNTERSIGN
from tests.fixtures import quick_directory

pytestmark = pytest.mark.proof


def test_the_demo_plays_to_its_end_and_mlflow_refuses_the_move_by_hand() -> None:
    ours = {name: text for name, text in os.environ.items() if not name.startswith("COUNTERSIGN_")}
    with quick_directory() as home:
        command = [*COUNTERSIGN, "demo", "--auto", "--home", str(home / "demo")]
        done = subprocess.run(command, env=ours, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "MLflow refuses it: alias:champion of bike-demand is governed by Countersign" in done.stdout
