"""Every fix that `countersign register` suggests is followed as it is printed, from the repository's root, and then it registers."""

from __future__ import annotations

import json
import re
import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import Result
from mlflow import MlflowClient

from bot.dvc.files import read_lock
from tests.fixtures.training_repository import DVC_CONFIG, DVC_REMOTE, FILES, Training, surroundings

STEP = re.compile(r"`([^`]+)`|\b(commit)\b")
FOLDER = "some teams/bikes"  # a path with a space, so that what is printed must be quoted
IN_ROOT = (".dvc/config", ".dvc/.gitignore", ".dvcignore")


@dataclass(frozen=True)
class Nested:
    """The pipeline of a subfolder; commands run in the repository's root."""

    training: Training

    @property
    def folder(self) -> Path:
        return self.training.repository / FOLDER

    @property
    def run_id(self) -> str:
        return str(json.loads((self.folder / "mlflow_run.json").read_text())["run_id"])

    def register(self, *options: str) -> Result:
        """The run of all tests is one, so that only a test with a run of its own writes."""
        return self.training.register("--lock-dir", str(self.folder), "--name", self.training.model, *options)

    def check(self) -> Result:
        return self.register("--dry-run")

    def train(self) -> None:
        self.training.dvc("--cd", FOLDER, "repro", "--force", "--quiet")
        self.training.commit()
        self.training.push()
        self.training.dvc("push", "--quiet")

    def change(self, name: str, before: str, after: str) -> None:
        self.training.replace(f"{FOLDER}/{name}", before, after)


@pytest.fixture(scope="session")
def trained_in_a_folder(mlflow_server: str, tmp_path_factory: pytest.TempPathFactory) -> Training:
    training = Training(tmp_path_factory.mktemp("monorepo") / "repo", mlflow_server, "not-registered")
    for name, text in FILES.items():
        training.write(name if name in IN_ROOT else f"{FOLDER}/{name}", text)
    training.write(".dvc/config", DVC_CONFIG + DVC_REMOTE)
    training.git("init", "--quiet", "--initial-branch", "main")
    training.git("config", "user.name", "Bea Baker")
    training.git("config", "user.email", "bea@example.com")
    training.git("init", "--quiet", "--bare", "--initial-branch", "main", str(training.origin))
    training.git("remote", "add", "origin", str(training.origin))
    training.dvc("add", "--quiet", f"{FOLDER}/data/raw.csv")
    training.commit("Begin")
    training.dvc("--cd", FOLDER, "repro", "--quiet")
    training.commit("Pin the run in dvc.lock")
    training.push()
    training.dvc("push", "--quiet")
    return training


@pytest.fixture
def nested(trained_in_a_folder: Training, tmp_path: Path) -> Nested:
    return Nested(trained_in_a_folder.copied_to(tmp_path / "work"))


def fixes_in(refusal: Result, choice: int = 0) -> list[str]:
    """Of each finding; of several ways the one that is chosen."""
    assert refusal.exit_code == 1, refusal.output
    ways = [line.partition("Fix: ")[2].split("; or") for line in refusal.stderr.splitlines() if "Fix: " in line]
    return [several[min(choice, len(several) - 1)] for several in ways]


def follow(training: Training, fixes: list[str]) -> list[str]:
    """Runs what stands in backquotes, and commits where it says so; each step once, in the order of the last finding that names it."""
    steps = [(command, word) for fix in fixes for command, word in STEP.findall(fix)]
    for command, word in steps:
        if word:
            training.git("add", "--all")
            training.run("git", "commit", "--quiet", "--message", "As it says")  # there may be nothing to commit
            continue
        done = training.run("sh", "-c", command, **surroundings(training.repository, training.server))
        assert done.returncode == 0, (command, done.stderr, done.stdout)
    return [command for command, _ in steps if command]


def forget_to_push(it: Nested) -> None:
    it.training.write(f"{FOLDER}/README.md", "Another word.\n")
    it.training.commit()


