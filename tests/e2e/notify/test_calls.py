"""Those who are to vote are called once, when there is something to vote on; everything else is in the card's thread, once."""

from __future__ import annotations

import pytest

from bot.domain.model import State
from bot.sandbox.slack.wire import every_object
from bot.sandbox.slack.workspace import Message
from handlers.notify.card_and_ticket import sync_card
from handlers.notify.details import show_details
from tests.e2e.request.test_unreadable_evidence import MINUTE, STORE_SAYS_NO, break_evidence_of, mend
from tests.fixtures.installation import Installation

LEADS = "S0MLLEADS00"


def called_in(message: Message) -> list[str]:
    return [str(part["usergroup_id"]) for part in every_object(list(message.blocks)) if "usergroup_id" in part]


def test_the_first_card_calls_and_neither_its_updates_nor_a_card_that_comes_back_call_again(
    installation: Installation,
) -> None:
    request = installation.asked()
    installation.settle_all()
    sync_card(request.id, installation.s)
    updated = installation.card(request)

    installation.slack.workspace.remove(updated)
    with installation.s.store.transaction() as tx:
        tx.defer("look_at_cards", "", "clock:look_at_cards", once=True)
    installation.settle_all()
    again = installation.card(request)

    assert [who for _, who in installation.slack.workspace.notified] == [LEADS]
    assert again.ts != updated.ts
    assert called_in(updated) == called_in(again) == []


@pytest.mark.proof
def test_the_details_are_in_the_thread_once_and_again_under_a_card_that_came_back(installation: Installation) -> None:
    request = installation.asked()
    installation.settle_all()
    show_details(request.id, installation.s)
    first = [one for one in installation.thread(request) if "Details: " in one.all_text]

    installation.slack.workspace.remove(installation.card(request))
    with installation.s.store.transaction() as tx:
        tx.defer("look_at_cards", "", "clock:look_at_cards", once=True)
    installation.settle_all()

    assert len(first) == 1
    assert "Artifacts: " in first[0].all_text
    assert "Artifacts: " not in installation.card(request).all_text
    assert installation.details(request).count("Details: ") == 1


@pytest.mark.proof
def test_a_card_that_came_before_the_evidence_calls_in_its_thread_once_the_vote_is_open(
    installation: Installation,
) -> None:
    number = installation.register()
    registry = break_evidence_of(installation, number, STORE_SAYS_NO)
    request = installation.asked(number)
    before = list(installation.slack.workspace.notified)
    mend(installation, registry)

    installation.clock.ahead += MINUTE
    installation.sweep("tell_waiting")
    installation.settle_all()

    assert installation.reread(request).state is State.PENDING
    assert before == []
    assert [called_in(message) for message in installation.thread(request)] == [[LEADS]]
    assert called_in(installation.card(request)) == []
