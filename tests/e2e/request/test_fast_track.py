"""The fast track: good versions pass without waiting for a person, everything else is left to people with the reason why.

Its kill switch is in `test_kill_switch`, its report in `tests/e2e/queries/test_fast_track_report.py`, Undo in `test_rollback`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import cast

import pytest
import sqlalchemy as sa

from bot.domain.events import FastTrackCompared, FastTrackJudged, RequestApproved, VoteCast
from bot.domain.model import Ask, AskKind, DecidedBy, Evidence, State, Target, TransitionRequest, VersionId
from bot.domain.policy.rules import LineageDemand
from bot.domain.request import lifecycle
from bot.ports import ModelRegistry, ProgressListener
from handlers.policy.kill_switch import person_named, switch_fast_track
from handlers.request.asking import request_transition
from handlers.request.evidence import freeze_evidence
from tests.fixtures.installation import CHANNEL, Installation

AGAINST_THE_CHAMPION = "mae: {threshold: 40, greater_is_better: false, min_relative_change: 0.01}"
BELOW_40 = "mae: {threshold: 40, greater_is_better: false}"
AUTUMN, SPRING = "a1a1a1a1", "b2b2b2b2"


def track(mode: str, metrics: str = BELOW_40, more: str = "") -> str:
    return f"fast_track: {{mode: {mode}, metrics: {{{metrics}}}{more}}}"


@pytest.fixture
def with_champion(open_installation: Callable[..., Installation]) -> Installation:
    """Version 1 has been champion since before the baseline; its mae of 40 was measured on the autumn's data."""
    installation = open_installation(extra=track("on", AGAINST_THE_CHAMPION))
    installation.move(installation.register(metrics={"mae": 40.0}, measured_on=AUTUMN))
    return installation


def ask_in_words(installation: Installation, version: int) -> TransitionRequest:
    """Opened, and nothing else has happened yet."""
    target = Target.parse("alias:champion")
    return request_transition(
        installation.model, version, target, "cy@example.com", "", Ask(AskKind.COMMAND), installation.s
    )


def drawn(installation: Installation, version: int) -> str:
    """Why a passing version is held back, once somebody asks for it; a request that is held back is withdrawn again."""
    request = ask_in_words(installation, version)
    freeze_evidence(request.id, installation.s)
    with installation.s.store.transaction() as tx:
        judged = tx.requests.get(request.id, for_update=True)
        tx.record(lifecycle.withdraw(judged, "asked in vain", installation.clock.now()))
    assert judged.judgement is not None
    return judged.judgement.held_back


def switch(installation: Installation, *, on: bool) -> None:
    switch_fast_track(on, person_named("ana@example.com", installation.s), "mae looks forged", installation.s)


def slowly(registry: ModelRegistry, meanwhile: Callable[[], None]) -> ModelRegistry:
    """The registry, whose evidence takes so long to read that something else happens first."""

    def read_evidence(
        version: VersionId,
        champion: VersionId | None,
        stores: Sequence[str],
        lineage: LineageDemand | None = None,
        follower: ProgressListener | None = None,
        known: Evidence | None = None,
    ) -> Evidence:
        meanwhile()
        return registry.read_evidence(version, champion, stores, lineage, follower, known)

    return cast(
        "ModelRegistry",
        SimpleNamespace(identity=registry.identity, find_model=registry.find_model, read_evidence=read_evidence),
    )


def label(installation: Installation, request: TransitionRequest, action: str) -> str:
    return str(installation.card(request).buttons[action]["text"]["text"])  # type: ignore[index]


def pass_time(installation: Installation, time: timedelta) -> None:
    """The bot's clock goes on; the jobs' clock is the database's, which no test can move, so what they wait for comes nearer."""
    installation.clock.ahead += time
    with installation.s.store.engine.begin() as connection:
        waiting = (
            "update procrastinate_jobs set scheduled_at = scheduled_at - cast(:time as interval) where status = 'todo'"
        )
        connection.execute(sa.text(waiting), {"time": time})
    installation.settle()


# On: it decides


