"""Who asks is a stranger when neither the policy nor the notifier knows the address; the card and the ticket say so."""

from __future__ import annotations

import pytest

from bot.domain.card.request_card import request_card, ticket_card
from bot.domain.card.sentences import CardContext
from bot.domain.model import Kind, State
from bot.domain.request.askers import is_stranger
from tests.builders import RULE_HASH, a_policy, a_request, a_rule, a_version


@pytest.mark.parametrize(
    ("email", "account", "expected"),
    [
        ("x@example.com", None, True),
        ("x@example.com", "U0X", False),
        ("ana@example.com", None, False),
        ("cy@example.com", None, False),  # of a group, though not among the people
    ],
)
def test_a_stranger_is_known_neither_to_the_policy_nor_by_an_account(
    email: str, account: str | None, expected: bool
) -> None:
    assert is_stranger(email, account, a_policy()) is expected


@pytest.mark.parametrize("state", [State.PENDING, State.APPROVED, State.APPLIED])
@pytest.mark.parametrize("kind", list(Kind))
def test_the_card_of_what_a_stranger_asked_for_says_so_to_the_end(state: State, kind: Kind) -> None:
    request = a_request(state, kind=kind, away_from=a_version(8))
    context = CardContext({}, a_rule(), RULE_HASH, stranger="x@example.com")

    said = "Careful: x@example.com asked for this, and neither the policy nor Slack knows that address."

    card = request_card(request, context)
    assert said in " ".join((card.lead.text if card.lead else "", *card.paragraphs))
    assert said in ticket_card(request, context).paragraphs
