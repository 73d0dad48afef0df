"""Between decision and application the world may change. What was decided on is gone then: nothing is applied, and people decide anew.

Freezes, which hold an approval back for longer, are in `test_freeze`. An alias that is moved while we move it is in `tests/faults`,
and so is a move that failed and is tried again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import pytest

from bot.domain.events import ApprovalStale, TargetMoved
from bot.domain.model import Ask, AskKind, Evidence, Kind, State, Target, TransitionRequest, VersionId
from bot.domain.policy.rules import LineageDemand
from bot.ports import ModelRegistry, ProgressListener
from handlers.attestation.signing import sign
from handlers.policy.kill_switch import person_named, switch_fast_track
from handlers.registry.apply import sync_target
from handlers.request.asking import request_transition
from handlers.request.evidence import freeze_evidence
from tests.fixtures.installation import Installation

MLMODEL = """
signature:
  inputs: '[{"name": "hour", "type": "%s", "required": true}]'
  outputs: '[{"type": "double", "required": true}]'
  params: null
"""
CY = "risk: {people: [cy@example.com]}"
CY_AND_BEN = "risk: {people: [cy@example.com, ben@example.com]}"
BY_RISK = "[{group: risk, quorum: 1}]"
BY_FIGURES = "fast_track: {mode: on, metrics: {mae: {threshold: 40, greater_is_better: false}}}"


def put_file(installation: Installation, version: int, path: str, text: str) -> None:
    """Into the folder of the version's own files."""
    installation.mlflow.log_text(installation.run_of(version), text, f"model/{path}")


def approved_and_then(
    installation: Installation, changed: Callable[[], object], *, version: int | None = None, person: str = "ana"
) -> TransitionRequest:
    """Somebody approves, and before a worker applies it something changes."""
    request = installation.asked(version)
    installation.click(person, request, "approve")
    changed()
    installation.settle()
    return installation.reread(request)


def assert_not_applied(installation: Installation, request: TransitionRequest, *why: str) -> TransitionRequest:
    """It is stale and says why, on its card, in its ticket and to who trained it; returns the fresh request."""
    assert request.state is State.STALE
    for sentence in why:
        assert sentence in installation.card(request).all_text
        assert sentence in installation.comments(request)
        assert sentence in installation.told("bea")
    assert ", but not applied: " in installation.card(request).all_text
    assert not installation.card(request).buttons
    assert installation.ticket_status(request) == "Won't Do"
    (fresh,) = installation.requests(State.PENDING)
    assert (fresh.follows, fresh.ask.kind, fresh.votes) == (request.id, AskKind.REOPENED, ())
    return fresh


def move_slowly(
    installation: Installation, request: TransitionRequest, meanwhile: Callable[[], object]
) -> TransitionRequest:
    """A worker applies it, and reading the artifacts takes it so long that something else happens first; it cannot move anything."""
    sign(request.id, installation.s)
    registry = installation.s.registry

    def read_evidence(
        version: VersionId,
        champion: VersionId | None,
        stores: Sequence[str],
        lineage: LineageDemand | None = None,
        follower: ProgressListener | None = None,
        known: Evidence | None = None,
    ) -> Evidence:
        seen = registry.read_evidence(version, champion, stores, lineage, follower, known)
        meanwhile()
        return seen

    slow = cast(
        "ModelRegistry",
        SimpleNamespace(identity=registry.identity, find_model=registry.find_model, read_evidence=read_evidence),
    )
    sync_target(request.id, replace(installation.s, registry=slow))
    return installation.reread(request)


def test_a_rule_that_has_changed_asks_anew_and_the_votes_of_before_do_not_count(installation: Installation) -> None:
    request = approved_and_then(installation, lambda: installation.use_policy(quorum=2))

    fresh = assert_not_applied(
        installation, request, "the rule, or a group that it names, is another one than was decided under"
    )
    installation.approve(fresh, "ben")
    after_one = installation.reread(fresh).state, installation.champion()
    installation.approve(fresh, "ana")

    assert after_one == (State.PENDING, None)
    assert installation.champion() == 1
    assert installation.happened(ApprovalStale, TargetMoved) == ["ApprovalStale", "TargetMoved"]


@pytest.mark.proof
def test_a_group_that_has_changed_asks_anew(installation: Installation) -> None:
    installation.use_policy(groups=CY, all_of=BY_RISK)

    request = approved_and_then(
        installation, lambda: installation.use_policy(groups=CY_AND_BEN, all_of=BY_RISK), person="cy"
    )

    fresh = assert_not_applied(installation, request, "the rule, or a group that it names, is another one")
    installation.approve(fresh, "ben")
    assert installation.champion() == 1


@pytest.mark.proof
def test_somebody_who_joins_another_group_voids_nothing(installation: Installation) -> None:
    installation.use_policy(groups=CY)

    request = approved_and_then(installation, lambda: installation.use_policy(groups=CY_AND_BEN))

    assert request.state is State.APPLIED
    assert installation.champion() == 1