def test_a_version_that_beats_the_champion_on_the_same_data_is_promoted_and_nobody_votes(
    with_champion: Installation,
) -> None:
    installation = with_champion

    request = installation.asked(installation.register(metrics={"mae": 30.0}, measured_on=AUTUMN))

    assert (request.state, request.decided_by, request.votes) == (State.APPLIED, DecidedBy.FAST_TRACK, ())
    assert installation.champion() == 2
    assert set(installation.card(request).buttons) == {"roll_back"}
    assert "Approved by the fast track" in installation.card(request).all_text
    assert "mae 30 is at most 40; mae improves on the champion's 40 by 10 (25 %)" in installation.card(request).all_text
    assert installation.ticket_status(request) == "Done"
    assert f"by rule {installation.model}* → alias:champion, its hash {request.rule_hash}." in installation.comments(
        request
    )
    assert "Approved by the fast track" in installation.told("bea")
    assert "No one has reviewed this version yet. Please check it." in installation.told("bea")
    assert [job.name for job in installation.unfinished()] == ["sync_card"]  # when the time for Undo is over
    assert installation.ledger_fault() is None


def test_the_ledger_holds_the_figures_and_the_rule_by_which_it_was_decided(with_champion: Installation) -> None:
    installation = with_champion

    request = installation.asked(installation.register(metrics={"mae": 30.0}, measured_on=AUTUMN))

    (judged,), (approved,) = installation.entries(FastTrackJudged), installation.entries(RequestApproved)
    sentences = [check["sentence"] for check in judged["judgement"]["checks"]]
    assert sentences[0] == "mae 30 is at most 40"
    assert sentences[1].startswith("mae improves on the champion's 40 by 10 (25 %)")
    assert judged["rule"] == f"{installation.model}* → alias:champion"
    assert (approved["by"], approved["approvers"]) == ("fast_track", [])
    assert approved["rule_hash"] == judged["rule_hash"] == request.rule_hash
    assert installation.happened(VoteCast) == []


HELD: dict[str, tuple[dict[str, float], str, str]] = {
    "not better": ({"mae": 39.9}, AUTUMN, "mae improves on the champion's 40 by 0.1 (0.25 %), at least 1 % was asked"),
    "another data set": (
        {"mae": 30.0},
        SPRING,
        "mae was measured on different data sets (rides b2b2b2b2, champion rides",
    ),
    "no data set": ({"mae": 30.0}, "", "it is not known on which data mae was measured"),
    "no such figure": ({"rmse": 30.0}, AUTUMN, "mae was not logged"),
    "not a number": ({"mae": math.nan}, AUTUMN, "mae is not a number"),
}


@pytest.mark.parametrize("case", HELD)
def test_what_it_holds_is_left_to_people_and_the_card_says_why(with_champion: Installation, case: str) -> None:
    installation = with_champion
    metrics, digest, why = HELD[case]

    request = installation.asked(installation.register(metrics=metrics, measured_on=digest))

    assert request.state is State.PENDING
    assert {"approve", "reject"} <= set(installation.card(request).buttons)
    assert f"Not auto-approved: {why}" in installation.details(request)
    assert installation.champion() == 1


def test_a_first_version_has_no_champion_to_beat_so_people_decide(installation: Installation) -> None:
    installation.use_policy(extra=track("on", AGAINST_THE_CHAMPION))

    request = installation.asked(installation.register(metrics={"mae": 30.0}, measured_on=AUTUMN))

    assert request.state is State.PENDING
    assert "No approved version to compare with: MAE 30" in installation.card(request).all_text


def test_a_figure_that_was_logged_after_the_request_does_not_count(installation: Installation) -> None:
    installation.use_policy(extra=track("on"))
    version = installation.register(metrics={"mae": 50.0})

    request = ask_in_words(installation, version)
    installation.mlflow.log_metric(installation.run_of(version), "mae", 30.0, step=1)
    installation.settle()

    assert installation.reread(request).state is State.PENDING
    assert "mae was logged after the request was opened" in installation.details(request)


def test_a_share_of_those_that_pass_goes_to_people_all_the_same(installation: Installation) -> None:
    installation.use_policy(extra=track("on", more=", sample_to_people: 0.999999"))

    request = installation.asked()

    assert request.state is State.PENDING
    assert "Not auto-approved, because 99.9999 % of the versions that pass go to people all the same" in (
        installation.details(request)
    )


@pytest.mark.proof
def test_asking_again_draws_no_second_lot(installation: Installation) -> None:
    installation.use_policy(extra=track("on", more=", sample_to_people: 0.5"))
    held = next(
        version
        for version in (installation.register() for _ in range(40))
        if "go to people" in drawn(installation, version)
    )

    again = {drawn(installation, held) for _ in range(10)}

    assert again == {"50 % of the versions that pass go to people all the same, and this is one of them"}


