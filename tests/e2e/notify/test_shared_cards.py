"""Many requests at once share one card in their channel: a list with a line for each, whose own cards are in its thread."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest
import sqlalchemy as sa

from bot.domain.calm.grouping import is_listed
from bot.domain.events import CardPosted
from bot.domain.model import Kind, State, TransitionRequest
from bot.sandbox.slack import Message
from bot.sandbox.slack.wire import every_object
from bot.store.calm.groups import GroupRows
from bot.store.tables import sendings
from handlers.notify.card_and_ticket import sync_card
from handlers.notify.grouped.lists import sync_group
from tests.e2e.notify.test_calls import LEADS, called_in
from tests.fixtures.installation import CHANNEL, Installation, policy_text
from tests.fixtures.mortal import Killed, Once, with_fate

EIGHT = 8
ANA, BEN = "U0ANA000001", "U0BEN000002"
HOW_FAR = re.compile(r"Waiting for votes: (\d+) of (\d+)\. Being prepared: (\d+)\. Over: (\d+)\.")


def ask_for(installation: Installation, count: int, first: int = 0, user: str = "bea") -> None:
    """So many models at once, as after a registration in bulk: nothing is swept before all are there."""
    for number in range(first, first + count):
        model = f"{installation.model}-{number}"
        version = installation.register(model=model, user=user)
        installation.mlflow.set_registered_model_alias(model, "candidate", str(version))


def asked_at_once(installation: Installation, count: int = EIGHT) -> list[TransitionRequest]:
    ask_for(installation, count)
    installation.sweep()
    installation.settle_all()
    return installation.requests()


def lists(installation: Installation) -> list[Message]:
    said = [one for one in installation.slack.messages(CHANNEL) if not one.is_reply and not one.is_tombstone]
    return [one for one in said if HOW_FAR.search(one.all_text)]


def counts(message: Message) -> tuple[int, ...]:
    found = HOW_FAR.search(message.all_text)
    assert found is not None
    return tuple(int(number) for number in found.groups())


def in_the_channel(installation: Installation) -> list[Message]:
    return [one for one in installation.cards() if "approve" in one.buttons]


def open_button(request: TransitionRequest) -> str:
    return f"open_card.{request.id[:16]}"


def below(message: Message, installation: Installation) -> list[Message]:
    return [one for one in installation.slack.messages(CHANNEL) if one.is_reply and one.thread_ts == message.ts]


def test_eight_at_once_are_one_list_that_calls_once_and_their_cards_are_in_its_thread(
    installation: Installation,
) -> None:
    requests = asked_at_once(installation)
    (shared,) = lists(installation)
    cards = [installation.reread(one).card for one in requests]

    assert len(requests) == EIGHT
    assert counts(shared) == (EIGHT, EIGHT, 0, 0)
    assert [name for name in shared.buttons if name.startswith("open_card.")] == [open_button(one) for one in requests]
    assert all(f"{one.version.model} v1 → champion" in shared.all_text for one in requests)
    assert {card.thread for card in cards if card} == {shared.ts}
    assert len(below(shared, installation)) == EIGHT
    assert in_the_channel(installation) == []
    assert [who for _, who in installation.slack.workspace.notified] == [LEADS]
    assert [called_in(one) for one in below(shared, installation)] == [[]] * EIGHT
    assert all(installation.reread(one).ticket for one in requests)
    assert installation.happened(CardPosted) == ["CardPosted"] * EIGHT
    assert installation.unfinished() == []


def test_a_vote_on_a_card_in_the_thread_counts_and_the_list_says_so(installation: Installation) -> None:
    first, second, *others = asked_at_once(installation)

    installation.approve(first)
    installation.reject(second, "worse on rainy days")
    installation.settle_all()

    (shared,) = lists(installation)
    assert [installation.reread(one).state for one in (first, second)] == [State.APPLIED, State.REJECTED]
    assert counts(shared) == (EIGHT - 2, EIGHT, 0, 2)
    assert {open_button(first), open_button(second)} & set(shared.buttons) == set()
    assert struck_in(shared) == {f"{one.version.model} v1 → champion" for one in (first, second)}
    assert installation.mlflow.get_registered_model(first.version.model).aliases["champion"] == "1"
    assert len([name for name in shared.buttons if name.startswith("open_card.")]) == len(others)
    assert installation.ledger_fault() is None


def struck_in(message: Message) -> set[str]:
    parts = every_object(list(message.blocks))
    return {str(one["text"]) for one in parts if dict(one.get("style") or {}).get("strike")}  # type: ignore[call-overload]


def test_open_leads_to_the_card_and_brings_its_details_and_decides_nothing(installation: Installation) -> None:
    request, *_ = asked_at_once(installation)
    (shared,) = lists(installation)
    before = installation.reread(request).votes

    installation.slack.click("cy", CHANNEL, shared.ts, open_button(request))
    installation.settle_all()

    card = installation.reread(request).card
    assert card is not None
    assert card.url in installation.told_privately("cy")
    details = [one for one in below(shared, installation) if "Details: " in one.all_text]
    assert [request.version.model in one.all_text for one in details] == [True]
    assert installation.reread(request).votes == before == ()


@pytest.mark.proof
def test_a_button_of_another_list_or_another_request_opens_nothing(installation: Installation) -> None:
    request, *_ = asked_at_once(installation)
    (shared,) = lists(installation)
    card = installation.card(request)

    installation.slack.click("cy", CHANNEL, shared.ts, open_button(request), forged_ts=card.ts)
    installation.slack.click("cy", CHANNEL, shared.ts, open_button(request), value="0" * 32)

    told = installation.told_privately("cy")
    assert "This button is not on the newest list" in told
    assert 'There is no request "0000' in told


def test_five_at_once_and_those_that_come_one_by_one_have_their_own_cards(installation: Installation) -> None:
    asked_at_once(installation, 5)

    assert lists(installation) == []
    assert len(in_the_channel(installation)) == 5
    assert len(installation.slack.workspace.notified) == 5


@pytest.mark.proof
def test_a_rule_may_say_never_and_a_smaller_number(installation: Installation) -> None:
    installation.activate(policy_of(installation, "never"))
    asked_at_once(installation, 6)
    alone = len(in_the_channel(installation))
    installation.activate(policy_of(installation, "2"))
    ask_for(installation, 3, first=6)
    installation.sweep()
    installation.settle_all()

    assert alone == 6
    assert [counts(one) for one in lists(installation)] == [(3, 3, 0, 0)]


def policy_of(installation: Installation, group_above: str) -> str:
    usual = policy_text(f"{installation.model}*")
    return usual.replace('"#model-approvals"}', f'"#model-approvals", group_above: {group_above}}}', 1)


@pytest.mark.proof
def test_a_move_by_hand_keeps_its_own_card_whatever_else_comes_at_once(installation: Installation) -> None:
    ask_for(installation, EIGHT)
    moved = installation.register()
    installation.ask(moved, alias="champion")
    installation.sweep()
    installation.settle_all()

    (card,) = in_the_channel(installation)
    (shared,) = lists(installation)
    assert "Moved without an approval" in card.all_text
    assert counts(shared)[1] == EIGHT
    assert [who for _, who in installation.slack.workspace.notified] == [LEADS] * 2


@pytest.mark.parametrize("fault", ["cut", pytest.param("malformed", marks=pytest.mark.proof)])
def test_a_list_whose_post_got_no_answer_is_adopted_and_none_comes_twice(
    installation: Installation, fault: str
) -> None:
    installation.slack.faults.add(fault, "/api/chat.postMessage")
    requests = asked_at_once(installation)

    assert len(lists(installation)) == 1
    assert all(installation.reread(one).card for one in requests)
    assert len(below(lists(installation)[0], installation)) == EIGHT


@pytest.mark.proof
def test_run_again_late_and_twice_nothing_new_is_posted(installation: Installation) -> None:
    requests = asked_at_once(installation)
    before = installation.slack.messages(CHANNEL)
    group = group_of(requests, installation)

    for _ in range(2):
        sync_group(group, installation.s)
        for request in requests:
            sync_card(request.id, installation.s)
    installation.settle_all()

    assert [one.ts for one in installation.slack.messages(CHANNEL)] == [one.ts for one in before]


def group_of(requests: Sequence[TransitionRequest], installation: Installation) -> str:
    with installation.s.store.transaction() as tx:
        found = {group.id for one in requests if (group := GroupRows(tx.connection).of(one.id))}
    (group,) = found
    return group


@pytest.mark.proof
def test_a_list_that_was_deleted_comes_back_without_a_call_and_its_cards_stay(installation: Installation) -> None:
    requests = asked_at_once(installation)
    (shared,) = lists(installation)
    installation.slack.workspace.remove(shared)
    installation.sweep("look_at_cards")
    installation.settle_all()

    (again,) = lists(installation)
    installation.approve(requests[0])
    assert again.ts != shared.ts
    assert called_in(again) == []
    assert installation.reread(requests[0]).state is State.APPLIED


def notified(installation: Installation) -> list[str]:
    return [who for _, who in installation.slack.workspace.notified]


def settled(installation: Installation) -> None:
    installation.sweep()
    installation.settle_all()


@pytest.mark.proof
def test_who_is_needed_for_a_request_that_joins_later_is_called_too_and_each_once(installation: Installation) -> None:
    installation.activate(pair_policy(installation))
    ask_for(installation, 3, user="ana")
    settled(installation)
    first = notified(installation)
    ask_for(installation, 1, first=3, user="ben")
    settled(installation)
    ask_for(installation, 1, first=4, user="ben")
    ask_for(installation, 1, first=5, user="ana")
    settled(installation)
    sync_group(group_of(installation.requests(), installation), installation.s)

    assert len(lists(installation)) == 1
    assert first == [BEN]
    assert notified(installation) == [BEN, ANA]


def test_a_call_is_made_once_although_its_worker_dies_and_more_people_are_needed_meanwhile(
    installation: Installation,
) -> None:
    installation.activate(pair_policy(installation))
    ask_for(installation, 3, user="ana")
    ask_for(installation, 1, first=3, user="ben")
    settled(installation)
    group, requests = group_of(installation.requests(), installation), installation.requests()
    assert sorted(notified(installation)) == [ANA, BEN]
    forget_calls(installation, requests[:3], group, "ben")

    with pytest.raises(Killed):
        sync_group(group, with_fate(installation.s, Once("after post")))
    forget_calls(installation, requests[3:], group, "ana")
    sync_group(group, installation.s)
    sync_group(group, installation.s)
    sync_group(group, installation.s)

    assert notified(installation)[2:] == [BEN, ANA]


def forget_calls(installation: Installation, requests: Sequence[TransitionRequest], group: str, person: str) -> None:
    """As if these requests had joined only now."""
    keys = [f"called:{one.id}" for one in requests] + [f"called:group:{group}:0:person:{person}@example.com"]
    with installation.s.store.transaction() as tx:
        assert tx.connection.execute(sa.delete(sendings).where(sendings.c.key.in_(keys))).rowcount == len(keys)
        replies = sa.and_(sendings.c.key.startswith("group-call:"), sendings.c.done_at.is_not(None))
        tx.connection.execute(sa.delete(sendings).where(replies))


@pytest.mark.proof
def test_who_had_voted_is_called_again_when_the_renewed_card_is_on_a_list(installation: Installation) -> None:
    """Several renewals at once are still one call."""
    installation.activate(shared_from(installation, quorum=2))
    requests = asked_at_once(installation, 3)
    for request in requests[:2]:
        installation.approve(request, "ana")
        other = installation.register(model=request.version.model)
        installation.mlflow.set_registered_model_alias(request.version.model, "champion", str(other))
    settled(installation)
    moved = [one for one in installation.requests() if one.kind is Kind.OBSERVED]
    renewed = [one for one in installation.requests() if one.follows in {before.id for before in requests}]

    assert (len(moved), len(renewed)) == (2, 2)
    assert all(is_listed(one) for one in renewed)
    assert notified(installation) == [LEADS] * (1 + 2 + 1)  # the list, each move by hand, and who has to vote again


def pair_policy(installation: Installation) -> str:
    """Ana and Ben decide, neither of them on what is their own."""
    people = "pair: {people: [ana@example.com, ben@example.com]}"
    return shared_from(installation, groups=people, all_of="[{group: pair, quorum: 1}]")


def shared_from(installation: Installation, **choices: Any) -> str:
    """Three at once share a card."""
    text = policy_text(f"{installation.model}*", **choices)
    return text.replace('"#model-approvals"}', '"#model-approvals", group_above: 2}', 1)


@pytest.mark.proof
def test_two_hundred_at_once_are_one_readable_list_and_each_has_its_card(installation: Installation) -> None:
    requests = asked_at_once(installation, 200)
    (shared,) = lists(installation)

    assert counts(shared) == (200, 200, 0, 0)
    assert len([name for name in shared.buttons if name.startswith("open_card.")]) == 30
    assert "And 170 more requests are not on this list." in shared.all_text
    assert in_the_channel(installation) == []
    assert len(below(shared, installation)) == 200
    assert [who for _, who in installation.slack.workspace.notified] == [LEADS]
    installation.approve(requests[-1])
    assert installation.reread(requests[-1]).state is State.APPLIED