def stand_on_no_branch(it: Nested) -> None:
    it.training.git("checkout", "--quiet", "--detach")
    forget_to_push(it)


def change_the_code(it: Nested) -> None:
    it.training.write(f"{FOLDER}/unmentioned.py", "RATE = 0.3\n")
    it.training.commit()


def change_and_freeze(it: Nested) -> None:
    it.training.dvc("--cd", FOLDER, "freeze", "train")
    change_the_code(it)


def leave_a_change(it: Nested) -> None:
    it.change("params.yaml", "depth: 6", "depth: 9")


def empty_the_remote(it: Nested) -> None:
    shutil.rmtree(it.training.repository.parent / "storage")


def empty_remote_and_cache(it: Nested) -> None:
    empty_the_remote(it)
    shutil.rmtree(it.training.repository / ".dvc" / "cache")


def lose_an_output(it: Nested) -> None:
    empty_remote_and_cache(it)
    shutil.rmtree(it.folder / "data" / "clean")


def spoil_an_output(it: Nested) -> None:
    (it.folder / "data" / "clean" / "test.csv").unlink()
    (it.folder / "data" / "clean" / "test.csv").write_text("0,0\n")


def change_the_data(it: Nested) -> None:
    raw = it.folder / "data" / "raw.csv"
    text = raw.read_text()
    raw.unlink()
    raw.write_text(f"{text}5,7\n")


def change_a_command(it: Nested) -> None:
    it.change("dvc.yaml", "python train.py", "python -u train.py")


def spoil_the_lock(it: Nested) -> None:
    (it.folder / "dvc.lock").write_text("- no lock\n")


def commit_a_spoilt_lock(it: Nested) -> None:
    spoil_the_lock(it)
    it.training.commit()


def kill_the_run(it: Nested) -> None:
    MlflowClient(it.training.server).set_terminated(it.run_id, "FAILED")


def be_dirty(it: Nested) -> None:
    MlflowClient(it.training.server).set_tag(it.run_id, "git_dirty", "true")


def name_no_commit(it: Nested) -> None:
    MlflowClient(it.training.server).set_tag(it.run_id, "code_commit", "unknown")


def pin_another_run(it: Nested) -> None:
    (it.folder / "mlflow_run.json").write_text(json.dumps({"run_id": it.run_id}))


def keep_it_for_later(it: Nested) -> None:
    """Registered, and then a commit more."""
    it.train()
    assert it.register().exit_code == 0
    forget_to_push(it)
    it.training.push()


@pytest.mark.proof
@pytest.mark.parametrize(
    ("spoil", "choice", "command"),
    [
        (forget_to_push, 0, "git push origin main"),
        (stand_on_no_branch, 0, "git push origin HEAD:refs/heads/trained-"),
        (change_the_code, 0, "dvc --cd 'some teams/bikes' repro --force"),
        (change_and_freeze, 0, "dvc --cd 'some teams/bikes' unfreeze train"),
        (leave_a_change, 0, "git stash push --include-untracked -- 'some teams/bikes/params.yaml'"),
        (leave_a_change, 1, "dvc --cd 'some teams/bikes' repro --force"),
        (empty_the_remote, 0, "dvc --cd 'some teams/bikes' push"),
        (empty_remote_and_cache, 0, "dvc --cd 'some teams/bikes' commit --force"),
        (lose_an_output, 1, "dvc --cd 'some teams/bikes' repro --force"),
        (spoil_an_output, 0, "dvc --cd 'some teams/bikes' checkout --force data/clean"),
        (change_the_data, 1, "dvc --cd 'some teams/bikes' repro --force"),
        (change_a_command, 1, "dvc --cd 'some teams/bikes' repro --force"),
        (spoil_the_lock, 0, "git checkout HEAD -- 'some teams/bikes/dvc.lock'"),
        (commit_a_spoilt_lock, 1, "rm 'some teams/bikes/dvc.lock'"),
        (pin_another_run, 0, "git stash push --include-untracked -- 'some teams/bikes/mlflow_run.json'"),
        (keep_it_for_later, 0, "dvc --cd 'some teams/bikes' checkout"),
        (keep_it_for_later, 1, "dvc --cd 'some teams/bikes' repro --force"),
    ],
)
def test_a_fix_that_is_followed_word_for_word_registers(
    nested: Nested, spoil: Callable[[Nested], None], choice: int, command: str
) -> None:
    spoil(nested)

    followed = follow(nested.training, fixes_in(nested.check(), choice))
    outcome = nested.check()

    assert any(one.startswith(command) for one in followed), followed
    assert outcome.exit_code == 0, outcome.output


