"""From the training repository to the card: what the checks find of a registered version, who vouches for it, and what blocks."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from mlflow import MlflowClient

from bot.clients.git import GitMirrors
from bot.clients.mlflow.registry import MlflowRegistry
from bot.domain.evidence.dvc_lock import sha256_of
from bot.domain.evidence.lineage import GIT_MIRROR, TRAINER
from bot.domain.model import Evidence, State, TransitionRequest
from bot.domain.policy.rules import LineageDemand
from bot.dvc.files import read_lock
from bot.errors import FilesUnread
from tests.fixtures.installation import Installation
from tests.fixtures.training_repository import Training


def evidence_of(request: TransitionRequest) -> Evidence:
    assert request.evidence is not None
    return request.evidence


def failed(request: TransitionRequest) -> list[str]:
    return [check.code for check in evidence_of(request).lineage if not check.passed]


def bare_repository(path: Path) -> Path:
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch", "main", str(path)], check=True)
    return path


def test_a_registered_version_is_vouched_for_by_the_mirror_and_approved_under_the_strictest_rule(
    installation: Installation, retrained: Training
) -> None:
    installation.use_policy(extra=f"lineage: {{git: {retrained.origin}, block: complete}}")

    outcome = retrained.register("--name", installation.model, "--ask", "alias:candidate")
    assert outcome.exit_code == 0, outcome.output
    installation.sweep()
    request = installation.request(1)
    installation.approve(request)

    evidence = evidence_of(request)
    assert failed(request) == []
    assert len(evidence.lineage) == 19
    assert (evidence.vouched_by, evidence.commit) == (GIT_MIRROR, retrained.head)
    assert request.commit_author == request.author
    assert "19 of 19 lineage checks passed; confirmed by the git mirror" in installation.details(request)
    installation.settle_until(lambda: installation.reread(request).state is State.APPLIED)
    assert installation.champion() == 1

    without_a_mirror = installation.s.registry.read_lock(request.version, ("mlflow-artifacts:",))
    with pytest.raises(FilesUnread, match="in none of the policy's artifact_stores"):
        installation.s.registry.read_lock(request.version, ("s3://models/",))
    assert without_a_mirror
    assert without_a_mirror.text == (retrained.repository / "dvc.lock").read_text()

    # What was vouched for once is not taken on trust again: the branch loses the commit, and the run's tags change.
    retrained.git("push", "--quiet", "--force", "origin", "HEAD~1:main")
    installation.mlflow.set_tag(retrained.run_id, "git_dirty", "true")
    installation.mlflow.set_tag(retrained.run_id, "dvc_lock_sha256", "0" * 64)
    installation.mlflow.set_registered_model_alias(installation.model, "champion", "1")
    installation.use_policy(target="{alias: canary}", extra=f"lineage: {{git: {retrained.origin}, block: [L14]}}")
    installation.mlflow.delete_registered_model_alias(installation.model, "candidate")
    installation.sweep()
    installation.ask(1)
    installation.sweep()
    again = installation.request(1, "alias:canary")

    assert failed(again) == ["L04", "L06", "L14", "L16"]
    assert evidence_of(again).vouched_by == TRAINER
    assert "approve" not in installation.card(again).buttons
    assert "Cannot be approved: " in installation.card(again).all_text
    assert "Only Reject is possible." in installation.card(again).all_text


def test_a_version_that_nobody_can_trace_cannot_be_approved_and_can_be_rejected(
    installation: Installation, tmp_path: Path
) -> None:
    installation.use_policy(extra=f"lineage: {{git: {bare_repository(tmp_path / 'bikes.git')}, block: complete}}")

    request = installation.asked()
    offered = set(installation.card(request).buttons)
    installation.reject(request, "nobody can tell where it comes from")

    assert failed(request) == [f"L{number:02}" for number in range(3, 20) if number not in (11, 12)]
    assert offered == {"reject", "ask", "menu"}
    stops = re.search(r"cannot be approved without: (.*?);", installation.details(request))
    assert stops
    assert [title.partition(" (")[0] for title in stops[1].split(", ")][:3] == ["commit", "clean tree", "dvc.lock"]
    assert installation.reread(request).state is State.REJECTED


def test_without_a_rule_for_it_the_checks_are_shown_and_block_nothing(installation: Installation) -> None:
    request = installation.asked()
    installation.approve(request)

    assert evidence_of(request).vouched_by == TRAINER
    assert "L14" in failed(request)
    assert "Lineage: No DVC lineage recorded (optional)" in installation.details(request)
    installation.settle_until(lambda: installation.reread(request).state is State.APPLIED)


@pytest.mark.parametrize("code", ["L04", "L14"])
def test_a_remote_that_is_down_is_waited_for_only_when_the_rule_insists(
    installation: Installation, tmp_path: Path, code: str
) -> None:
    nobody = tmp_path / "bikes.git"
    installation.use_policy(extra=f"lineage: {{git: {nobody}, block: [L03]}}")
    not_needed = installation.asked()

    installation.use_policy(extra=f"lineage: {{git: {nobody}, block: [{code}]}}")
    needed = installation.asked()
    waiting = installation.reread(needed).state
    bare_repository(nobody)
    installation.settle_until(lambda: installation.reread(needed).state is State.PENDING)

    told = {check.code: check.sentence for check in evidence_of(not_needed).lineage}
    assert told["L14"].startswith(f"not checked: The git remote {nobody} cannot be read: ")
    assert waiting is State.COLLECTING
    assert {"L04", "L14"} <= set(failed(installation.reread(needed)))


# The registered version, altered in one way at a time

Alteration = Callable[["Registered"], object]


@dataclass(frozen=True)
class Registered:
    """A real run, registered as it should be; what a test alters is restored after it."""

    training: Training
    client: MlflowClient
    mirrors: GitMirrors
    undo: ExitStack

    @property
    def run_id(self) -> str:
        return self.training.run_id

    @property
    def lock(self) -> str:
        return (self.training.repository / "dvc.lock").read_text()

    def tag(self, name: str, text: str) -> None:
        before = self.client.get_run(self.run_id).data.tags[name]
        self.undo.callback(self.client.set_tag, self.run_id, name, before)
        self.client.set_tag(self.run_id, name, text)

    def log(self, name: str, text: str) -> None:
        before = (self.training.repository / name).read_text()
        self.undo.callback(self.client.log_text, self.run_id, before, f"lineage/{name}")
        self.client.log_text(self.run_id, text, f"lineage/{name}")

    def push(self, *refs: str) -> None:
        self.training.git("push", "--quiet", "--force", "origin", *refs)

    def relock(self, before: str, after: str) -> None:
        """Another lock, logged, tagged, committed and pushed, as if it were the run's."""
        text = self.lock.replace(before, after)
        assert text != self.lock
        self.log("dvc.lock", text)
        self.tag("dvc_lock_sha256", sha256_of(text))
        head = self.training.head
        self.undo.callback(self.training.git, "reset", "--quiet", "--hard", head)
        self.training.write("dvc.lock", text)
        self.training.commit()
        self.tag("git_commit", self.training.head)
        self.push("HEAD:main")

    def another_version(self, run_id: str) -> None:
        made = self.client.create_model_version(self.training.model, f"runs:/{run_id}/model", run_id)
        self.undo.callback(self.client.delete_model_version, made.name, made.version)

    def failed(self) -> str:
        demand = LineageDemand(git=str(self.training.origin))
        registry = MlflowRegistry(self.training.server, webhook_secrets=(), mirror=self.mirrors)
        version = registry.find_model("default", self.training.model)
        assert version is not None
        first = version.version(1)
        assert first is not None
        evidence = registry.read_evidence(first.id, None, ("mlflow-artifacts:",), demand)
        return " ".join(check.code for check in evidence.lineage if not check.passed)