def test_whatever_the_vote_was_based_on_is_named_when_it_has_changed(installation: Installation) -> None:
    version = installation.register()
    put_file(installation, version, "MLmodel", MLMODEL % "long")
    put_file(installation, version, "model.bin", "weights")

    def changed() -> None:
        run = installation.run_of(version)
        installation.mlflow.log_metric(run, "mae", 12.5, step=1)
        installation.mlflow.log_metric(run, "r2", 0.81, step=1)
        installation.mlflow.log_param(run, "depth", "8")
        put_file(installation, version, "MLmodel", MLMODEL % "double")

    request = approved_and_then(installation, changed, version=version)

    fresh = assert_not_applied(
        installation,
        request,
        "the artifacts are other bytes now; the model signature is another one now; mae was 31.5 and is 12.5 now; "
        "r2 was logged again; parameter depth was added: 8",
    )
    assert "12.5" in installation.card(fresh).all_text
    installation.approve(fresh)
    assert installation.champion() == version


def test_bytes_that_were_exchanged_in_the_store_are_not_promoted(installation: Installation) -> None:
    version = installation.register()
    put_file(installation, version, "model.bin", "weights")

    request = approved_and_then(
        installation, lambda: put_file(installation, version, "model.bin", "weighed"), version=version
    )

    assert_not_applied(installation, request, "the artifacts are other bytes now")
    assert installation.champion() is None


@pytest.mark.proof
def test_a_lock_that_was_exchanged_after_the_vote_is_not_promoted(installation: Installation) -> None:
    version = installation.register()
    run = installation.run_of(version)
    installation.mlflow.set_tag(run, "data_md5", f"{'1' * 32}  raw.csv")
    installation.mlflow.log_text(run, "stages: {train: {cmd: good}}\n", "lineage/dvc.lock")

    def changed() -> None:
        installation.mlflow.log_text(run, "stages: {train: {cmd: evil}}\n", "lineage/dvc.lock")
        installation.mlflow.set_tag(run, "data_md5", f"{'2' * 32}  raw.csv")

    request = approved_and_then(installation, changed, version=version)

    assert_not_applied(
        installation, request, "dvc.lock had the sha256 ", "the run names other source data now (tag data_md5)"
    )
    assert installation.champion() is None


@pytest.mark.proof
def test_another_champion_since_asks_anew_against_that_one(installation: Installation) -> None:
    other, wanted = installation.register(), installation.register()

    request = approved_and_then(installation, lambda: installation.ask(other, "champion"), version=wanted)

    why = f"alias:champion changed from unassigned to {installation.model} v{other} after the evidence of this request was frozen"
    fresh = assert_not_applied(installation, request, why)
    assert fresh.evidence is not None
    assert fresh.evidence.champion is None  # figures are compared with a lawful holder alone
    assert [found.version for found in fresh.found or ()] == [other]
    assert installation.champion() == other
    installation.approve(fresh)
    assert installation.champion() == wanted


@pytest.mark.proof
def test_another_version_under_the_same_name_and_number_is_not_taken_for_the_one_approved(
    installation: Installation,
) -> None:
    def changed() -> None:
        installation.mlflow.delete_registered_model(installation.model)
        installation.register()

    request = approved_and_then(installation, changed)

    assert request.state is State.STALE
    assert f"{installation.model} v1 was deleted, or deleted and created again" in installation.card(request).all_text
    assert f"{installation.model} v1 was deleted, or deleted and created again" in installation.comments(request)
    assert installation.requests(State.PENDING) == []
    assert installation.champion() is None


# While the artifacts are read, which may take minutes


def test_a_switch_that_goes_off_while_the_artifacts_are_read_is_in_time(installation: Installation) -> None:
    installation.use_policy(extra=BY_FIGURES)
    target, ask = Target.parse("alias:champion"), Ask(AskKind.COMMAND)
    request = request_transition(
        installation.model, installation.register(), target, "bea@example.com", "", ask, installation.s
    )
    freeze_evidence(request.id, installation.s)
    decided = installation.reread(request).state

    ana = person_named("ana@example.com", installation.s)
    applied = move_slowly(
        installation, request, lambda: switch_fast_track(False, ana, "mae looks forged", installation.s)
    )
    installation.settle()

    assert decided is State.APPROVED
    assert_not_applied(installation, applied, "the fast track was switched off before its decision was applied")
    assert installation.champion() is None


def test_a_rule_that_changes_while_the_artifacts_are_read_changes_in_time(installation: Installation) -> None:
    request = installation.asked()
    installation.click("ana", request, "approve")

    applied = move_slowly(installation, request, lambda: installation.use_policy(quorum=2))
    installation.settle()

    assert_not_applied(
        installation, applied, "the rule, or a group that it names, is another one than was decided under"
    )
    assert installation.champion() is None


# What somebody moved without asking


@pytest.mark.proof
def test_what_people_let_stay_must_be_what_they_looked_at(installation: Installation) -> None:
    installation.approve(installation.asked())
    moved = installation.register()
    put_file(installation, moved, "model.bin", "weights")
    installation.move(moved)
    observed = installation.request(moved)

    put_file(installation, moved, "model.bin", "weighed")
    installation.approve(observed)
    (fresh,) = installation.requests(State.PENDING)
    installation.reject(fresh, "Nobody looked at it.")

    assert installation.reread(observed).state is State.STALE
    assert "the artifacts are other bytes now" in installation.card(observed).all_text
    assert (fresh.kind, fresh.follows, fresh.previous) == (Kind.OBSERVED, observed.id, installation.request(1).version)
    assert installation.champion() == 1
