"""What a card says when a vote is missing that nobody is left to give."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.card.context import CardContext
from bot.domain.card.needs import needs_text
from bot.domain.card.request_card import request_card
from bot.domain.model import TransitionRequest
from bot.domain.policy.break_glass import BreakGlass
from bot.domain.policy.rules import Group, Rule, UnknownRequester
from bot.domain.request.needed import Away, Electorate
from tests.builders import BY_ALIAS, NOON, RULE_HASH, a_request, a_rule, an_observed

NAMES = {"ana": "Ana Ruiz", "ben": "Ben Okafor", "cy": "Cy Lindqvist"}
TWO = a_rule({"leads": 2})
ONE_MORE = a_rule({"leads": 1}, unknown_requester=UnknownRequester.ONE_MORE)
UNKNOWN = a_request(requester=None, ask=BY_ALIAS, author="ana")
ADD = "Add people to leads in the policy, or ask for fewer votes there."
ADD_ALONE = "Add people to leads in the policy."  # a rule cannot ask for fewer than one


def context(rule: Rule, *leads: str, risk: tuple[str, ...] = (), away: str = "") -> CardContext:
    """`away` has named ben."""
    groups = tuple(
        Group(name, None, tuple(f"{one}@example.com" for one in people))
        for name, people in {"leads": leads, "risk": risk}.items()
        if people
    )
    absent = {f"{away}@example.com": Away(NOON + timedelta(days=3), "ben@example.com")} if away else {}
    emails = {person: f"{person}@example.com" for person in (*NAMES, "bea")}
    return CardContext(NAMES, rule, RULE_HASH, groups=groups, electorate=Electorate(groups, emails, absent))


@pytest.mark.parametrize(
    ("request_", "shown", "said"),
    [
        pytest.param(
            a_request(),
            context(TWO, "ana", "ben"),
            f"Nobody is left to give 1 of leads: Ana Ruiz asked for it. {ADD} Until then only Reject can decide it.",
            id="the requester is in a group that has as many people as it needs",
        ),
        pytest.param(
            a_request(requester="cy", author="ana"),
            context(a_rule(), "ana"),
            f"Nobody is left to give 1 of leads: Ana Ruiz trained it. {ADD_ALONE} Until then nobody can decide it.",
            id="no member at all is left, also to reject",
        ),
        pytest.param(
            an_observed(author="ana", requester="ben"),
            context(TWO, "ana", "ben", "cy"),
            f"Nobody is left to give 1 of leads: Ana Ruiz trained it and Ben Okafor moved it. {ADD} "
            "Until then only Put back can decide it.",
            id="of a move by hand the buttons have other names",
        ),
        pytest.param(
            a_request(),
            context(a_rule({"leads": 1, "risk": 1}), "ana", "ben", risk=("ben",)),
            "Nobody is left to give 1 of the votes of leads and risk: Ana Ruiz asked for it. Each person counts for one group only. "
            "Add people to leads and risk in the policy. Until then only Reject can decide it.",
            id="one person cannot count for two groups",
        ),
        pytest.param(
            a_request(requester="cy"),
            context(TWO, "ana", "ben", away="ana"),
            "Nobody is left to give 1 of leads: Ana Ruiz is away until 2026-03-05 12:00 UTC. "
            "It waits for Ana Ruiz; after /countersign back they can vote at once. Otherwise the request ends first.",
            id="somebody is away until the request ends, and the delegate has one vote",
        ),
        pytest.param(
            a_request(requester="ana", expires_at=NOON + timedelta(days=4)),
            context(TWO, "ana", "ben", "cy", away="cy"),
            "Nobody is left to give 1 of leads: Ana Ruiz asked for it and Cy Lindqvist is away until 2026-03-05 12:00 UTC. "
            "It waits for Cy Lindqvist; after /countersign back they can vote at once.",
            id="of those who cannot vote only the one who is away is waited for",
        ),
        pytest.param(
            UNKNOWN,
            context(ONE_MORE, "ana", "ben"),
            "Nobody is left to give 1 more because the requester is unknown: Ana Ruiz trained it. "
            "If whoever asked says so with countersign request-transition, one vote less is needed. "
            f"{ADD_ALONE} Until then only Reject can decide it.",
            id="an unknown requester takes one vote more, and can say so",
        ),
        pytest.param(
            UNKNOWN,
            context(a_rule(unknown_requester=UnknownRequester.REFUSE), "ben"),
            "No one can approve it: the policy refuses that while it is not known who asked. "
            "Whoever did can say so with countersign request-transition.",
            id="the policy refuses an unknown requester",
        ),
        pytest.param(
            a_request(author=None),
            context(a_rule(unknown_requester=UnknownRequester.REFUSE), "ben"),
            "No one can approve it: the policy refuses that while it is not known who trained the version. "
            "Add the author to people in the policy, and ask again with countersign request-transition.",
            id="the policy refuses an unknown author",
        ),
    ],
)
def test_the_card_says_that_nobody_is_left_and_why_and_what_to_do(
    request_: TransitionRequest, shown: CardContext, said: str
) -> None:
    assert needs_text(request_, shown).endswith(said)
    assert any(said in paragraph for paragraph in request_card(request_, shown, calls=True).paragraphs)


def test_where_the_rule_allows_it_breaking_the_glass_is_a_way_on() -> None:
    glass = BreakGlass("on-call", "leads", timedelta(days=2))

    said = needs_text(a_request(), context(a_rule({"leads": 2}, break_glass=glass), "ana", "ben"))

    assert "In an emergency, members of on-call may break the glass." in said


@pytest.mark.parametrize(
    ("request_", "shown"),
    [
        pytest.param(a_request(), context(TWO, "ana", "ben", "cy"), id="enough are left"),
        pytest.param(a_request(), CardContext(NAMES, TWO, RULE_HASH), id="nothing is known of who may vote"),
    ],
)
def test_while_somebody_may_be_left_the_card_says_only_what_is_needed(
    request_: TransitionRequest, shown: CardContext
) -> None:
    assert needs_text(request_, shown) == "Needs 2 approvals: 2 of leads."
