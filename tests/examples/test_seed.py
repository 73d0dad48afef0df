"""The seed document's files, copied as they are, and what had to be changed: trained, registered, and registered again after each fix."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.fixtures.training_repository import Training

EXAMPLE = Path(__file__).parents[2] / "examples" / "seed"
RAW = "day,hour,rides\n" + "".join(f"{day},{hour},{(hour * 7 + day) % 40}\n" for day in range(7) for hour in range(24))
IGNORED = "/data/*.csv\n/data/*.pkl\n/models\n"

pytestmark = pytest.mark.proof


@pytest.fixture
def seed(mlflow_server: str, tmp_path: Path) -> Training:
    pytest.importorskip("xgboost", reason="needs the extra `seed`")
    made = Training(tmp_path / "work" / "repo", mlflow_server, "taxi-demand-v2")
    shutil.copytree(EXAMPLE, made.repository, ignore=shutil.ignore_patterns("as-written"))
    made.write("data/raw.csv", RAW)
    made.write(".gitignore", IGNORED)
    made.write(".dvc/.gitignore", "/config.local\n/tmp\n/cache\n")
    made.write(".dvc/config.local", "['remote \"storage\"']\n    url = ../../storage\n")
    made.git("init", "--quiet", "--initial-branch", "main")
    made.git("config", "user.name", "Bea Baker")
    made.git("config", "user.email", "bea@example.com")
    made.git("init", "--quiet", "--bare", "--initial-branch", "main", str(made.origin))
    made.git("remote", "add", "origin", str(made.origin))
    made.dvc("add", "--quiet", "data/raw.csv")
    made.commit("Begin")
    return made


def test_the_documents_files_register_with_what_had_to_be_changed(seed: Training) -> None:
    shutil.copy(EXAMPLE / "as-written" / ".dvc" / "config", seed.repository / ".dvc" / "config")
    refused = seed.run("dvc", "status")
    shutil.copy(EXAMPLE / ".dvc" / "config", seed.repository / ".dvc" / "config")
    assert refused.returncode
    assert "extra keys not allowed" in refused.stderr

    seed.dvc("repro", "--quiet")
    seed.commit("Pin the run in dvc.lock")
    seed.push()
    seed.dvc("push", "--quiet")
    outcome = seed.register("--name", seed.model)

    assert outcome.exit_code == 0, outcome.output
    assert outcome.stdout == "models:/taxi-demand-v2/1 is registered.\n"
    assert outcome.stderr == ""
    tags = MlflowClient(seed.server).get_run(seed.run_id).data.tags
    assert tags["git_commit"] == seed.head
    assert tags["code_commit"] == seed.git("rev-parse", "HEAD~1")
    assert tags["countersign.missing"] == "nothing"


@pytest.mark.parametrize("name", ["dvc.yaml", "params.yaml", "src/train.py", ".dvc/config"])
def test_each_file_of_the_document_is_there_as_it_was_written(name: str) -> None:
    text = (EXAMPLE / "as-written" / name).read_text()

    assert text.startswith(f"# File: {name}")
