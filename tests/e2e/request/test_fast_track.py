"""The fast track: good versions pass without waiting for a person, everything else is left to people with the reason why.

Its kill switch is in `test_kill_switch`, its report in `test_fast_track_report`, Undo as a way back in `test_rollback`.
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
from bot.ports import Follower, ModelRegistry
from handlers.policy.kill_switch import person_named, switch_fast_track
from handlers.request.asking import request_transition
from handlers.request.evidence import freeze_evidence
from tests.fixtures.installation import CHANNEL, House

AGAINST_THE_CHAMPION = "mae: {threshold: 40, greater_is_better: false, min_relative_change: 0.01}"
BELOW_40 = "mae: {threshold: 40, greater_is_better: false}"
AUTUMN, SPRING = "a1a1a1a1", "b2b2b2b2"


def track(mode: str, metrics: str = BELOW_40, more: str = "") -> str:
    return f"fast_track: {{mode: {mode}, metrics: {{{metrics}}}{more}}}"


@pytest.fixture
def with_champion(open_house: Callable[..., House]) -> House:
    """Version 1 has been champion since before the baseline; its mae of 40 was measured on the autumn's data."""
    house = open_house(extra=track("on", AGAINST_THE_CHAMPION))
    house.move(house.register(metrics={"mae": 40.0}, measured_on=AUTUMN))
    return house


def ask_in_words(house: House, version: int) -> TransitionRequest:
    """Opened, and nothing else has happened yet."""
    target = Target.parse("alias:champion")
    return request_transition(house.model, version, target, "cy@example.com", "", Ask(AskKind.COMMAND), house.s)


def drawn(house: House, version: int) -> str:
    """Why it is held back though it passes, when somebody asks for it; whoever is held back takes the wish away again."""
    request = ask_in_words(house, version)
    freeze_evidence(request.id, house.s)
    with house.s.store.transaction() as tx:
        judged = tx.get_request(request.id, for_update=True)
        tx.record(lifecycle.withdraw(judged, "asked in vain", house.clock.now()))
    assert judged.judgement is not None
    return judged.judgement.held_back


def switch(house: House, *, on: bool) -> None:
    switch_fast_track(on, person_named("ana@example.com", house.s), "mae looks forged", house.s)


def slowly(registry: ModelRegistry, meanwhile: Callable[[], None]) -> ModelRegistry:
    """The registry, whose evidence takes so long to read that something else happens first."""

    def read_evidence(
        version: VersionId,
        champion: VersionId | None,
        stores: Sequence[str],
        lineage: LineageDemand | None = None,
        follower: Follower | None = None,
    ) -> Evidence:
        meanwhile()
        return registry.read_evidence(version, champion, stores, lineage, follower)

    return cast("ModelRegistry", SimpleNamespace(find_model=registry.find_model, read_evidence=read_evidence))


def label(house: House, request: TransitionRequest, action: str) -> str:
    return str(house.card(request).buttons[action]["text"]["text"])  # type: ignore[index]


def pass_time(house: House, time: timedelta) -> None:
    """The bot's clock goes on; the jobs' clock is the database's, which no test can move, so what they wait for comes nearer."""
    house.clock.ahead += time
    with house.s.store.engine.begin() as connection:
        waiting = (
            "update procrastinate_jobs set scheduled_at = scheduled_at - cast(:time as interval) where status = 'todo'"
        )
        connection.execute(sa.text(waiting), {"time": time})
    house.settle()


# On: it decides


def test_a_version_that_beats_the_champion_on_the_same_data_is_promoted_and_nobody_votes(with_champion: House) -> None:
    house = with_champion

    request = house.asked(house.register(metrics={"mae": 30.0}, measured_on=AUTUMN))

    assert (request.state, request.decided_by, request.votes) == (State.APPLIED, DecidedBy.FAST_TRACK, ())
    assert house.champion() == 2
    assert set(house.card(request).buttons) == {"roll_back"}
    assert "Approved by the fast track" in house.card(request).all_text
    assert "mae 30 is at most 40; mae improves on the champion's 40 by 10 (25 %)" in house.card(request).all_text
    assert house.ticket_status(request) == "Done"
    assert f"by rule {house.model}* → alias:champion, its hash {request.rule_hash}." in house.comments(request)
    assert "Approved by the fast track" in house.told("bea")
    assert "Nobody has looked at it yet, so do." in house.told("bea")
    assert [job.name for job in house.unfinished()] == ["sync_card"]  # when the time for Undo is over
    assert house.ledger_fault() is None


