"""What the scripts ask of their surroundings: git, and the address of the tracking server."""

from __future__ import annotations

import os
import subprocess

# Whatever the model is made of and git keeps. A change to the README is no reason to train again.
SHAPES_THE_MODEL = ("src", "data", "dvc.yaml", "params.yaml")


def git(*arguments: str) -> str:
    """The output of one git command in this repository; a failure ends the script with git's own words."""
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"git {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout.strip("\n")


def require_tracking_server() -> None:
    """Without the variable MLflow would quietly write to a local folder, where nobody would find the run."""
    if not os.environ.get("MLFLOW_TRACKING_URI"):
        raise SystemExit("MLFLOW_TRACKING_URI is not set, so the run would be lost. Fix: set it to your MLflow server.")
