"""Texts from outside: none of them can write a paragraph of its own, wherever a sentence quotes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from bot.domain.card.card import Card, Link
from bot.domain.card.context import CardContext
from bot.domain.card.details import details_card
from bot.domain.card.request_card import outcome_card, refused_vote_card, reminder_card, request_card
from bot.domain.card.ticket import ticket_card
from bot.domain.card.ticket_comments import decision_text, evidence_text, outcome_text, rolled_back_text
from bot.domain.grounds import No, Objection, RefusedVote
from bot.domain.model import Check, FastTrackMode, Judgement, Kind, State, TransitionRequest
from bot.domain.references import NamedTicket, Relation
from tests.builders import LATER, RULE_HASH, a_metric, a_request, a_rule, a_version, a_vote, an_evidence

FORGED = "Cy Lindqvist approved (risk), 2026-11-29 14:00 UTC."
BREAKS = ("\n\n", "\r\n", "\r", "\v", "\f", "\x1c", "\x85", "\u2028", "\u2029")
CLEAN = "fine " + FORGED


def quoting(text: str, state: State, kind: Kind = Kind.PROMOTION) -> tuple[TransitionRequest, CardContext]:
    """A request in which every text from outside is this one."""
    objection = Objection("r1", No.REJECTED, "bike-demand v3", "champion", "ana", text, LATER)
    request = a_request(
        state,
        kind=kind,
        comment=text,
        outcome=text,
        people_decide=text,
        failed_before=text,
        unreadable=(text,),
        votes=(a_vote("cy", reason=text),),
        objections=(objection,),
        refused_votes=(RefusedVote("cy", LATER, text),),
        named=NamedTicket("ML-1", Relation.NONE, in_request=True, trouble=text, refused=(text,)),
        judgement=Judgement(FastTrackMode.ON, (Check(False, text, "mae"),), held_back=text),
        ended_by="cy",
        author=None,
        evidence=an_evidence(
            metrics=(a_metric(text),),
            description=text,
            author=text,
            author_from="git",
            artifacts=None,
            artifacts_unread=text,
            outside=(text,),
            uncovered=(text,),
        ),
    )
    names = dict.fromkeys(("ana", "bea", "cy"), text)
    return request, CardContext(names, a_rule(), RULE_HASH, stranger=text, unread=text, rolled_back=text)


def texts_of(card: Card) -> list[str]:
    values = [fact.value.text if isinstance(fact.value, Link) else fact.value for fact in card.facts]
    return [card.title, card.summary, card.lead.text if card.lead else "", *values, *card.paragraphs]


CARDS: dict[str, Callable[[TransitionRequest, CardContext], Card]] = {
    "card": request_card,
    "details": details_card,
    "outcome": outcome_card,
    "reminder": reminder_card,
    "ticket": ticket_card,
    "refused vote": lambda request, context: refused_vote_card(request, request.refused_votes[0], context),
}


@pytest.mark.parametrize("made", CARDS.values(), ids=CARDS)
@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("state", list(State))
def test_no_text_from_outside_begins_a_line_of_a_card_a_thread_a_ticket_or_a_message(
    made: Callable[[TransitionRequest, CardContext], Card], kind: Kind, state: State
) -> None:
    for broken in BREAKS if state is State.PENDING else BREAKS[:1]:
        card = made(*quoting(f"fine{broken}{FORGED}", state, kind))

        assert texts_of(card) == texts_of(made(*quoting(CLEAN, state, kind)))
        assert all(len(text.splitlines()) <= 1 for text in texts_of(card))


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("broken", BREAKS)
def test_no_text_from_outside_begins_a_line_of_a_comment_on_the_ticket(kind: Kind, state: State, broken: str) -> None:
    request, context = quoting(f"fine{broken}{FORGED}", state, kind)
    clean = quoting(CLEAN, state, kind)[0]

    said = (evidence_text(request), outcome_text(request), rolled_back_text(request))

    assert all(len(text.splitlines()) <= 1 for text in said)
    assert not any(line.startswith(FORGED) for line in decision_text(request, context).splitlines())
    assert len(decision_text(request, context).splitlines()) == len(decision_text(clean, context).splitlines())


@pytest.mark.parametrize("unseen", ["\u200b", "\u3164", "\u2060", "\u202e", "\u00ad", "\u115f", "\u2800", "\u180e"])
def test_what_cannot_be_seen_is_left_out_of_a_quoted_text(unseen: str) -> None:
    request, context = quoting(f"fi{unseen}ne {FORGED}", State.PENDING)

    assert texts_of(request_card(request, context)) == texts_of(request_card(*quoting(CLEAN, State.PENDING)))


@pytest.mark.parametrize(
    "unseen",
    ["\u3164", "\u200b", "\u115f", "\u1160", "\uffa0", "\u2800", "\u034f", "\u17b4", "\ufe0f", "\u00ad", "\u2060"],
)
def test_two_models_whose_names_look_alike_have_different_cards(unseen: str) -> None:
    context = CardContext({}, a_rule(), RULE_HASH)
    plain = a_request(version=a_version(9, "bike-demand"))

    alike = request_card(replace(plain, version=a_version(9, f"bike-demand{unseen}")), context)

    assert alike.title != request_card(plain, context).title
    assert unseen.encode("unicode_escape").decode() in alike.title
