"""`countersign register` in repositories as other people have them, and each fix that it suggests, followed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import LoggedModelOutput

from bot.errors import Refused
from bot.register.repository import Repository
from bot.register.run import find_trained_run
from tests.fixtures.training_repository import DVC_CONFIG, DVC_REMOTE, FILES, PREPARE, TRAIN, Training

MONOREPO = """\
vars: [{where: src}]
stages:
  prepare:
    cmd: python prepare.py
    wdir: ${where}
    deps: [../data/raw.csv, prepare.py]
    outs: [../data/clean]
  train:
    foreach: [city]
    do:
      cmd: python train.py
      wdir: src
      deps: [../data/clean/train.csv, train.py, ../lib]
      params: [../params.yaml: [train]]
      metrics: [../metrics.json: {cache: false}]
      outs: [../mlflow_run.json: {cache: false}]
  evaluate:
    cmd: echo done > scores.txt
    deps: [mlflow_run.json]
    params: [eval.yaml: [train]]
    outs: [scores.txt: {cache: false}]
"""
OF_THE_MONOREPO = {
    "bikes/src/train.py": "import os; os.chdir('..')\n" + TRAIN.replace('"train.py", "prepare.py"', '"src"'),
    "bikes/src/prepare.py": "import os; os.chdir('..')\n" + PREPARE,
    "bikes/lib/features.py": "X = 1\n",
    "bikes/dvc.yaml": MONOREPO,
    "bikes/params.yaml": FILES["params.yaml"],
    "bikes/eval.yaml": "train:\n  depth: 99\n  seed: 99\n",
    "bikes/data/raw.csv": FILES["data/raw.csv"],
    "scooters/train.py": "print('another team')\n",
    "scooters/dvc.yaml": "stages: {train: {cmd: python train.py}}\n",
    ".dvcignore": "__pycache__\n",
    ".gitignore": "__pycache__\n/bikes/data/raw.csv\n/bikes/data/clean\n",
    ".dvc/config": DVC_CONFIG + DVC_REMOTE,
    ".dvc/.gitignore": FILES[".dvc/.gitignore"],
}


@pytest.mark.proof
def test_one_pipeline_of_several_in_a_repository_is_registered_whatever_others_do(
    mlflow_server: str, tmp_path: Path
) -> None:
    training = Training(tmp_path / "work" / "repo", mlflow_server, f"tiny-{tmp_path.name}")
    begin(training, OF_THE_MONOREPO, data="bikes/data/raw.csv")
    training.dvc("repro", "--quiet", "bikes/dvc.yaml")
    training.write("scooters/train.py", "print('another team, better')\n")
    training.commit("Pin the run, beside the scooters")
    training.push()
    training.dvc("push", "--quiet")
    training.write("scooters/train.py", "print('not committed yet')\n")
    training.write("bikes/lib/__pycache__/features.pyc", "no code")

    outcome = training.register("--lock-dir", str(training.repository / "bikes"), "--name", training.model)

    assert outcome.exit_code == 0, outcome.output
    (version,) = MlflowClient(mlflow_server).search_model_versions(f"name = '{training.model}'")
    tags = MlflowClient(mlflow_server).get_run(version.run_id).data.tags
    assert tags["data_md5"].split("  ")[1:] == ["data/raw.csv"]
    assert tags["dvc_lock_path"] == "bikes/dvc.lock"

    training.write("bikes/lib/features.py", "X = 2\n")
    refusal = training.register("--lock-dir", str(training.repository / "bikes"), "--name", training.model)
    assert [line.partition(". ")[0] for line in refusal.stderr.removeprefix("Error: ").splitlines()] == [
        "uncommitted changes in bikes/lib/features.py",
        "dvc.lock pins another lib",
    ]


@pytest.mark.proof
def test_a_version_and_a_commit_that_the_training_itself_named_are_taken_over(copied: Training) -> None:
    named = 'tags = {"git_commit": git("rev-parse", "HEAD"), "mlflow.user": "bea",'
    copied.replace("train.py", 'tags = {"mlflow.user": "bea",', named)
    copied.replace("train.py", '"code_commit": git("rev-parse", "HEAD"), ', "")
    made = f"""client.set_terminated(run_id)
if not client.search_registered_models("name = '{copied.model}'"):
    client.create_registered_model("{copied.model}")
