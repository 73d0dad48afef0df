"""When requests share a card: more than so many of one rule at once, never an urgent one, and never a list that could not be posted."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.clients.slack.blocks import MESSAGE_LIMIT, blocks_of, plain_blocks_of
from bot.clients.slack.rich_text import text_length
from bot.domain.calm.group_card import OVER_SHOWN, WAITING_SHOWN, Shown, count, group_card, with_a_line
from bot.domain.calm.grouping import FEWEST, GATHERS_FOR, CardGroup, Member, is_a_crowd, may_share, still_gathers
from bot.domain.card.context import CardContext
from bot.domain.model import Ask, AskKind, Kind, State, TransitionRequest
from bot.sandbox.slack.block_kit.validation import checked_blocks
from tests.builders import NOON, RULE_HASH, a_request, a_rule, a_version, an_observed

STATES = st.sampled_from(list(State))


@pytest.mark.parametrize(
    ("waiting", "alone", "is_crowd"), [(5, 0, False), (6, 0, True), (1, 9, False), (2, 4, True), (2, 3, False)]
)
def test_more_than_so_many_at_once_are_a_crowd_and_a_single_one_never_is(
    waiting: int, alone: int, is_crowd: bool
) -> None:
    assert is_a_crowd(waiting, alone, a_rule()) is is_crowd


def test_a_rule_that_groups_never_makes_no_crowd_of_any_number() -> None:
    assert not is_a_crowd(10_000, 10_000, a_rule(group_above=0))


@given(st.integers(0, 50), st.integers(0, 50), st.integers(1, 20))
def test_what_is_posted_alone_within_a_minute_is_never_more_than_the_rule_says(
    waiting: int, alone: int, above: int
) -> None:
    rule = a_rule(group_above=above)
    if waiting >= FEWEST and alone >= above:
        assert is_a_crowd(waiting, alone, rule)


@pytest.mark.parametrize(
    "urgent",
    [
        an_observed(),
        a_request(kind=Kind.ROLLBACK),
        a_request(ask=Ask(AskKind.UNDO)),
        a_request(expires_at=NOON + timedelta(hours=1)),
    ],
)
def test_rollbacks_moves_by_hand_and_what_ends_soon_have_their_own_card(urgent: TransitionRequest) -> None:
    assert not may_share(urgent, NOON)
    assert may_share(a_request(expires_at=NOON + timedelta(days=3)), NOON)


def test_a_list_takes_in_what_comes_within_a_minute_of_the_last_one() -> None:
    group = CardGroup("g1", "#ml", "bike-*", NOON, NOON)

    assert still_gathers(group, NOON + GATHERS_FOR - timedelta(seconds=1))
    assert not still_gathers(group, NOON + GATHERS_FOR)


@given(st.lists(STATES, max_size=120))
def test_open_votes_come_first_and_everything_left_out_is_counted(states: list[State]) -> None:
    members = [Member(f"{number:032x}", state, NOON) for number, state in enumerate(states)]
    by_id = {one.id: one for one in members}
    shown = [by_id[id_] for id_ in with_a_line(members)]
    counts = count(members)

    assert len({one.id for one in shown}) == len(shown) <= WAITING_SHOWN + OVER_SHOWN
    assert counts.all == len(members)
    if len(shown) < WAITING_SHOWN:
        assert {one.id for one in members if one.state.is_open} <= {one.id for one in shown}
    assert sorted(shown, key=lambda one: (one.state is not State.PENDING, not one.state.is_open))[:1] == shown[:1]


@given(st.lists(STATES, min_size=1, max_size=60), st.integers(1, 150))
def test_every_list_is_one_that_slack_takes_with_a_button_for_each_open_line(states: list[State], length: int) -> None:
    context = CardContext({}, a_rule(), RULE_HASH)
    requests = [
        replace(a_request(state), id=f"{number:032x}"[::-1], version=a_version(number + 1, "m" * length))
        for number, state in enumerate(states)
    ]
    by_id = {one.id: one for one in requests}
    members = [Member(one.id, one.state, one.opened_at, one.decided_at) for one in requests]
    shown = [Shown(by_id[id_], context) for id_ in with_a_line(members)]
    card = group_card("bike-* → alias:champion", shown, count(members))

    for blocks in (blocks_of(card), plain_blocks_of(card)):
        assert len(checked_blocks(blocks)) == len(blocks)
        assert len(blocks) <= 50
        assert text_length(blocks) <= MESSAGE_LIMIT
    open_lines = sum(one.request.state.is_open for one in shown)
    assert sum(one.button is not None for one in card.items) == open_lines
