"""A no holds: what people said of a content is remembered under every name and number, until people say otherwise by their votes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.card.request_card import request_card
from bot.domain.card.sentences import CardContext
from bot.domain.grounds import No, Objection
from bot.domain.model import (
    Artifacts,
    DecidedBy,
    Evidence,
    FastTrackMode,
    Kind,
    State,
    Target,
    TargetKind,
    TransitionRequest,
    Verdict,
    VersionId,
)
from bot.domain.policy.rules import FastTrack, Threshold
from bot.domain.request import fast_track, lifecycle
from bot.domain.request.content import Content, content_of
from bot.domain.request.lifecycle import cast_vote, wants_reason
from bot.domain.request.objections import objections_to
from bot.errors import Refused
from tests.builders import LATER, NOON, RULE_HASH, a_rejection, a_request, a_rule, a_version, a_vote, after, an_evidence

DIGEST = "sha256:" + "5" * 64
A_NO = Objection("r1", No.REJECTED, "bike-demand v6", "champion", "ana", "It leaks the target.", NOON)
TRACK = FastTrack(FastTrackMode.ON, (Threshold("mae", False, threshold=40.0),))


def rejected(number: int = 6, **changes: Any) -> TransitionRequest:
    vote = a_rejection("ana", "It leaks the target.")
    usual = {"votes": (vote,), "outcome": vote.reason, "decided_by": DecidedBy.PEOPLE, "decided_at": LATER}
    return a_request(State.REJECTED, id=f"r{number}", version=a_version(number), **(usual | changes))


def a_rollback(away_from: VersionId, to: VersionId, **changes: Any) -> TransitionRequest:
    asked: dict[str, Any] = {"kind": Kind.ROLLBACK, "requester": "cy", "comment": "It drifts.", "id": "back"}
    return a_request(State.APPLIED, version=to, away_from=away_from, **(asked | changes))


@pytest.mark.parametrize(
    ("evidence", "content"),
    [
        (an_evidence(artifacts=Artifacts(DIGEST, 3, 900)), Content(DIGEST, "models:/m-1 5d3c9f21aa")),
        (an_evidence(artifacts=Artifacts(DIGEST, 0, 0)), Content("", "models:/m-1 5d3c9f21aa")),
        (an_evidence(artifacts=None, run_id=None), Content("", "models:/m-1")),
        (an_evidence(artifacts=None, source="", run_id="5d3c9f21aa"), Content("", "")),
        (
            an_evidence(artifacts=None, source="models:/bike/6", original_source="models:/m-1"),
            Content("", "models:/m-1 5d3c9f21aa"),
        ),
        (None, Content("", "")),
    ],
)
def test_content_is_the_files_and_where_they_come_from(evidence: Evidence | None, content: Content) -> None:
    assert content_of(evidence) == content


def test_a_no_of_people_is_remembered_with_who_why_and_when() -> None:
    (said,) = objections_to(a_request(), [rejected()], [])

    assert (said.how, said.version, said.target, said.person) == (No.REJECTED, "bike-demand v6", "champion", "ana")
    assert (said.reason, said.at) == ("It leaks the target.", LATER)


def test_what_the_rule_itself_put_back_was_no_word_of_people() -> None:
    assert objections_to(a_request(), [rejected(decided_by=DecidedBy.RULE, votes=())], []) == ()


def test_a_rollback_and_an_approval_that_a_person_called_off_are_noes_as_well() -> None:
    failed = a_request(State.APPLIED, id="r5", version=a_version(5), settled_at=LATER)
    back = a_rollback(a_version(5), a_version(4))
    approved = a_request(State.APPROVED, id="r6", version=a_version(6))
    ended = after(approved, lifecycle.call_off(approved, "ana", "Wrong data.", LATER))
    taken_away = after(approved, lifecycle.call_off(approved, "", "it no longer asks", LATER))

    said = objections_to(a_request(), [failed, ended], [failed, back])

    assert {(one.how, one.person, one.reason) for one in said} == {
        (No.ROLLED_BACK, "cy", "It drifts."),
        (No.CALLED_OFF, "ana", "Wrong data."),
    }
    assert objections_to(a_request(), [taken_away], []) == ()


@pytest.mark.parametrize(
    ("model", "source", "holds"),
    [
        ("prod.bike-demand", "models:/m-1", False),
        ("prod.bike-demand", "models:/m-2", True),
        ("bike-demand", "models:/m-1", True),
    ],
    ids=["a copy, to its original", "a copy, to another version", "a version registered twice"],
)
def test_a_rollback_from_a_copy_to_its_original_says_nothing_against_the_content(
    model: str, source: str, holds: bool
) -> None:
    target, failed = Target(TargetKind.MODEL, "prod.bike-demand"), a_version(3, model)
    read = an_evidence(source="models:/m-1", artifacts=None)
    applied = a_request(State.APPLIED, id="r3", version=failed, target=target, settled_at=LATER, evidence=read)
    back = a_rollback(failed, a_version(1), target=target, evidence=an_evidence(source=source, artifacts=None))

    said = objections_to(a_request(target=target), [applied], [applied, back])

    assert [one.reason for one in said] == (["It drifts."] if holds else [])


@pytest.mark.parametrize(
    ("days", "decided_by", "holds"),
    [(1, DecidedBy.PEOPLE, False), (-1, DecidedBy.PEOPLE, True), (1, DecidedBy.FAST_TRACK, True)],
)
def test_only_a_newer_approval_by_people_settles_a_no(days: int, decided_by: DecidedBy, holds: bool) -> None:
    approved = a_request(
        State.APPLIED, id="r8", version=a_version(8), decided_by=decided_by, decided_at=LATER + timedelta(days=days)
    )

    assert bool(objections_to(a_request(), [rejected(), approved], [])) is holds


@given(st.floats(min_value=0, max_value=40), st.booleans(), st.sampled_from(["", "r0"]))
def test_what_people_said_no_to_never_passes_the_fast_track_whatever_its_figures(
    mae: float, is_first: bool, lot: str
) -> None:
    request = a_request(version=a_version(1 if is_first else 9), objections=(A_NO,))
    evidence = an_evidence(metrics=(replace(an_evidence().metrics[0], value=mae),))

    judgement = fast_track.judge(request, evidence, TRACK, is_switched_on=True, lot=lot)
    without = fast_track.judge(replace(request, objections=()), evidence, TRACK, is_switched_on=True, lot=lot)

    assert (judgement.decides, without.decides) == (False, True)
    assert (
        "people said no to the same content before: bike-demand v6 was rejected for champion"
        in judgement.checks[0].sentence
    )


def test_people_may_approve_it_all_the_same_and_say_why() -> None:
    request, rule = a_request(objections=(A_NO,)), a_rule()

    assert wants_reason(request, Verdict.APPROVE, rule)
    with pytest.raises(Refused, match="reason to approve"):
        cast_vote(request, a_vote("cy"), rule, RULE_HASH)
    assert (
        after(request, cast_vote(request, a_vote("cy", reason="It does not leak."), rule, RULE_HASH)).state
        is State.APPROVED
    )


def test_the_card_says_what_was_said_by_whom_and_when() -> None:
    card = request_card(a_request(objections=(A_NO,)), CardContext({"ana": "Ana Ruiz"}, a_rule()))

    said = "Careful, the same content: bike-demand v6 was rejected for champion by Ana Ruiz on 2026-03-02 12:00 UTC: It leaks the target."
    assert card.lead is not None
    assert card.lead.text == said


@given(st.integers(0, 10_000), st.floats(min_value=0.05, max_value=0.95))
def test_the_draw_depends_on_the_lot_alone(number: int, share: float) -> None:
    track, evidence = replace(TRACK, sample_to_people=share), an_evidence()
    asked = [a_request(id=f"r{number}-{again}", version=a_version(again)) for again in (1, 2, 3)]

    drawn = {
        fast_track.judge(one, evidence, track, is_switched_on=True, lot=f"first {number}").held_back for one in asked
    }

    assert len(drawn) == 1
