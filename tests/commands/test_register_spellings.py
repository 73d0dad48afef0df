"""`countersign register` where folders and files have spaces and umlauts, stages come from a mapping, and parameters from Python."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mlflow import MlflowClient

from bot.register.pipeline import holds_tuple
from tests.fixtures.training_repository import DVC_CONFIG, DVC_REMOTE, FILES, PREPARE, TRAIN, Training

FOLDER = "Füße & Räder"
RAW = "daten/Köln Süd/roh.csv"
PIPELINE = f"""\
stages:
  prepare:
    cmd: python prepare.py
    deps: ["{RAW}", prepare.py]
    outs: [data/clean]
  train:
    foreach:
      nord: {{depth: 6}}
      süd: {{depth: 9}}
    do:
      cmd: python train.py ${{key}} ${{item.depth}}
      deps: [data/clean/train.csv, train.py]
      params: [einstellungen.py: [TRAIN]]
      outs: ["läufe/${{key}}.json": {{cache: false}}]
      metrics: ["metriken/${{key}} alle.json": {{cache: false}}]
"""
BEFORE_IT_TRAINS = """
import sys
from einstellungen import TRAIN as params
for folder in ("läufe", "metriken"):
    Path(folder).mkdir(exist_ok=True)
"""


def training_script() -> str:
    lines = [line for line in TRAIN.splitlines() if not line.startswith("params = ")]
    at = next(number for number, line in enumerate(lines) if line.startswith("client = "))
    script = "\n".join([*lines[:at], BEFORE_IT_TRAINS, *lines[at:], ""])
    for before, after in (
        ('"params.yaml"', '"einstellungen.py"'),
        ('f"train.{name}"', 'f"TRAIN.{name}"'),
        ('"mlflow_run.json"', 'f"läufe/{sys.argv[1]}.json"'),
        ('"metrics.json"', 'f"metriken/{sys.argv[1]} alle.json"'),
    ):
        assert before in script
        script = script.replace(before, after)
    return script


@pytest.fixture
def repository(mlflow_server: str, tmp_path: Path) -> Training:
    made = Training(tmp_path / "Arbeit & mehr" / "repo", mlflow_server, f"räder-{tmp_path.name}")
    files = {
        "train.py": training_script(),
        "prepare.py": PREPARE.replace("data/raw.csv", RAW),
        "einstellungen.py": 'TRAIN = {"depth": 6, "seed": 7, "layers": (64, 32), "name": "Müller"}\n',
        "dvc.yaml": PIPELINE,
        RAW: FILES["data/raw.csv"],
    }
    for name, text in files.items():
        made.write(f"{FOLDER}/{name}", text)
    made.write(".gitignore", "__pycache__\nclean\nroh.csv\n")
    made.write(".dvcignore", "__pycache__\n")
    made.write(".dvc/config", DVC_CONFIG + DVC_REMOTE)
    made.write(".dvc/.gitignore", FILES[".dvc/.gitignore"])
    made.git("init", "--quiet", "--initial-branch", "main")
    made.git("config", "user.name", "Bea Bäcker")
    made.git("config", "user.email", "bea@example.com")
    made.git("init", "--quiet", "--bare", "--initial-branch", "main", str(made.origin))
    made.git("remote", "add", "origin", str(made.origin))
    made.dvc("add", "--quiet", f"{FOLDER}/{RAW}")
    made.commit("Begin")
    return made


def trained(made: Training) -> None:
    made.dvc("repro", "--force", "--quiet", f"{FOLDER}/dvc.yaml")
    made.commit("Pin the runs in dvc.lock")
    made.push()
    made.dvc("push", "--quiet")


@pytest.mark.proof
def test_each_model_of_a_mapping_is_registered_from_folders_with_any_name(repository: Training) -> None:
    there = ("--lock-dir", str(repository.repository / FOLDER))
    trained(repository)
    refused = repository.register(*there, "--name", "refused", "--run-file", "läufe/nord.json")
    assert "write lists in place of tuples in einstellungen.py" in refused.output
    repository.replace(f"{FOLDER}/einstellungen.py", "(64, 32)", "[64, 32]")
    repository.commit("Follow the fix")
    trained(repository)

    for key in ("nord", "süd"):
        name = f"{repository.model}-{key}"
        done = repository.register(*there, "--name", name, "--run-file", f"läufe/{key}.json")

        assert done.exit_code == 0, done.output
        run = json.loads((repository.repository / FOLDER / "läufe" / f"{key}.json").read_text())["run_id"]
        tags = MlflowClient(repository.server).get_run(run).data.tags
        assert tags["dvc_lock_path"] == f"{FOLDER}/dvc.lock"
        assert tags["data_md5"].endswith(RAW)
        assert tags["countersign.missing"] == "nothing"


@pytest.mark.parametrize(
    ("text", "parameter", "found"),
    [
        ("TRAIN = {'layers': (64, 32)}", "p.py:TRAIN", True),
        ("TRAIN = {'layers': [64, 32]}", "p.py:TRAIN", False),
        ("LAYERS: tuple = (64, 32)", "p.py:LAYERS", True),
        ("OTHER = (1, 2)\nTRAIN = 6", "p.py:TRAIN", False),
        ("class Train:\n    layers = [(1, 2), (3, 4)]", "p.py:Train.layers", True),
        ("class Train:\n    layers = [1]\n    other = (1, 2)", "p.py:Train.layers", False),
        ("TRAIN = (1, 2", "p.py:TRAIN", False),
        ("a, b = (1, 2)", "p.py:c", False),
        ("TRAIN = (1, 2)", "p.yaml:TRAIN", False),
        ("TRAIN = (1, 2)", "p.py", False),
    ],
)
def test_a_tuple_among_the_parameters_of_a_python_file_is_found(
    tmp_path: Path, text: str, parameter: str, found: bool
) -> None:
    (tmp_path / parameter.partition(":")[0]).write_text(text)

    assert holds_tuple(parameter, tmp_path) is found
