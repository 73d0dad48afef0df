"""A decision is signed only if it follows from what is on record."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.events import (
    AccountBound,
    AccountUnbound,
    ApprovalCalledOff,
    DecisionReopened,
    TicketAccountBound,
    TicketAccountUnbound,
    VoteRefused,
)
from bot.domain.model import DecidedBy, FastTrackMode, Kind, State, TransitionRequest
from bot.domain.policy.rules import FastTrack, Threshold
from bot.domain.request.proofs import (
    AccountChange,
    fall_without_grounds,
    is_account_of_voter,
    refuse_vote,
    why_not_decided,
)
from tests.builders import LATER, a_judgement, a_metric, a_rejection, a_request, a_rule, a_vote, after, an_evidence

BELOW_40 = Threshold("mae", greater_is_better=False, threshold=40)
RULE = a_rule(fast_track=FastTrack(FastTrackMode.ON, (BELOW_40,)))
JUDGED = {"decided_by": DecidedBy.FAST_TRACK, "judgement": a_judgement(mode=FastTrackMode.ON)}
APPROVED_ALONE = [
    a_request(State.APPROVED, decided_by=DecidedBy.PEOPLE),
    a_request(State.APPROVED, decided_by=DecidedBy.PEOPLE, votes=(a_vote("cy", rule_hash="sha256:other"),)),
    a_request(State.APPROVED, decided_by=DecidedBy.PEOPLE, votes=(a_vote("ana"),)),
    a_request(State.APPROVED, decided_by=DecidedBy.FAST_TRACK),
    a_request(State.APPROVED, decided_by=DecidedBy.FAST_TRACK, judgement=a_judgement(mode=FastTrackMode.SHADOW)),
    a_request(State.APPROVED, evidence=an_evidence(metrics=(a_metric("mae", 55.0),)), **JUDGED),  # a judgement made up
    a_request(State.APPROVED, decided_by=DecidedBy.RULE),
]


@pytest.mark.parametrize("request_", APPROVED_ALONE)
def test_an_approval_that_nothing_on_record_supports_is_called_off(request_: TransitionRequest) -> None:
    (fell,) = fall_without_grounds(request_, why_not_decided(request_, RULE), LATER, is_asked_anew=False)

    assert isinstance(fell, ApprovalCalledOff)
    assert fell.reason.startswith("it was marked approved, but ")
    assert after(request_, [fell]).state is State.CALLED_OFF


@pytest.mark.parametrize(
    "request_",
    [
        a_request(State.REJECTED, decided_by=DecidedBy.PEOPLE),
        a_request(State.REJECTED, decided_by=DecidedBy.PEOPLE, kind=Kind.OBSERVED),
        a_request(State.APPROVED, decided_by=DecidedBy.PEOPLE, kind=Kind.OBSERVED),
    ],
)
def test_a_decision_without_a_vote_that_nothing_else_would_ask_about_again_is_open_again(
    request_: TransitionRequest,
) -> None:
    (reopened,) = fall_without_grounds(request_, why_not_decided(request_, RULE), LATER, is_asked_anew=False)

    assert isinstance(reopened, DecisionReopened)
    now = after(request_, [reopened])
    assert (now.state, now.decided_at, now.decided_by, now.outcome) == (State.PENDING, None, None, "")


def test_a_rejection_without_a_vote_stays_unsigned_when_the_same_is_asked_again_by_now() -> None:
    alone = a_request(State.REJECTED, decided_by=DecidedBy.PEOPLE)

    assert fall_without_grounds(alone, why_not_decided(alone, RULE), LATER, is_asked_anew=True) == []


@pytest.mark.parametrize(
    "request_",
    [
        a_request(State.APPROVED, decided_by=DecidedBy.PEOPLE, votes=(a_vote("cy"),)),
        a_request(State.REJECTED, decided_by=DecidedBy.PEOPLE, votes=(a_rejection("cy"),)),
        a_request(State.APPROVED, decided_by=DecidedBy.FAST_TRACK, judgement=a_judgement(mode=FastTrackMode.ON)),
        a_request(State.PENDING),
    ],
)
def test_what_follows_from_the_record_stays(request_: TransitionRequest) -> None:
    assert why_not_decided(request_, RULE) == ""
    assert fall_without_grounds(request_, "", LATER, is_asked_anew=False) == []


def test_a_refused_vote_counts_no_longer_and_its_person_may_vote_again() -> None:
    vote, other = a_vote("cy"), a_vote("dan", "risk")
    pending = a_request(votes=(vote, other))

    refused = refuse_vote(pending, vote, "no signed request is on record", LATER)

    now = after(pending, refused)
    assert [type(event) for event in refused] == [VoteRefused]
    assert now.votes == (other,)
    assert [one.person for one in now.refused_votes] == ["cy"]
    assert refuse_vote(now, vote, "again", LATER) == []


ANA, BEN = "ana", "ben"
VOTE = a_vote(ANA)
EVER = VOTE.at + timedelta(days=365)  # by a clock that was fast: the ledger's order counts


@pytest.mark.parametrize(
    ("changes", "is_listed", "theirs"),
    [
        ([], False, False),
        ([], True, True),
        ([AccountBound(EVER, ANA, "U1", "policy")], False, True),
        ([TicketAccountBound(EVER, ANA, "U1", "policy")], False, True),
        ([AccountBound(EVER, BEN, "U1", "policy")], True, False),
        ([AccountBound(EVER, ANA, "U1", "policy"), AccountUnbound(VOTE.at, ANA, "U1")], True, False),
        ([AccountUnbound(EVER, ANA, "U1"), AccountBound(VOTE.at, BEN, "U1", "admin")], True, False),
        ([AccountUnbound(EVER, ANA, "U1")], True, False),
        ([TicketAccountBound(EVER, ANA, "U1", "policy"), TicketAccountUnbound(EVER, ANA, "U1")], False, False),
    ],
)
def test_the_last_entry_about_the_account_before_the_vote_says_whose_it_was(
    changes: list[AccountChange], *, is_listed: bool, theirs: bool
) -> None:
    assert is_account_of_voter(VOTE, changes, is_listed=is_listed) is theirs