client.create_model_version("{copied.model}", "models:/" + model.model_id, run_id, model_id=model.model_id)
"""
    copied.replace("train.py", "client.set_terminated(run_id)\n", made)
    copied.commit("The training registers")
    copied.train()

    elsewhere = copied.register("--name", f"{copied.model}-b")
    assert f"Fix: register it as that one with --name {copied.model};" in elsewhere.stderr
    outcome = copied.register("--name", copied.model)

    tags = MlflowClient(copied.server).get_run(copied.run_id).data.tags
    assert outcome.stdout == f"models:/{copied.model}/1 is registered.\n"
    assert tags["git_commit"] == copied.head
    assert tags["code_commit"] == copied.git("rev-parse", "HEAD~1")


@pytest.mark.proof
def test_a_shallow_clone_says_so_and_its_fix_registers(copied: Training, tmp_path: Path) -> None:
    place = tmp_path / "ci" / "clone"
    subprocess.run(["git", "clone", "--quiet", "--depth", "1", f"file://{copied.origin}", str(place)], check=True)
    ci = Training(place, copied.server, copied.model)
    ci.write(".dvc/config.local", DVC_REMOTE.replace("../../storage", str(copied.repository.parent / "storage")))
    ci.dvc("pull", "--quiet")

    refusal = ci.register("--name", ci.model, "--dry-run")
    assert "is not in this shallow clone. " in refusal.stderr
    assert "Fix: `git fetch --unshallow`, and register again." in refusal.stderr
    ci.git("fetch", "--quiet", "--unshallow")
    outcome = ci.register("--name", ci.model, "--dry-run")

    assert outcome.exit_code == 0, outcome.output


@pytest.mark.proof
def test_a_configuration_that_dvc_refuses_is_not_to_be_pushed_with(copied: Training) -> None:
    config = copied.repository / ".dvc" / "config"
    whole = config.read_text()
    config.write_text(whole + "[\\'cache\\']\n    s3 = true\n")
    copied.git("update-index", "--assume-unchanged", ".dvc/config")

    refusal = copied.register("--name", copied.model, "--dry-run")
    config.write_text(whole)
    outcome = copied.register("--name", copied.model, "--dry-run")

    assert "DVC cannot tell whether the data was pushed: ERROR: configuration error" in refusal.stderr
    assert "dvc push" not in refusal.stderr
    assert "Fix: correct what DVC names, until `dvc status` and" in refusal.stderr
    assert outcome.exit_code == 0, outcome.output


def test_a_repository_of_another_account_says_how_git_trusts_it(
    copied: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")

    with pytest.raises(
        Refused,
        match=rf"belongs to another account\. .* Fix: `git config --global --add safe\.directory {copied.repository}`",
    ):
        Repository(copied.repository / "data")


def test_of_several_models_the_one_that_is_named_is_registered_and_never_one_by_chance(mlflow_server: str) -> None:
    client = MlflowClient(mlflow_server)
    run = client.create_run("0").info.run_id
    made = {}
    for name in ("model", "explainer"):
        made[name] = client.create_logged_model("0", name=name, source_run_id=run).model_id
        client.finalize_logged_model(made[name], "READY")
        client.log_outputs(run, [LoggedModelOutput(made[name], 0)])

    with pytest.raises(Refused, match=r"logged several models: explainer \(m-.*\), model \(m-.*\)\. .*--model"):
        find_trained_run(client, run)
    with pytest.raises(Refused, match=r'logged no model "other", but explainer'):
        find_trained_run(client, run, "other")
    chosen = [find_trained_run(client, run, wanted) for wanted in ("model", made["model"])]
    client.create_registered_model(f"of-{run}")
    client.create_model_version(f"of-{run}", f"models:/{made['explainer']}", run, model_id=made["explainer"])
    there = find_trained_run(client, run)

    assert [one.source.id for one in chosen if one and one.source] == [made["model"]] * 2
    assert there
    assert there.source
    assert there.source.id == made["explainer"]


@pytest.mark.proof
def test_a_model_of_an_mlflow_2_client_is_registered_from_the_runs_files(copied: Training) -> None:
    before = copied.repository.joinpath("train.py").read_text()
    start, end = before.index("model = client.create_logged_model"), before.index('client.log_metric(run_id, "mae"')
    older = """\
history = [{"run_id": run_id, "artifact_path": "model", "flavors": {}}]
client.set_tag(run_id, "mlflow.log-model.history", json.dumps(history))
with tempfile.TemporaryDirectory() as folder:
    for name, text in {"MLmodel": "flavors: {}\\n", "requirements.txt": "numpy==2.0.0\\n"}.items():
        Path(folder, name).write_text(text)
    client.log_artifacts(run_id, folder, "model")
"""
    copied.write("train.py", before[:start] + older + before[end:])
    copied.commit("An older client")
    copied.train()

    outcome = copied.register("--name", copied.model)

    assert outcome.exit_code == 0, outcome.output
    version = MlflowClient(copied.server).get_model_version(copied.model, "1")
    assert version.run_id == copied.run_id
    assert str(version.source).endswith("/artifacts/model")


def begin(training: Training, files: dict[str, str], data: str) -> None:
    for name, text in files.items():
        training.write(name, text)
    training.git("init", "--quiet", "--initial-branch", "main")
    training.git("config", "user.name", "Bea Baker")
    training.git("config", "user.email", "bea@example.com")
    training.git("init", "--quiet", "--bare", "--initial-branch", "main", str(training.origin))
    training.git("remote", "add", "origin", str(training.origin))
    training.dvc("add", "--quiet", data)
    training.commit("Begin")
