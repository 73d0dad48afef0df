"""A decision is signed only if it follows from what is on record."""

from __future__ import annotations

import pytest

from bot.domain.events import ApprovalCalledOff, VoteRefused
from bot.domain.model import DecidedBy, FastTrackMode, State, TransitionRequest
from bot.domain.request.proofs import fall_without_grounds, refuse_vote, why_not_decided
from tests.builders import LATER, a_judgement, a_rejection, a_request, a_rule, a_vote, after

APPROVED_ALONE = [
    a_request(State.APPROVED, decided_by=DecidedBy.PEOPLE),
    a_request(State.APPROVED, decided_by=DecidedBy.PEOPLE, votes=(a_vote("cy", rule_hash="sha256:other"),)),
    a_request(State.APPROVED, decided_by=DecidedBy.PEOPLE, votes=(a_vote("ana"),)),
    a_request(State.APPROVED, decided_by=DecidedBy.FAST_TRACK),
    a_request(State.APPROVED, decided_by=DecidedBy.FAST_TRACK, judgement=a_judgement(mode=FastTrackMode.SHADOW)),
    a_request(State.APPROVED, decided_by=DecidedBy.RULE),
]


@pytest.mark.parametrize("request_", APPROVED_ALONE)
def test_an_approval_that_nothing_on_record_supports_is_called_off(request_: TransitionRequest) -> None:
    (fell,) = fall_without_grounds(request_, a_rule(), LATER)

    assert isinstance(fell, ApprovalCalledOff)
    assert fell.reason.startswith("it was marked approved, but ")
    assert after(request_, [fell]).state is State.CALLED_OFF


def test_a_rejection_without_a_vote_is_not_signed() -> None:
    alone = a_request(State.REJECTED, decided_by=DecidedBy.PEOPLE)

    assert why_not_decided(alone, a_rule())
    assert fall_without_grounds(alone, a_rule(), LATER) == []


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
    assert why_not_decided(request_, a_rule()) == ""
    assert fall_without_grounds(request_, a_rule(), LATER) == []


def test_a_refused_vote_counts_no_longer_and_its_person_may_vote_again() -> None:
    vote, other = a_vote("cy"), a_vote("dan", "risk")
    pending = a_request(votes=(vote, other))

    refused = refuse_vote(pending, vote, "no signed request is on record", LATER)

    now = after(pending, refused)
    assert [type(event) for event in refused] == [VoteRefused]
    assert now.votes == (other,)
    assert [one.person for one in now.refused_votes] == ["cy"]
    assert refuse_vote(now, vote, "again", LATER) == []
