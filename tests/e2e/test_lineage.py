"""From the training repository to the card: what the checks find of a registered version, who vouches for it, and what blocks."""

from __future__ import annotations

import subprocess
from pathlib import Path

from bot.domain.lineage import GIT_MIRROR, TRAINER
from bot.domain.model import Evidence, State, TransitionRequest
from tests.fixtures.house import House
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
    house: House, retrained: Training
) -> None:
    house.use_policy(extra=f"lineage: {{git: {retrained.origin}, block: complete}}")

    outcome = retrained.register("--name", house.model, "--ask", "alias:candidate")
    assert outcome.exit_code == 0, outcome.output
    house.sweep()
    request = house.request(1)
    house.approve(request)

    evidence = evidence_of(request)
    assert failed(request) == []
    assert len(evidence.lineage) == 19
    assert (evidence.vouched_by, evidence.commit) == (GIT_MIRROR, retrained.head)
    assert request.commit_author == request.author
    assert "complete, vouched for by the git mirror" in house.card(request).all_text
    house.settle_until(lambda: house.reread(request).state is State.APPLIED)
    assert house.champion() == 1

    without_a_mirror = house.s.registry.read_lock(request.version, ("mlflow-artifacts:",))
    from_elsewhere = house.s.registry.read_lock(request.version, ("s3://models/",))
    assert without_a_mirror == (retrained.repository / "dvc.lock").read_text()
    assert from_elsewhere is None

    # What was vouched for once is not taken on trust again: the branch loses the commit, and the run's tags change.
    retrained.git("push", "--quiet", "--force", "origin", "HEAD~1:main")
    house.mlflow.set_tag(retrained.run_id, "git_dirty", "true")
    house.mlflow.set_tag(retrained.run_id, "dvc_lock_sha256", "0" * 64)
    house.mlflow.set_registered_model_alias(house.model, "champion", "1")
    house.use_policy(target="{alias: canary}", extra=f"lineage: {{git: {retrained.origin}, block: [L14]}}")
    house.mlflow.delete_registered_model_alias(house.model, "candidate")
    house.sweep()
    house.ask(1)
    house.sweep()
    again = house.request(1, "alias:canary")

    assert failed(again) == ["L04", "L06", "L14", "L16"]
    assert evidence_of(again).vouched_by == TRAINER
    assert "approve" not in house.card(again).buttons
    assert "The rule approves nothing that fails L14, so it can only be rejected: Reject." in house.card(again).all_text


def test_a_version_that_nobody_can_trace_cannot_be_approved_and_can_be_rejected(house: House, tmp_path: Path) -> None:
    house.use_policy(extra=f"lineage: {{git: {bare_repository(tmp_path / 'bikes.git')}, block: complete}}")

    request = house.asked()
    offered = set(house.card(request).buttons)
    house.reject(request, "nobody can tell where it comes from")

    assert failed(request) == [f"L{number:02}" for number in range(3, 20) if number not in (11, 12)]
    assert offered == {"reject"}
    assert "cannot be approved without: commit, clean tree, dvc.lock" in house.card(request).all_text
    assert house.reread(request).state is State.REJECTED


def test_without_a_rule_for_it_the_checks_are_shown_and_block_nothing(house: House) -> None:
    request = house.asked()
    house.approve(request)

    assert evidence_of(request).vouched_by == TRAINER
    assert "L14" in failed(request)
    assert "on the trainer's own word alone" in house.card(request).all_text
    house.settle_until(lambda: house.reread(request).state is State.APPLIED)


def test_a_remote_that_is_down_is_waited_for_only_when_the_rule_insists(house: House, tmp_path: Path) -> None:
    nobody = tmp_path / "bikes.git"
    house.use_policy(extra=f"lineage: {{git: {nobody}, block: [L03]}}")
    not_needed = house.asked()

    house.use_policy(extra=f"lineage: {{git: {nobody}, block: [L14]}}")
    needed = house.asked()
    waiting = house.reread(needed).state
    bare_repository(nobody)
    house.settle_until(lambda: house.reread(needed).state is State.PENDING)

    told = {check.code: check.sentence for check in evidence_of(not_needed).lineage}
    assert told["L14"].startswith(f"not checked: The git remote {nobody} cannot be read: ")
    assert waiting is State.COLLECTING
    assert "L14" in failed(house.reread(needed))
