"""Events become the request again: `evolve` knows every one of them, and `initial` where it begins."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain import events
from bot.domain.broken_glass import BrokenGlass
from bot.domain.conversation_state import Conversation, Question
from bot.domain.events import (
    ApprovalStale,
    AttestationSigned,
    EvidenceFound,
    EvidenceLost,
    EvidenceOutOfSight,
    FastTrackCompared,
    LossAcknowledged,
    ModelSigned,
    OwnAskApproved,
    RequestEvent,
    RequestOpened,
    SelfApprovalRefused,
    VoteSigned,
)
from bot.domain.model import StaleCause, State
from bot.domain.request.evolution import evolve, initial
from tests.builders import LATER, REQUEST_ID, a_request, a_vote, every_request_event, opened

ONLY_FOR_THE_RECORD = {
    FastTrackCompared,  # its parts are in the request already
    VoteSigned,  # so does the vote
    ModelSigned,  # so do the files
    SelfApprovalRefused,  # which was no vote
    OwnAskApproved,  # which the digest reports
    EvidenceLost,  # what is missing is in rows of its own, as long as it is looked for
    EvidenceFound,
    EvidenceOutOfSight,
    LossAcknowledged,
}


def test_the_builders_know_every_event_of_a_request() -> None:
    made = {type(event) for event in every_request_event()}

    known = {kind for kind in vars(events).values() if isinstance(kind, type) and issubclass(kind, RequestEvent)}
    assert made == known - {RequestEvent, AttestationSigned, RequestOpened}


@pytest.mark.parametrize(
    "event",
    [one for one in every_request_event() if type(one) not in ONLY_FOR_THE_RECORD],
    ids=lambda event: type(event).__name__,
)
@pytest.mark.parametrize("state", State)
def test_evolve_knows_every_event_in_every_state(state: State, event: RequestEvent) -> None:
    votes = (a_vote("dan", "heads"),)
    glass = BrokenGlass("eve", "before", LATER, "on-call", "leads", LATER, "sha256:9")
    asked = Conversation(questions=(Question(1, "cy", "why?", LATER),))
    before = a_request(
        state,
        outcome="before",
        frozen_by="inventory",
        frozen_until=LATER,
        votes=votes,
        glass=glass,
        conversation=asked,
    )

    request = evolve(before, event)

    assert request != before
    assert (request.id, request.version, request.target, request.kind) == (
        before.id,
        before.version,
        before.target,
        before.kind,
    )


def test_a_stale_approval_keeps_the_moment_of_its_decision() -> None:
    approved = a_request(State.APPROVED)

    event = ApprovalStale(LATER + timedelta(hours=5), REQUEST_ID, "it was moved", StaleCause.TARGET)
    stale = evolve(approved, event)

    assert (stale.decided_at, stale.outcome, stale.stale_cause) == (LATER, "it was moved", StaleCause.TARGET)


def test_an_opening_is_where_a_request_begins_and_changes_none_that_is_there() -> None:
    request = a_request()

    assert evolve(request, opened()) == request
    assert initial(opened()).state is State.COLLECTING