@pytest.fixture(scope="module")
def registered_once(trained: Training, tmp_path_factory: pytest.TempPathFactory) -> Training:
    training = trained.copied_to(tmp_path_factory.mktemp("altered") / "work")
    training.train()
    outcome = training.register("--name", training.model)
    assert outcome.exit_code == 0, outcome.output
    return training


@pytest.fixture
def registered(registered_once: Training, tmp_path: Path) -> Iterator[Registered]:
    with ExitStack() as undo:
        undo.callback(
            registered_once.git, "push", "--quiet", "--force", "--prune", "origin", "refs/heads/*:refs/heads/*"
        )
        mirrors = GitMirrors(tmp_path / "mirrors")
        yield Registered(registered_once, MlflowClient(registered_once.server), mirrors, undo)


def fail_the_run(it: Registered) -> None:
    it.undo.callback(it.client.set_terminated, it.run_id, "FINISHED")
    it.client.set_terminated(it.run_id, "FAILED")


def delete_the_run(it: Registered) -> None:
    it.undo.callback(it.client.restore_run, it.run_id)
    it.client.delete_run(it.run_id)


def another_run_of_the_commit(it: Registered) -> None:
    other = it.client.create_run("0", tags={"git_commit": it.training.head}).info.run_id
    it.undo.callback(it.client.delete_run, other)
    it.another_version(other)