def test_the_ledger_holds_the_figures_and_the_rule_by_which_it_was_decided(with_champion: House) -> None:
    house = with_champion

    request = house.asked(house.register(metrics={"mae": 30.0}, measured_on=AUTUMN))

    (judged,), (approved,) = house.entries(FastTrackJudged), house.entries(RequestApproved)
    sentences = [check["sentence"] for check in judged["judgement"]["checks"]]
    assert sentences[0] == "mae 30 is at most 40"
    assert sentences[1].startswith("mae improves on the champion's 40 by 10 (25 %)")
    assert judged["rule"] == f"{house.model}* → alias:champion"
    assert (approved["by"], approved["approvers"]) == ("fast_track", [])
    assert approved["rule_hash"] == judged["rule_hash"] == request.rule_hash
    assert house.happened(VoteCast) == []


HELD: dict[str, tuple[dict[str, float], str, str]] = {
    "not better": ({"mae": 39.9}, AUTUMN, "mae improves on the champion's 40 by 0.1 (0.25 %), at least 1 % was asked"),
    "another data set": (
        {"mae": 30.0},
        SPRING,
        "mae was measured on different data sets (rides b2b2b2b2, champion rides",
    ),
    "no data set": ({"mae": 30.0}, "", "it is not known on which data mae was measured, so a person decides"),
    "no such figure": ({"rmse": 30.0}, AUTUMN, "mae was not logged"),
    "not a number": ({"mae": math.nan}, AUTUMN, "mae is not a number"),
}


@pytest.mark.parametrize("case", HELD)
def test_what_it_holds_is_left_to_people_and_the_card_says_why(with_champion: House, case: str) -> None:
    house = with_champion
    metrics, digest, why = HELD[case]

    request = house.asked(house.register(metrics=metrics, measured_on=digest))

    assert request.state is State.PENDING
    assert {"approve", "reject"} <= set(house.card(request).buttons)
    assert f"Held by the fast track, so people decide: {why}" in house.card(request).all_text
    assert house.champion() == 1


def test_a_first_version_has_no_champion_to_beat_so_people_decide(house: House) -> None:
    house.use_policy(extra=track("on", AGAINST_THE_CHAMPION))

    request = house.asked(house.register(metrics={"mae": 30.0}, measured_on=AUTUMN))

    assert request.state is State.PENDING
    assert "there is no champion to compare mae with, so a person decides" in house.card(request).all_text


def test_a_figure_that_was_logged_after_the_request_does_not_count(house: House) -> None:
    house.use_policy(extra=track("on"))
    version = house.register(metrics={"mae": 50.0})

    request = ask_in_words(house, version)
    house.mlflow.log_metric(house.run_of(version), "mae", 30.0, step=1)
    house.settle()

    assert house.reread(request).state is State.PENDING
    assert "mae was logged after the request was opened" in house.card(request).all_text


def test_a_share_of_those_that_pass_goes_to_people_all_the_same(house: House) -> None:
    house.use_policy(extra=track("on", more=", sample_to_people: 0.999999"))

    request = house.asked()

    assert request.state is State.PENDING
    assert "Passes the fast track, but 99.9999 % of the versions that pass go to people all the same" in (
        house.card(request).all_text
    )


def test_asking_again_draws_no_second_lot(house: House) -> None:
    house.use_policy(extra=track("on", more=", sample_to_people: 0.5"))
    held = next(version for version in (house.register() for _ in range(40)) if "go to people" in drawn(house, version))

    again = {drawn(house, held) for _ in range(10)}

    assert again == {"50 % of the versions that pass go to people all the same, and this is one of them"}


