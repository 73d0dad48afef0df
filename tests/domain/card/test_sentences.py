"""The very sentences that people read, state by state."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.card.card import Card, Link
from bot.domain.card.request_card import request_card
from bot.domain.card.sentences import CardContext
from bot.domain.model import Ask, AskKind, State, TransitionRequest
from bot.domain.policy.rules import UnknownRequester
from tests.builders import (
    BY_ALIAS,
    LATER,
    RULE_HASH,
    a_champion,
    a_rejection,
    a_request,
    a_rule,
    a_version,
    a_vote,
    an_observed,
)

NAMES = {"ana": "Ana Ruiz", "bea": "Bea Baker", "cy": "Cy Lindqvist", "dan": "Dan Achterberg"}
PRINTED = CardContext(NAMES, a_rule({"leads": 1, "risk": 1}), RULE_HASH)
BOTH = (a_vote("cy", "leads"), a_vote("dan", "risk", at=LATER + timedelta(minutes=5)))


def facts_of(card: Card) -> dict[str, str | Link]:
    return {fact.label: fact.value for fact in card.facts}


APPROVED = {"votes": BOTH}
PUT_BACK = {"settled_at": LATER, "settled_by_us": True, "settled_holder": a_version(5)}
REJECTED = {"votes": (a_rejection(),), "outcome": "worse on rainy days"}
STORIES = [
    (a_request(State.COLLECTING), "Collecting evidence", "The evidence is being collected; the vote opens after that."),
    (a_request(), "Approval needed", "Needs 2 approvals: 1 of leads, 1 of risk."),
    (
        a_request(State.APPROVED, **APPROVED),
        "Approved, waiting for the registry",
        "champion moves as soon as the registry answers.",
    ),
    (
        a_request(State.APPLIED, previous=a_champion().version),
        "Approved",
        "bike-demand v7 has been champion since 2026-03-02 13:00 UTC; it replaced bike-demand v5.",
    ),
    (a_request(State.APPLIED), "Approved", "bike-demand v7 has been champion since 2026-03-02 13:00 UTC."),
    (a_request(State.REJECTED, **REJECTED), "Rejected", "bike-demand v7 does not become champion."),
    (
        a_request(State.EXPIRED, outcome="nobody decided in time. Ask again when it is still wanted"),
        "Expired",
        "nobody decided in time. Ask again when it is still wanted.",
    ),
    (
        a_request(State.WITHDRAWN, outcome="bike-demand v7 no longer asks by alias candidate"),
        "Withdrawn",
        "bike-demand v7 no longer asks by alias candidate.",
    ),
    (
        a_request(State.SUPERSEDED, outcome="bike-demand v8 asks for alias:champion too and is newer"),
        "Superseded",
        "bike-demand v8 asks for alias:champion too and is newer.",
    ),
    (
        a_request(State.STALE, outcome="alias:champion is held by bike-demand v6 now"),
        "Approved, but not applied",
        "alias:champion is held by bike-demand v6 now.",
    ),
    (
        an_observed(),
        "Moved without an approval",
        "Needs 2 votes to ratify: 1 of leads, 1 of risk.",
    ),
    (an_observed(State.APPLIED), "Ratified", "bike-demand v7 stays champion."),
    (an_observed(State.REJECTED, **REJECTED), "To be put back", "champion goes back to bike-demand v5."),
    (
        an_observed(State.REJECTED, **REJECTED, **PUT_BACK),
        "Put back",
        "champion went back to bike-demand v5.",
    ),
    (
        an_observed(State.REJECTED, outcome="the rule puts it back", **PUT_BACK),
        "Put back",
        "champion went back to bike-demand v5: the rule puts it back.",
    ),
    (
        an_observed(State.REJECTED, settled_at=LATER, settled_holder=a_version(9)),
        "Rejected",
        "champion is held by bike-demand v9 now; Countersign did not move it.",
    ),
    (
        an_observed(State.REJECTED, previous=None),
        "To be put back",
        "champion is removed from bike-demand v7 and is unassigned, as before.",
    ),
    (
        a_request(State.CALLED_OFF, outcome="The test data leaked.", ended_by="ana", ended_at=LATER),
        "Approved, and called off",
        "Called off by Ana Ruiz on 2026-03-02 13:00 UTC: The test data leaked. Countersign does not move champion.",
    ),
    (
        an_observed(State.CALLED_OFF, outcome="It leaks", ended_at=LATER),
        "Ratified, and called off",
        "Called off on 2026-03-02 13:00 UTC: It leaks. bike-demand v7 keeps champion without an approval.",
    ),
    (
        an_observed(State.REJECTED, ask=Ask(AskKind.ADOPTED)),
        "Rejected",
        "bike-demand v7 stays champion, without an approval.",
    ),
]


@pytest.mark.parametrize(
    ("request_", "title", "story"), STORIES, ids=lambda value: "" if isinstance(value, str) else None
)
def test_every_state_has_its_title_and_its_sentence(request_: TransitionRequest, title: str, story: str) -> None:
    card = request_card(request_, PRINTED)

    what = "promote bike-demand v7 to champion" if title == "Approval needed" else "bike-demand v7 → champion"
    assert card.title == f"{title}: {what}"
    assert card.summary.startswith(f"{card.title}. ")
    assert card.summary.endswith(story)
    assert card.paragraphs[-1] == story


def test_every_state_is_among_the_sentences() -> None:
    assert {request.state for request, _, _ in STORIES} == set(State)


def test_an_unknown_requester_can_make_the_card_wait_for_one_more() -> None:
    rule = a_rule(unknown_requester=UnknownRequester.ONE_MORE)
    request = a_request(requester=None, ask=BY_ALIAS)

    card = request_card(request, CardContext(NAMES, rule))

    assert card.paragraphs[-1] == "Needs 2 approvals: 1 of leads, 1 more because the requester is unknown."
    assert facts_of(card)["Requested by"] == "unknown (in the registry)"


def test_a_vote_that_no_longer_counts_says_why() -> None:
    under_another_rule = a_vote("cy", rule_hash="sha256:0", reason="fine")
    asked_since = a_request(votes=(under_another_rule, a_vote("dan", "risk")), joined=("dan",))

    card = request_card(asked_since, PRINTED)

    assert card.paragraphs[-4:] == (
        "Cy Lindqvist approved, 2026-03-02 13:00 UTC. "
        "The rule has changed since, so this vote no longer counts. Reason: fine",
        "Dan Achterberg approved, 2026-03-02 13:00 UTC. "
        "They have asked for it themselves since, so this vote no longer counts.",
        "If approved: bike-demand v7 becomes champion.",
        "Needs 2 approvals: 1 of leads, 1 of risk.",
    )


def test_a_requester_who_became_known_can_leave_nothing_missing() -> None:
    rule = a_rule(unknown_requester=UnknownRequester.ONE_MORE)

    card = request_card(a_request(votes=(a_vote("cy"),)), CardContext(NAMES, rule, RULE_HASH))

    assert card.paragraphs[-1] == (
        "The votes that the rule demands are there; one more vote by anyone of its groups decides."
    )


def test_without_a_rule_nobody_is_asked_to_press_anything() -> None:
    card = request_card(a_request(), CardContext(NAMES, None))

    assert card.buttons == ()
    assert card.paragraphs[-1] == "No rule of the policy covers this target any more, so it cannot be decided."
