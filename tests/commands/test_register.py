"""`countersign register` in a real training repository: it ties everything together, and refuses what would not be true."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import LoggedModelOutput
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import PERMISSION_DENIED

from bot.dvc.files import read_lock
from bot.errors import Refused
from bot.register.repository import Repository
from tests.fixtures.training_repository import Training


def test_what_was_not_committed_kept_or_pushed_is_refused_all_at_once(copied: Training) -> None:
    copied.write("train.py", "raise SystemExit('changed')\n")
    copied.write("a file with ünusual näme.py", "")
    copied.write("metrics.json", '{"mae": 12.0}\n')
    (copied.repository / "data" / "clean" / "test.csv").unlink()  # git does not see this one: DVC keeps it
    shutil.rmtree(copied.repository.parent / "storage")
    shutil.rmtree(copied.origin)

    refusal = copied.register("--name", copied.model)

    assert (refusal.exit_code, refusal.stdout) == (1, "")
    said = refusal.stderr.removeprefix("Error: ").splitlines()
    assert [sentence.partition(". ")[0] for sentence in said] == [
        "uncommitted changes in metrics.json, train.py, a file with ünusual näme.py",
        f"commit {copied.head[:8]} cannot be looked for, because the git remote origin does not answer ("
        f"'{copied.origin}' does not appear to be a git repository fatal: Could not read from remote repository",
        "dvc.lock pins another data/clean, train.py, metrics.json",
        "DVC's remote lacks data/clean/, data/raw.csv",
        f"metrics differ between run {copied.run_id} and dvc.yaml's files: mae: run 31.5 / metrics.json 12",
    ]
    assert all("Fix: " in sentence for sentence in said)


def test_a_commit_that_does_not_describe_the_run_is_refused(copied: Training) -> None:
    copied.write("unmentioned.py", "RATE = 0.3\n")
    copied.replace("params.yaml", "depth: 6", "depth: 9")
    copied.replace("dvc.lock", "depth: 6", "depth: 9")
    copied.replace("dvc.lock", f"md5: {folder_in(copied)}", "md5:")
    copied.commit()

    refusal = copied.register("--name", copied.model)

    assert refusal.exit_code == 1
    assert [sentence.partition(". ")[0] for sentence in refusal.stderr.removeprefix("Error: ").splitlines()] == [
        f"changed since run {copied.run_id} was trained: params.yaml, unmentioned.py",
        f"commit {copied.head[:8]} is in no branch of the git remote origin",
        "dvc.lock has no md5 for data/clean",
        "DVC's remote lacks data/clean/",
        f"parameters differ between run {copied.run_id} and dvc.lock: train.depth: run 6 / lock 9",
    ]


def test_a_run_that_says_otherwise_of_itself_is_refused(copied: Training) -> None:
    client = MlflowClient(copied.server)
    before = client.get_run(copied.run_id).data.tags
    client.set_tag(copied.run_id, "git_dirty", "true")
    client.set_tag(copied.run_id, "code_commit", "0" * 40)

    refusal = copied.register("--name", copied.model)
    for tag in ("git_dirty", "code_commit"):
        client.set_tag(copied.run_id, tag, before[tag])

    assert refusal.exit_code == 1
    assert f"run {copied.run_id} was trained with uncommitted changes (tag git_dirty). " in refusal.stderr
    assert f"commit 00000000 of run {copied.run_id} is not here. " in refusal.stderr


def pin_a_run_that_is_not_there(training: Training) -> None:
    before = md5_of(training.repository / "mlflow_run.json")
    training.write("mlflow_run.json", json.dumps({"run_id": "0" * 32}) + "\n")
    training.replace("dvc.lock", before, md5_of(training.repository / "mlflow_run.json"))


def remove_the_lock(training: Training) -> None:
    training.git("rm", "--quiet", "dvc.lock")


def spoil_the_lock(training: Training) -> None:
    training.write("dvc.lock", "- no lock\n")


def forget_the_run(training: Training) -> None:
    training.git("rm", "--quiet", "mlflow_run.json")


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (pin_a_run_that_is_not_there, f"the MLflow server has no run {'0' * 32}. "),
        (remove_the_lock, "there is no dvc.lock here. "),
        (spoil_the_lock, "dvc.lock is not YAML as DVC writes it. "),
        (forget_the_run, "there is no run's id in mlflow_run.json. "),
    ],
)
def test_without_a_lock_that_pins_a_run_there_is_nothing_to_register(
    copied: Training, spoil: Callable[[Training], None], sentence: str
) -> None:
    spoil(copied)

    refusal = copied.register("--name", copied.model)

    assert refusal.exit_code == 1
    assert sentence in refusal.stderr
    assert "Fix: " in refusal.stderr


def test_a_run_that_is_named_and_that_the_lock_does_not_pin_is_refused(copied: Training) -> None:
    run_id = copied.run_id
    copied.git("rm", "--quiet", "mlflow_run.json")

    refusal = copied.register("--name", copied.model, "--run", run_id)

    assert refusal.exit_code == 1
    assert (
        "there is no mlflow_run.json, so dvc.lock pins no run. The lock could belong to any run. Fix: "
        in refusal.stderr
    )


def test_what_git_cannot_tell_does_not_pass_for_unchanged(copied: Training) -> None:
    repository = Repository(copied.repository)
    (copied.repository / ".git" / "index").write_bytes(b"no index")

    questions: tuple[Callable[[], object], ...] = (
        repository.uncommitted,
        lambda: repository.tracks("train.py"),
        lambda: repository.changed_between("0" * 40, "HEAD"),
    )

    for question in questions:
        with pytest.raises(
            Refused, match=r"`git (status|ls-files|diff)` failed: .*Fix: see that `git status` works here"
        ):
            question()
    assert not repository.tracks("/data/elsewhere.csv")
    assert not repository.tracks("../elsewhere.csv")


def test_it_binds_the_run_to_the_commit_and_makes_one_version_however_often_it_is_called(
    retrained: Training, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = MlflowClient(retrained.server)

    dry = retrained.register("--name", retrained.model, "--ask", "alias:candidate", "--dry-run")
    assert dry.exit_code == 0, dry.output
    assert "nothing was written" in dry.stdout
    assert "git_commit" not in client.get_run(retrained.run_id).data.tags

    first = retrained.register("--name", retrained.model, "--ask", "alias:candidate", "--json")
    with monkeypatch.context() as guarded:  # by then a guard lets nobody write to the run
        for write in ("set_tag", "log_artifact"):
            guarded.setattr(MlflowClient, write, refuse)
        second = retrained.register("--name", retrained.model, "--ask", "alias:candidate")

    tags = client.get_run(retrained.run_id).data.tags
    lock = (retrained.repository / "dvc.lock").read_bytes()
    kept = Path(client.download_artifacts(retrained.run_id, "lineage", str(tmp_path)))
    assert first.exit_code == 0, first.output
    assert json.loads(first.stdout) == {
        "model": retrained.model,
        "version": "1",
        "run_id": retrained.run_id,
        "commit": retrained.head,
        "metrics": {"mae": 31.5},
    }
    assert second.stdout == f"models:/{retrained.model}/1 is registered and asks by the alias candidate.\n"
    assert client.get_model_version_by_alias(retrained.model, "candidate").run_id == retrained.run_id
    assert len(client.search_model_versions(f"name = '{retrained.model}'")) == 1
    assert tags["git_commit"] == retrained.head
    assert tags["code_commit"] == retrained.git("rev-parse", "HEAD~1")
    assert tags["countersign.commit_author"] == "bea@example.com"
    assert tags["dvc_lock_sha256"] == hashlib.sha256(lock).hexdigest()
    assert tags["data_md5"] == f"{md5_of(retrained.repository / 'data' / 'raw.csv')}  data/raw.csv"
    assert tags["environment_sha256"] == hashlib.sha256(b"numpy==2.0.0\n").hexdigest()
    assert tags["countersign.missing"] == "nothing"
    assert sorted(path.name for path in kept.iterdir()) == ["dvc.lock", "dvc.yaml", "mlflow_run.json", "params.yaml"]
    assert (kept / "dvc.lock").read_bytes() == lock

    elsewhere = retrained.register("--name", f"{retrained.model}-b")
    assert f"is {retrained.model} version 1 already" in elsewhere.stderr
    retrained.write("README.md", "Another word.\n")
    retrained.commit()
    retrained.push()
    later = retrained.register("--name", retrained.model)
    assert "One run has one commit" in later.stderr


def refuse(*_: object) -> None:
    raise MlflowException("approved or waits for its approval", PERMISSION_DENIED)


def test_a_training_without_dvc_registers_and_what_is_missing_is_recorded(copied: Training) -> None:
    client = MlflowClient(copied.server)
    code = copied.git("rev-parse", "HEAD~1")
    run = client.create_run("0", tags={"mlflow.source.git.commit": code}).info.run_id
    model = client.create_logged_model("0", name="model", source_run_id=run)
    client.finalize_logged_model(model.model_id, "READY")
    client.log_outputs(run, [LoggedModelOutput(model.model_id, 0)])
    client.log_metric(run, "mae", 30.0)
    client.set_terminated(run)
    copied.git("rm", "--quiet", "dvc.lock")

    outcome = copied.register("--name", copied.model, "--run", run)

    tags = client.get_run(run).data.tags
    assert outcome.exit_code == 0, outcome.output
    assert outcome.stdout == f"models:/{copied.model}/1 is registered.\n"
    assert tags["git_commit"] == code
    assert tags["countersign.missing"] == "clean tree, dvc.lock, environment, seed, training data set"
    assert "missing: no parameter" in outcome.stderr


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ((), "no registered model is named. Add --name NAME"),
        (("--name", "m", "--ask", "stage:Staging"), "--ask stage:Staging is no alias"),
        (("--name", "m", "--ask", "alias:a", "--to", "alias:b"), "Choose one of them"),
        (("--name", "m", "--to", "alias:champion"), "--to asks the bot, so set COUNTERSIGN_URL"),
        (("--name", "m", "--to", "champion"), '"champion" is not a target'),
    ],
)
def test_wrong_usage_is_told_before_anything_is_looked_at(
    copied: Training, options: tuple[str, ...], sentence: str
) -> None:
    outcome = copied.register(*options)

    assert outcome.exit_code == 2
    assert sentence in outcome.stderr


def folder_in(training: Training) -> str:
    lock = read_lock((training.repository / "dvc.lock").read_text())
    return next(out.md5 for out in lock.outs if out.is_folder)


def md5_of(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
