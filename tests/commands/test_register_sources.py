"""`countersign register` with source data as DVC can have it: imported, from an address, outside the repository, in frozen stages."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.fixtures.training_repository import DVC_CONFIG, DVC_REMOTE, FILES, TRAIN, Training

PIPELINE = """\
stages:
  prepare:
    cmd: python prepare.py
    frozen: true
    deps: [data/raw.csv, data/weather.csv, {outside}, prepare.py]
    outs:
      - data/clean:
          desc: what is trained on
          persist: true
  train:
    cmd: python train.py
    deps: [data/clean/train.csv, train.py]
    params: [train]
    metrics:
      - metrics.json:
          cache: false
    outs:
      - mlflow_run.json:
          cache: false
          persist: false
"""


def another_repository(place: Path, server: str) -> Training:
    """With data that others import."""
    other = Training(place / "repo", server, "not-registered")
    other.write("weather.csv", "hour,degrees\r\n0,12\r\n")
    other.write(".dvc/config", DVC_CONFIG + DVC_REMOTE)
    other.write(".dvc/.gitignore", FILES[".dvc/.gitignore"])
    other.git("init", "--quiet", "--initial-branch", "main")
    other.git("config", "user.name", "Wes Weather")
    other.git("config", "user.email", "wes@example.com")
    other.dvc("add", "--quiet", "weather.csv")
    other.commit("Weather")
    other.dvc("push", "--quiet")
    return other


@pytest.fixture
def training(mlflow_server: str, tmp_path: Path) -> Training:
    other = another_repository(tmp_path / "other", mlflow_server)
    (tmp_path / "bought.csv").write_text(FILES["data/raw.csv"])
    (tmp_path / "holidays.csv").write_text("2026-12-25\n")
    made = Training(tmp_path / "work" / "repo", mlflow_server, f"tiny-{uuid.uuid4().hex[:8]}")
    for name, text in FILES.items():
        if name not in ("data/raw.csv", ".gitignore"):
            made.write(name, text)
    made.write("dvc.yaml", PIPELINE.format(outside=tmp_path / "holidays.csv"))
    made.write("train.py", TRAIN)
    made.git("init", "--quiet", "--initial-branch", "main")
    made.git("config", "user.name", "Bea Baker")
    made.git("config", "user.email", "bea@example.com")
    made.git("init", "--quiet", "--bare", "--initial-branch", "main", str(made.origin))
    made.git("remote", "add", "origin", str(made.origin))
    (made.repository / "data").mkdir()
    made.dvc("import-url", "--quiet", str(tmp_path / "bought.csv"), "data/raw.csv")
    made.dvc("import", "--quiet", str(other.repository), "weather.csv", "--out", "data/weather.csv")
    made.commit("Begin")
    made.dvc("unfreeze", "prepare")
    made.dvc("repro", "--quiet", "prepare")
    made.dvc("freeze", "prepare")
    made.commit("Prepared")
    made.train()
    return made


@pytest.mark.proof
def test_imported_and_outside_data_is_named_and_the_import_files_are_kept(training: Training, tmp_path: Path) -> None:
    outcome = training.register("--name", training.model)

    assert outcome.exit_code == 0, outcome.output
    assert f"missing: {tmp_path / 'holidays.csv'} is outside the repository. DVC's remote lacks it" in outcome.stderr
    client = MlflowClient(training.server)
    named = client.get_run(training.run_id).data.tags["data_md5"]
    kept = Path(client.download_artifacts(training.run_id, "lineage/imports", str(tmp_path)))
    bought = (kept / "data" / "raw.csv.dvc").read_text()
    weather = (kept / "data" / "weather.csv.dvc").read_text()
    assert [line.split("  ")[1] for line in named.splitlines()] == [
        str(tmp_path / "holidays.csv"),
        "data/raw.csv",
        "data/weather.csv",
    ]
    assert str(tmp_path / "bought.csv") in bought
    assert all(part in weather for part in ("url: ", "rev_lock: ", "path: weather.csv"))