@pytest.mark.proof
@pytest.mark.parametrize("spoil", [kill_the_run, be_dirty, name_no_commit])
def test_a_run_that_cannot_be_registered_is_trained_anew(
    trained_in_a_folder: Training, tmp_path: Path, spoil: Callable[[Nested], None]
) -> None:
    nested = Nested(trained_in_a_folder.copied_to(tmp_path / "work"))
    nested.train()
    before = nested.run_id
    spoil(nested)

    follow(nested.training, fixes_in(nested.register()))
    outcome = nested.register()

    assert outcome.exit_code == 0, outcome.output
    assert nested.run_id != before


@pytest.mark.proof
def test_a_commit_that_was_not_fetched_is_fetched(nested: Nested) -> None:
    elsewhere = nested.training.git("commit-tree", "-p", "HEAD~1", "-m", "Same code", "HEAD~1^{tree}")
    nested.training.git("push", "--quiet", "origin", f"{elsewhere}:refs/heads/of-another")
    nested.train()
    MlflowClient(nested.training.server).set_tag(nested.run_id, "code_commit", elsewhere)
    fresh = nested.training.repository.with_name("fresh")
    nested.training.git("clone", "--quiet", "--single-branch", f"file://{nested.training.origin}", str(fresh))
    clone = Nested(Training(fresh, nested.training.server, f"tiny-{uuid.uuid4().hex[:8]}"))
    clone.training.dvc("pull", "--quiet")

    followed = follow(clone.training, fixes_in(clone.register()))
    outcome = clone.register()

    assert followed == [f"git fetch origin {elsewhere}"]
    assert outcome.exit_code == 0, outcome.output


@pytest.mark.proof
def test_hashes_of_dvc_2_are_migrated_because_no_training_renews_them(nested: Nested) -> None:
    lock = nested.folder / "dvc.lock"
    source = nested.folder / "data" / "raw.csv.dvc"
    for file in (lock, source):
        file.write_text(re.sub(r" *hash: md5\n", "", file.read_text()))
    for place in (nested.training.repository / ".dvc" / "cache", nested.training.repository.parent / "storage"):
        shutil.copytree(place / "files" / "md5", place, dirs_exist_ok=True)  # where DVC 2 kept its files
    nested.training.commit()
    nested.training.push()
    told = nested.check()
    (missing,) = [line for line in told.stderr.splitlines() if "DVC 2's hashes" in line]

    follow(nested.training, [missing.partition("Fix: ")[2]])

    assert told.exit_code == 0, told.output
    assert all(entry.is_current for entry in read_lock(lock.read_text()).entries)


@pytest.mark.proof
def test_a_change_that_was_left_is_taken_back_as_the_fix_says(copied: Training) -> None:
    copied.write("unmentioned file.py", "RATE = 0.3\n")
    copied.replace("params.yaml", "depth: 6", "depth: 9")

    refusal = copied.register("--name", copied.model, "--dry-run")
    followed = follow(copied, fixes_in(refusal))
    outcome = copied.register("--name", copied.model, "--dry-run")

    assert "git stash push --include-untracked -- params.yaml 'unmentioned file.py'" in followed
    assert outcome.exit_code == 0, outcome.output
