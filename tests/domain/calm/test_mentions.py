"""People are mentioned at most once for each thing that happens to a request, whatever becomes of its message."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.calm.mentions import Occasion, call_key, call_keys, calls, escalated_to, missing
from bot.domain.card.card import Called, Mention
from bot.domain.card.context import CardContext
from bot.domain.model import State, TransitionRequest
from bot.domain.policy.rules import Escalate, Group
from tests.builders import NOON, RULE_HASH, a_request, a_rule, a_vote

LEADS = Group("leads", "ml-leads", ())
HEADS = Group("heads", None, ("dan@example.com", "eve@example.com"))
RULE = a_rule({"leads": 1}, escalate=Escalate(timedelta(hours=8), "heads"))
CONTEXT = CardContext({}, RULE, RULE_HASH, groups=(LEADS, HEADS), addresses=frozenset({"eve@example.com"}))
DAN = Mention(Called.PERSON, "dan@example.com", "dan@example.com")
EVENTS = ("post", "update", "post again", "details", "renew", "vote", "escalate", "remind", "list")


class Life:
    """A request's messages as the handlers send them, with what they note."""

    def __init__(self) -> None:
        self.request, self.earlier, self.noted = a_request(), list[TransitionRequest](), set[str]()
        self.is_grouped = False
        self.mentioned: list[tuple[str, Mention]] = []
        self.things = 0

    def happen(self, event: str) -> None:
        if event == "renew":
            before = replace(self.request, state=State.SUPERSEDED, renewed=True, superseded_by=f"{self.things}")
            self.earlier.insert(0, before)
            self.things += 1
            self.request = a_request(id=f"{self.things:032x}", follows=before.id)
        elif event == "vote":
            self.request = replace(self.request, votes=(a_vote("zoe", "others"),))
        elif event == "escalate":
            self.request = replace(self.request, escalated_at=NOON)
            self._call(call_key(self.request, Occasion.ESCALATION), escalated_to(self.request, CONTEXT, self.noted))
        elif event == "remind":
            self.request = replace(self.request, reminders=self.request.reminders + 1)
        elif event == "list":
            self.is_grouped = True
            self._call_by_card()
        else:
            self._call_by_card()

    def _call_by_card(self) -> None:
        noted, earlier = self.noted, self.earlier
        by_list = self.is_grouped and call_key(self.request, Occasion.CARD) not in noted
        if calls(self.request, CONTEXT, noted, earlier=earlier, is_grouped=self.is_grouped):
            self._call(call_key(self.request, Occasion.CARD), missing(self.request, CONTEXT))
        elif by_list:
            self.noted.add(call_key(self.request, Occasion.CARD))

    def _call(self, key: str, called: tuple[Mention, ...]) -> None:
        if called:
            self.noted.add(key)
            self.mentioned += [(key, one) for one in called]


@given(st.lists(st.sampled_from(EVENTS), max_size=40))
def test_whatever_happens_each_is_mentioned_once_for_each_thing(events: list[str]) -> None:
    life = Life()
    for event in events:
        life.happen(event)

    assert [times for times in Counter(life.mentioned).values() if times > 1] == []


def test_a_renewed_comparison_calls_nobody_again_unless_somebody_had_voted() -> None:
    unvoted = a_request(State.SUPERSEDED, id="a" * 32, renewed=True)
    voted = replace(unvoted, votes=(a_vote(),))
    noted = {call_key(unvoted, Occasion.CARD)}

    assert not calls(a_request(), CONTEXT, noted, earlier=[unvoted])
    assert calls(a_request(), CONTEXT, noted, earlier=[voted])
    assert calls(a_request(), CONTEXT, noted, earlier=[replace(unvoted, renewed=False)])


def test_a_chain_of_renewals_is_one_thing_up_to_the_one_that_was_voted_on() -> None:
    chain = [replace(a_request(State.SUPERSEDED, renewed=True), id=name * 32) for name in "abc"]
    chain[1] = replace(chain[1], votes=(a_vote(),))

    assert len(call_keys(a_request(), chain)) == 2


@pytest.mark.parametrize("request_", [a_request(State.COLLECTING), a_request(State.APPROVED)])
def test_nobody_is_called_before_the_vote_is_open_or_after_it(request_: TransitionRequest) -> None:
    assert not calls(request_, CONTEXT, ())
    assert missing(request_, CONTEXT) == ()


def test_an_escalation_calls_the_second_group_alone_without_the_parties_and_once() -> None:
    request = a_request(escalated_at=NOON)

    assert escalated_to(request, CONTEXT, ()) == (DAN,)
    assert escalated_to(request, CONTEXT, {call_key(request, Occasion.ESCALATION)}) == ()
    assert escalated_to(a_request(), CONTEXT, ()) == ()


def test_what_is_on_a_list_calls_nobody_by_itself() -> None:
    assert calls(a_request(), CONTEXT, ())
    assert not calls(a_request(), CONTEXT, (), is_grouped=True)