def test_a_version_whose_files_were_not_read_never_passes(house: House) -> None:
    house.use_policy(extra=track("on"))
    run = house.run_of(house.register())
    elsewhere = house.mlflow.create_model_version(house.model, "s3://elsewhere/model", run, await_creation_for=0)

    request = house.asked(int(elsewhere.version))

    assert request.state is State.PENDING
    assert "nobody can vouch for files that were not read" in house.card(request).all_text
    assert "s3://elsewhere/model" in house.card(request).all_text
    assert house.champion() is None


# Shadow: it looks on


def test_in_shadow_it_says_what_it_would_have_done_and_learns_what_people_do(with_champion: House) -> None:
    house = with_champion
    house.use_policy(extra=track("shadow"))
    passing = house.asked(house.register(metrics={"mae": 30.0}))
    said = house.card(passing).all_text
    house.reject(passing, "worse on rainy days")
    failing = house.asked(house.register(metrics={"mae": 50.0}))
    house.approve(failing)

    third = house.asked()

    assert passing.state is failing.state is third.state is State.PENDING
    assert "Fast track (shadow): would have let it through: mae 30 is at most 40." in said
    assert "would have held it: mae 50 is above the threshold 40." in house.card(failing).all_text
    compared = [
        (entry["would_pass"], entry["approved"], entry["outcome"]) for entry in house.entries(FastTrackCompared)
    ]
    assert compared == [(True, False, "false_pass"), (False, True, "false_hold")]
    record = "It agreed with people on 0 of 2 versions in 90 days (1 false pass, 1 false hold)."
    assert record in house.card(third).all_text


# Afterwards


def test_undo_stands_on_the_card_for_as_long_as_the_rule_says_and_a_rollback_after_that(with_champion: House) -> None:
    house = with_champion
    house.use_policy(extra=track("on", AGAINST_THE_CHAMPION, ", undo_for: 2h"))
    request = house.asked(house.register(metrics={"mae": 30.0}, measured_on=AUTUMN))
    at_first = label(house, request, "roll_back")

    pass_time(house, timedelta(hours=1, minutes=59))
    still = label(house, request, "roll_back")
    pass_time(house, timedelta(minutes=2))

    assert (at_first, still) == ("Undo", "Undo")
    assert label(house, request, "roll_back") == "Roll back"
    assert house.unfinished() == []


def test_undo_takes_the_target_back_and_the_decision_stands(house: House) -> None:
    house.use_policy(extra=track("on"))
    house.asked()
    second = house.asked()
    house.click("ben", second, "roll_back")
    house.slack.submit_view("ben", {"reason": "predictions drifted"})

    house.settle()

    assert house.champion() == 1
    assert (house.reread(second).state, house.ticket_status(second)) == (State.APPLIED, "Done")
    assert "roll_back" not in house.card(second).buttons
    assert house.card(second).all_text.count("Let through by the fast track") == 1


def test_whoever_votes_after_the_fast_track_is_told_that_it_was_quicker(with_champion: House) -> None:
    house = with_champion
    request = house.asked(house.register(metrics={"mae": 30.0}, measured_on=AUTUMN))
    late = house.slack.click_payload("ana", CHANNEL, house.card(request).ts, "roll_back")
    late["actions"][0]["action_id"] = "approve"  # type: ignore[index]

    house.slack.send(late)

    assert f"The fast track was quicker: {request.version} for alias:champion is approved." in house.whispered("ana")
    assert "Your click changed nothing." in house.whispered("ana")
    assert house.happened(VoteCast) == []


def test_a_vote_that_has_opened_is_never_taken_over_by_the_fast_track(house: House) -> None:
    """A second worker reads the evidence so slowly that the first has opened the vote meanwhile."""
    house.use_policy(extra=track("on"))
    request = ask_in_words(house, house.register())
    switch(house, on=False)

    def meanwhile() -> None:
        house.settle()
        switch(house, on=True)

    freeze_evidence(request.id, replace(house.s, registry=slowly(house.s.registry, meanwhile)))

    assert house.reread(request).state is State.PENDING
    assert house.happened(FastTrackJudged, RequestApproved) == ["FastTrackJudged"]
    assert {"approve", "reject"} <= set(house.card(request).buttons)
