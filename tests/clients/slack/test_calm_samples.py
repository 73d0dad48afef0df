"""The messages for many requests and of one person are ones that Slack takes, whole and in short."""

from __future__ import annotations

import pytest

from bot.clients.slack.blocks import blocks_of, plain_blocks_of
from bot.clients.slack.buttons import action_of
from bot.domain.calm.sample import calm_samples
from bot.domain.card.card import Card
from bot.sandbox.slack.block_kit.validation import checked_blocks
from tests.builders import NOON, a_policy, a_rule

SAMPLES = dict(calm_samples(a_rule(), a_policy().groups, NOON))


@pytest.mark.parametrize("card", SAMPLES.values(), ids=SAMPLES)
def test_slack_takes_each_of_them(card: Card) -> None:
    for blocks in (blocks_of(card), plain_blocks_of(card)):
        assert len(checked_blocks(blocks)) == len(blocks)


@pytest.mark.parametrize(
    ("action_id", "action"),
    [
        ("open_card.0123456789abcdef", "open_card"),
        ("approve", "approve"),
        ("open_card.0123", "open_card.0123"),
        ("a.b.0123456789abcdef", "a.b.0123456789abcdef"),
    ],
)
def test_the_action_behind_a_button_of_a_list_is_read_strictly(action_id: str, action: str) -> None:
    assert action_of(action_id) == action