def test_a_version_whose_files_were_not_read_never_passes(installation: Installation) -> None:
    installation.use_policy(extra=track("on"))
    run = installation.run_of(installation.register())
    elsewhere = installation.mlflow.create_model_version(
        installation.model, "s3://elsewhere/model", run, await_creation_for=0
    )

    request = installation.asked(int(elsewhere.version))

    assert request.state is State.PENDING
    assert "nobody can vouch for files that were not read" in installation.card(request).all_text
    assert "s3://elsewhere/model" in installation.card(request).all_text
    assert installation.champion() is None


# Shadow: it looks on


def test_in_shadow_it_says_what_it_would_have_done_and_learns_what_people_do(with_champion: Installation) -> None:
    installation = with_champion
    installation.use_policy(extra=track("shadow"))
    passing = installation.asked(installation.register(metrics={"mae": 30.0}))
    said = installation.details(passing)
    installation.reject(passing, "worse on rainy days")
    failing = installation.asked(installation.register(metrics={"mae": 50.0}))
    installation.approve(failing)

    third = installation.asked()

    assert passing.state is failing.state is third.state is State.PENDING
    assert "Fast track (shadow): would have let it through: mae 30 is at most 40." in said
    assert "would have held it: mae 50 is above the threshold 40." in installation.details(failing)
    compared = [
        (entry["would_pass"], entry["approved"], entry["outcome"]) for entry in installation.entries(FastTrackCompared)
    ]
    assert compared == [(True, False, "false_pass"), (False, True, "false_hold")]
    record = "It agreed with people on 0 of 2 versions in 90 days (1 false pass, 1 false hold)."
    assert record in installation.details(third)


# Afterwards


def test_undo_stands_on_the_card_for_as_long_as_the_rule_says_and_a_rollback_after_that(
    with_champion: Installation,
) -> None:
    installation = with_champion
    installation.use_policy(extra=track("on", AGAINST_THE_CHAMPION, ", undo_for: 2h"))
    request = installation.asked(installation.register(metrics={"mae": 30.0}, measured_on=AUTUMN))
    at_first = label(installation, request, "roll_back")

    pass_time(installation, timedelta(hours=1, minutes=59))
    still = label(installation, request, "roll_back")
    pass_time(installation, timedelta(minutes=2))

    assert (at_first, still) == ("Undo", "Undo")
    assert label(installation, request, "roll_back").startswith("Roll back to v")
    assert installation.unfinished() == []


@pytest.mark.proof
def test_undo_takes_the_target_back_and_the_decision_stands(installation: Installation) -> None:
    installation.use_policy(extra=track("on"))
    installation.asked()
    second = installation.asked()
    installation.click("ben", second, "roll_back")
    installation.slack.submit_view("ben", {"reason": "predictions drifted"})

    installation.settle()

    assert installation.champion() == 1
    assert (installation.reread(second).state, installation.ticket_status(second)) == (State.APPLIED, "Done")
    assert "roll_back" not in installation.card(second).buttons
    assert installation.card(second).all_text.count("Auto-approved, all thresholds met") == 1


def test_whoever_votes_after_the_fast_track_is_told_that_it_was_quicker(with_champion: Installation) -> None:
    installation = with_champion
    request = installation.asked(installation.register(metrics={"mae": 30.0}, measured_on=AUTUMN))
    late = installation.slack.click_payload("ana", CHANNEL, installation.card(request).ts, "roll_back")
    late["actions"][0]["action_id"] = "approve"  # type: ignore[index]

    installation.slack.send(late)

    assert (
        f"The fast track was quicker: {request.version} for alias:champion is approved."
        in installation.told_privately("ana")
    )
    assert "Your click changed nothing." in installation.told_privately("ana")
    assert installation.happened(VoteCast) == []


def test_a_vote_that_has_opened_is_never_taken_over_by_the_fast_track(installation: Installation) -> None:
    """A second worker reads the evidence so slowly that the first has opened the vote meanwhile."""
    installation.use_policy(extra=track("on"))
    request = ask_in_words(installation, installation.register())
    switch(installation, on=False)

    def meanwhile() -> None:
        installation.settle()
        switch(installation, on=True)

    freeze_evidence(request.id, replace(installation.s, registry=slowly(installation.s.registry, meanwhile)))

    assert installation.reread(request).state is State.PENDING
    assert installation.happened(FastTrackJudged, RequestApproved) == ["FastTrackJudged"]
    assert {"approve", "reject"} <= set(installation.card(request).buttons)
