"""A card that was deleted in Slack, by a person or by how long messages are kept: it comes back once, and votes on it count."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

import pytest

from bot.domain.events import CardPosted, VoteRefused
from bot.domain.model import VOTE, Ask, AskKind, State, TransitionRequest
from bot.sandbox.slack import Message
from handlers.notify.card_and_ticket import sync_card
from handlers.request.asking import request_transition
from tests.fixtures.installation import CHANNEL, Installation


def delete(installation: Installation, request: TransitionRequest) -> Message:
    card = installation.card(request)
    installation.slack.workspace.remove(card)
    return card


def votable(installation: Installation) -> list[Message]:
    return [message for message in installation.cards() if "approve" in message.buttons]


def vote(installation: Installation, request: TransitionRequest) -> None:
    """It is on its way when the card is deleted."""
    installation.click("ana", request, "approve")


def ask_again(installation: Installation, request: TransitionRequest) -> None:
    said = (request.target, "cy@example.com", "where is it?", Ask(AskKind.COMMAND))
    request_transition(installation.model, request.version.version, *said, installation.s)


def ask_once_more(installation: Installation, request: TransitionRequest) -> None:
    """By somebody who asked before, so that nothing is recorded."""
    ask_again(installation, request)
    installation.settle()
    ask_again(installation, request)


def remind(installation: Installation, request: TransitionRequest) -> None:
    with installation.s.store.transaction() as tx:
        tx.defer("remind", request.id, f"slack:{request.id}")


def look(installation: Installation, _request: TransitionRequest) -> None:
    with installation.s.store.transaction() as tx:
        tx.defer("look_at_cards", "", "clock:look_at_cards", once=True)


@pytest.mark.parametrize(
    ("happens", "has_replies"),
    [
        (vote, False),
        (look, True),
        *(
            pytest.param(*one, marks=pytest.mark.proof)
            for one in ((ask_again, False), (ask_once_more, True), (remind, False), (remind, True))
        ),
    ],
)
def test_a_deleted_card_comes_back_once_whatever_happens_next(
    installation: Installation, happens: Callable[[Installation, TransitionRequest], None], has_replies: bool
) -> None:
    installation.use_policy(quorum=2)
    installation.sweep()
    request = installation.asked()
    if has_replies:
        installation.slack.say("ben", CHANNEL, "I will look at it", thread_ts=installation.card(request).ts)
    if happens is vote:
        vote(installation, request)

    gone = delete(installation, request)
    if happens is not vote:
        happens(installation, request)
    installation.settle_all()

    (card,) = votable(installation)
    assert card == installation.card(request)
    assert card.ts != gone.ts
    assert installation.unfinished() == []
    alone = [m for m in installation.slack.messages(CHANNEL) if not m.is_reply and not m.is_tombstone]
    assert [m.ts for m in alone if m.ts > gone.ts] == [card.ts]
    assert installation.reread(request).ticket is not None
    assert installation.happened(CardPosted) == ["CardPosted", "CardPosted"]


def test_votes_on_the_deleted_card_count_and_say_on_which_message_they_were_cast(installation: Installation) -> None:
    installation.use_policy(quorum=2)
    installation.sweep()
    request = installation.asked()
    installation.click("ana", request, "approve")
    gone = delete(installation, request)
    sync_card(request.id, installation.s)  # before the vote is signed

    installation.settle_all()
    installation.approve(request, "ben")
    installation.settle_all()

    assert installation.reread(request).state is State.APPLIED
    assert installation.champion() == request.version.version
    assert installation.happened(VoteRefused) == []
    pressed = pressed_messages(installation, request)
    assert pressed == [gone.ts, installation.card(request).ts]
    assert installation.ledger_fault() is None


def pressed_messages(installation: Installation, request: TransitionRequest) -> list[str]:
    """Of the signed votes, in their order."""
    with installation.s.store.transaction() as tx:
        signed = [json.loads(one.envelope) for one in tx.attestations.of(request.id) if one.about == VOTE]
    statements = [json.loads(base64.b64decode(one["payload"])) for one in signed]
    return [one["predicate"]["message"]["ts"] for one in statements]


def test_a_press_on_what_is_left_of_the_deleted_card_leads_to_the_new_one(installation: Installation) -> None:
    request = installation.asked()
    gone = delete(installation, request)
    look(installation, request)
    installation.settle_all()

    installation.slack.click("ana", CHANNEL, installation.card(request).ts, "approve", forged_ts=gone.ts)

    assert installation.reread(request).votes == ()
    card = installation.reread(request).card
    assert card is not None
    assert f"posted anew: {card.url}" in installation.told_privately("ana")


@pytest.mark.parametrize("fault", ["cut", "malformed"])
def test_a_card_whose_new_post_got_no_answer_comes_back_once(installation: Installation, fault: str) -> None:
    request = installation.asked()
    delete(installation, request)
    installation.slack.faults.add(fault, "/api/chat.postMessage")

    look(installation, request)
    installation.settle_all()

    assert [card.ts for card in votable(installation)] == [installation.card(request).ts]


def test_the_card_of_a_request_that_ended_undecided_stays_away_and_parks_nothing(installation: Installation) -> None:
    request = installation.asked()
    delete(installation, request)

    installation.mlflow.delete_registered_model_alias(installation.model, "candidate")
    installation.sweep()

    assert installation.reread(request).state is State.WITHDRAWN
    assert installation.cards() == []
    assert installation.unfinished() == []
