"""The example walks its whole road with real git, DVC and MLflow. What `countersign register` refuses: `tests/commands/test_register.py`.

One work directory is trained for all tests here.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from mlflow import MlflowClient

EXAMPLE = Path(__file__).parents[2] / "examples" / "bike-demand"


@dataclass(frozen=True)
class Outcome:
    code: int
    lines: list[str]
    complaint: str


@dataclass(frozen=True)
class Registered:
    workdir: Path
    server: str
    model: str
    version: str
    run_id: str
    commit: str
    metrics: dict[str, float]

    @property
    def repository(self) -> Path:
        return self.workdir / "repo"


def python(server: str, *arguments: str, cwd: Path) -> Outcome:
    environment = os.environ | {"MLFLOW_TRACKING_URI": server, "MLFLOW_DISABLE_TELEMETRY": "true"}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=environment, capture_output=True, encoding="utf-8", check=False
    )
    return Outcome(done.returncode, done.stdout.splitlines(), done.stderr)


def git(repository: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=repository, capture_output=True, encoding="utf-8", check=True
    ).stdout.strip()


def walk_the_road(server: str, workdir: Path, *params: str) -> Registered:
    outcome = python(server, str(EXAMPLE / "run.py"), "--workdir", str(workdir), "--params", *params, cwd=workdir)
    assert outcome.code == 0, outcome.complaint
    return Registered(workdir=workdir, server=server, **json.loads(outcome.lines[-1]))


@pytest.fixture(scope="module")
def first(mlflow_server: str, tmp_path_factory: pytest.TempPathFactory) -> Registered:
    model = f"bike-demand-{uuid.uuid4().hex[:8]}"
    return walk_the_road(mlflow_server, tmp_path_factory.mktemp("bike"), f"registered_model={model}")


def test_the_version_asks_and_leads_back_to_its_author_commit_data_and_parameters(first: Registered) -> None:
    client = MlflowClient(first.server)

    version = client.get_model_version_by_alias(first.model, "candidate")
    run = client.get_run(first.run_id)
    lock_text = git(first.workdir / "origin.git", "show", f"{first.commit}:dvc.lock") + "\n"
    stages = yaml.safe_load(lock_text)["stages"]
    data_md5 = stages["prepare"]["deps"][0]["md5"]

    assert (version.version, version.run_id) == (first.version, first.run_id)
    assert f"mae {first.metrics['mae']}" in str(version.description)
    assert run.data.tags["mlflow.user"] == "bea"
    assert run.data.tags["git_commit"] == first.commit
    assert run.data.tags["code_commit"] == git(first.repository, "rev-parse", f"{first.commit}~1")
    assert run.data.tags["git_dirty"] == "false"
    assert run.data.tags["data_md5"] == f"{data_md5}  data/raw.csv"
    assert run.data.tags["countersign.missing"] == "nothing"
    assert run.data.tags["dvc_lock_sha256"] == hashlib.sha256(lock_text.encode()).hexdigest()
    assert run.data.params == {f"train.{name}": str(value) for name, value in read_params(first)["train"].items()}
    assert stages["train"]["outs"][0]["md5"] == md5_of(first.repository / "mlflow_run.json")
    assert md5_of(first.workdir / "storage" / "files" / "md5" / data_md5[:2] / data_md5[2:]) == data_md5


def test_the_logged_model_carries_the_held_out_figures_with_the_digest_of_their_hours(first: Registered) -> None:
    client = MlflowClient(first.server)

    run = client.get_run(first.run_id)
    assert run.outputs
    assert run.inputs
    logged = client.get_logged_model(run.outputs.model_outputs[0].model_id)
    held_out = next(used.dataset for used in run.inputs.dataset_inputs if used.dataset.name == "test")

    measured = json.loads((first.repository / "metrics.json").read_text())

    assert {m.key: m.value for m in logged.metrics or [] if m.dataset_digest == held_out.digest} == measured
    assert {name: run.data.metrics[name] for name in measured} == measured
    assert {name: first.metrics[name] for name in measured} == measured


def test_the_lineage_stays_readable_from_the_server_alone(first: Registered, tmp_path: Path) -> None:
    client = MlflowClient(first.server)

    lineage = Path(client.download_artifacts(first.run_id, "lineage", str(tmp_path)))

    for name in ("dvc.lock", "dvc.yaml", "params.yaml"):
        assert (lineage / name).read_text() == git(first.repository, "show", f"{first.commit}:{name}") + "\n"


@pytest.mark.proof
def test_changed_parameters_make_the_next_version_of_the_same_model(first: Registered, tmp_path: Path) -> None:
    workdir = shutil.copytree(first.workdir, tmp_path / "bike")

    second = walk_the_road(first.server, workdir, "train.learning_rate=0.1")

    assert (second.model, second.version) == (first.model, str(int(first.version) + 1))
    assert second.run_id != first.run_id
    assert second.metrics["mae"] < first.metrics["mae"]
    assert git(second.repository, "status", "--porcelain") == ""


def test_without_a_tracking_server_nothing_is_begun(tmp_path: Path) -> None:
    outcome = python("", str(EXAMPLE / "run.py"), "--workdir", str(tmp_path / "bike"), cwd=tmp_path)

    assert outcome.code == 1
    assert "MLFLOW_TRACKING_URI is not set" in outcome.complaint
    assert list(tmp_path.iterdir()) == []


def test_a_parameter_that_does_not_exist_is_refused_by_name(first: Registered, tmp_path: Path) -> None:
    workdir = shutil.copytree(first.workdir, tmp_path / "bike")
    command = [str(EXAMPLE / "run.py"), "--workdir", str(workdir), "--params", "train.lerning_rate=1"]

    outcome = python(first.server, *command, cwd=tmp_path)

    assert outcome.code == 1
    assert "params.yaml has no train.lerning_rate. It has: registered_model" in outcome.complaint


def md5_of(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def read_params(registered: Registered) -> dict[str, dict[str, float]]:
    params: dict[str, dict[str, float]] = yaml.safe_load((registered.repository / "params.yaml").read_text())
    return params
