"""`countersign demo --auto` as a whole, and its move by hand, which the guard of the MLflow server refuses."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from mlflow import MlflowClient

from bot.demo.by_hand import refused_by_the_registry
from bot.demo.digest import LONGEST_WAY
from bot.demo.guard import PLUGIN, Guard
from bot.demo.passkeys import with_passkeys
from bot.demo.world import World, write_policy
from bot.errors import DemoFailed
from bot.sandbox.jira import JiraSandbox
from bot.sandbox.slack import SlackSandbox
from bot.supervisor import COUNTERSIGN, Supervisor
from config.policy import read_policy
from tests.fixtures import quick_directory
from tests.fixtures.mlflow_seed import new_model


@pytest.mark.proof
def test_the_demo_plays_to_its_end_and_mlflow_refuses_the_move_by_hand() -> None:
    """It checks each of its steps, and exits 0 only if all of them happened."""
    ours = {name: text for name, text in os.environ.items() if not name.startswith("COUNTERSIGN_")}
    with quick_directory() as home:
        command = [*COUNTERSIGN, "demo", "--auto", "--home", str(home / "demo")]
        done = subprocess.run(command, env=ours, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "MLflow refuses it: alias:champion of bike-demand is governed by Countersign" in done.stdout


def test_a_move_that_mlflow_takes_ends_the_demo_with_an_error(
    tmp_path: Path, mlflow_server: str, model_name: str
) -> None:
    client = MlflowClient(mlflow_server)
    new_model(client, model_name)
    supposed = Guard(tmp_path / "guard", tmp_path / "countersign.pub", token="t")

    with pytest.raises(DemoFailed, match="MLflow answered 200 to a move by hand, which its guard refuses"):
        refused_by_the_registry(world_with(tmp_path, mlflow_server, supposed), model_name, 1, print)


def test_what_waits_in_the_demo_is_not_overdue_when_its_week_ends(tmp_path: Path) -> None:
    policy = read_policy(write_policy(tmp_path, with_passkeys).read_text())

    assert all(rule.expire_after is None or rule.expire_after > LONGEST_WAY for rule in policy.rules)


def test_without_the_plugin_the_demo_leaves_the_move_out_and_says_how_to_install_it(
    tmp_path: Path, mlflow_server: str, model_name: str
) -> None:
    client = MlflowClient(mlflow_server)
    new_model(client, model_name)
    said: list[str] = []

    refused_by_the_registry(world_with(tmp_path, mlflow_server, None), model_name, 1, said.append)

    assert client.get_registered_model(model_name).aliases == {}
    assert f'Install it with: pip install "{PLUGIN}"' in said[-1]
    assert (PLUGIN / "pyproject.toml").exists()


def world_with(home: Path, mlflow: str, guard: Guard | None) -> World:
    slack, jira = SlackSandbox(signing_secret="s"), JiraSandbox(webhook_secret="s")
    return World(home, {}, slack, jira, {"mlflow": mlflow}, Supervisor({}), guard=guard)
