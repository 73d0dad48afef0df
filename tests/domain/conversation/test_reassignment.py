"""A request is handed to one person who may decide it; each other pick is refused with the reason."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.calm.mentions import missing
from bot.domain.card.card import Called, Mention
from bot.domain.card.context import CardContext
from bot.domain.card.request_card import request_card
from bot.domain.conversation import reassignment
from bot.domain.conversation.reassignment import Candidate, in_charge
from bot.domain.conversation.speakers import Speaker
from bot.domain.events import ReminderDue, RequestReassigned
from bot.domain.model import State, TransitionRequest
from bot.domain.policy.rules import Group
from bot.domain.request import lifecycle
from bot.errors import Refused
from tests.builders import LATER, RULE_HASH, a_request, a_rule, a_vote, after

RULE = a_rule({"leads": 2})
LEAD = Speaker("cy", ("leads",))
EVE = Candidate(Speaker("eve", ("leads",)), "Eve Frost")
CONTEXT = CardContext(
    {"cy": "Cy Lindqvist", "eve": "Eve Frost"},
    RULE,
    RULE_HASH,
    groups=(Group("leads", "ml-leads", ()),),
    in_charge=Mention(Called.PERSON, "eve@example.com", "Eve Frost"),
)


def handed(request: TransitionRequest, to: Candidate = EVE, note: str = "you know the rides") -> TransitionRequest:
    return after(request, reassignment.reassign(request, LEAD, to, note, (RULE, RULE_HASH), LATER))


def test_it_is_recorded_and_the_card_says_with_whom_it_is() -> None:
    request = handed(a_request())

    card = request_card(request, CONTEXT)

    assert in_charge(request) is not None
    assert any(
        "Cy Lindqvist asked Eve Frost to decide" in text and "you know the rides" in text for text in card.paragraphs
    )


@pytest.mark.parametrize(
    ("to", "said"),
    [
        (Candidate(Speaker("ana", ("leads",)), "Ana Ruiz"), "Ana Ruiz asked for this or trained the version"),
        (Candidate(Speaker("bea", ("leads",)), "Bea Baker"), "Bea Baker asked for this or trained the version"),
        (Candidate(Speaker("dan"), "Dan"), "only members of leads may decide this, and Dan is in none of them"),
        (Candidate(Speaker("abe", ("leads",)), "Abe"), "Abe has voted on this already"),
        (
            Candidate(Speaker("eve", ("leads",)), "Eve Frost", LATER + timedelta(days=9), "Ben"),
            "Eve Frost is away until .*, and Ben decides for them. Pick Ben",
        ),
    ],
    ids=["requester", "author", "in no group", "has voted", "away"],
)
def test_nobody_gets_it_who_may_not_decide_it(to: Candidate, said: str) -> None:
    with pytest.raises(Refused, match=said):
        handed(a_request(votes=(a_vote("abe"),)), to)


def test_it_is_not_handed_to_who_has_it_already() -> None:
    with pytest.raises(Refused, match="it is with Eve Frost already"):
        handed(handed(a_request()))


@pytest.mark.parametrize("state", [state for state in State if state is not State.PENDING])
def test_nothing_is_handed_over_before_or_after_the_vote(state: State) -> None:
    with pytest.raises(Refused):
        handed(a_request(state))


@pytest.mark.parametrize("by", [Speaker("ana", ("leads",)), Speaker("dan", ("strangers",))])
def test_only_those_who_may_vote_hand_it_over(by: Speaker) -> None:
    with pytest.raises(Refused, match=r"no say in who decides it|only people who may vote"):
        reassignment.reassign(a_request(), by, EVE, "", (RULE, RULE_HASH), LATER)


def test_the_first_reminder_is_theirs_and_the_next_is_for_all_again() -> None:
    request = after(handed(a_request()), [ReminderDue(LATER + timedelta(hours=4), a_request().id, 1)])
    later = after(request, [ReminderDue(LATER + timedelta(hours=8), request.id, 2)])

    first, second = missing(request, CONTEXT), missing(later, CONTEXT)

    assert [mention.key for mention in first] == ["eve@example.com"]
    assert [mention.key for mention in second] == ["ml-leads"]


def test_others_may_still_vote_and_it_is_with_nobody_once_they_have_voted_themselves() -> None:
    request = handed(a_request())
    (cast, *_) = lifecycle.cast_vote(request, a_vote("abe", "leads"), RULE, RULE_HASH)
    voted = after(request, lifecycle.cast_vote(request, a_vote("eve", "leads"), RULE, RULE_HASH))

    assert cast
    assert in_charge(voted) is None


def test_a_note_may_be_empty_but_not_endless() -> None:
    assert isinstance(reassignment.reassign(a_request(), LEAD, EVE, "", (RULE, RULE_HASH), LATER)[0], RequestReassigned)
    with pytest.raises(Refused, match="more than 1,000 characters"):
        handed(a_request(), note="x" * 1001)