def another_lock_without_its_commit(it: Registered) -> None:
    text = f"# of another day\n{it.lock}"
    it.log("dvc.lock", text)
    it.tag("dvc_lock_sha256", sha256_of(text))


def evil_code_beside_the_lock(it: Registered) -> None:
    it.undo.callback(it.training.git, "reset", "--quiet", "--hard", it.training.head)
    it.training.write("train.py", "print('evil')\n")
    it.training.commit()
    it.tag("git_commit", it.training.head)
    it.push("HEAD:main")


@pytest.mark.parametrize(
    ("alter", "codes"),
    [
        (lambda it: None, ""),
        (fail_the_run, "L02"),
        (delete_the_run, "L02"),
        (lambda it: it.tag("git_commit", "HEAD"), "L03 L04 L13 L14 L15 L16"),
        (lambda it: it.tag("git_dirty", "true"), "L04"),
        (lambda it: it.tag("code_commit", "0" * 40), "L04"),
        (evil_code_beside_the_lock, "L04"),
        (lambda it: it.log("dvc.lock", "- no lock\n"), "L04 L05 L06 L07 L08 L09 L10 L15"),
        (lambda it: it.tag("dvc_lock_sha256", "0" * 64), "L06"),
        (lambda it: it.relock(md5_in(it, "prepare.py"), "''"), "L07"),
        (lambda it: it.tag("data_md5", f"{'0' * 32}  data/raw.csv"), "L08"),
        (lambda it: it.log("mlflow_run.json", '{"run_id": "another"}'), "L09"),
        (lambda it: it.relock(md5_in(it, "mlflow_run.json"), "0" * 32), "L09"),
        (lambda it: it.relock("depth: 6", "depth: 9"), "L10"),
        (lambda it: it.another_version(it.run_id), "L12"),
        (another_run_of_the_commit, "L13"),
        (lambda it: it.push("HEAD~1:main"), "L04 L14 L15 L16"),
        (another_lock_without_its_commit, "L15"),
        (lambda it: it.push("HEAD~1:main", "HEAD:try"), "L16"),
        (lambda it: it.tag("environment_sha256", "0" * 64), "L17"),
    ],
)  # fmt: skip
def test_each_alteration_of_a_registered_version_is_found_by_its_check(
    registered: Registered, alter: Alteration, codes: str
) -> None:
    alter(registered)

    assert registered.failed() == codes


def md5_in(it: Registered, path: str) -> str:
    return next(entry.md5 for entry in read_lock(it.lock).entries if entry.path == path)
