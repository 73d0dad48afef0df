"""Slack takes every card, thread and dialog whatever the names are, and its buttons are always there. Counted in UTF-16, as Slack does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.clients.slack.blocks import blocks_of, plain_blocks_of
from bot.clients.slack.rich_text import text_of, timed
from bot.domain.card.card import Card, Chart, Fact
from bot.domain.card.context import CardContext
from bot.domain.card.conversation.replies import answer_card, handed_over_card, question_card
from bot.domain.card.details import details_card
from bot.domain.card.request_card import outcome_card, reminder_card, request_card
from bot.domain.conversation_state import Conversation, Handover, Question, Stop
from bot.domain.grounds import No, Objection
from bot.domain.model import Kind, State, TransitionRequest
from bot.domain.policy.rules import Group, ReasonDemand
from bot.domain.text import format_utc
from bot.sandbox.slack.block_kit.validation import checked_blocks
from bot.sandbox.slack.wire import Json, every_object
from tests.builders import (
    LATER,
    NOON,
    RULE_HASH,
    TICKET,
    a_champion,
    a_judgement,
    a_metric,
    a_request,
    a_rule,
    a_version,
    a_vote,
    an_evidence,
)

NAMES = {
    "long": "model-" + "x" * 249,
    "right-to-left": "ביקוש \u202eאופניים " * 20,
    "emoji": "🚲" * 127,
    "markup": "<!channel> *b* _i_ `c` &amp; <https://x.example|y> " * 5,
    "moments": "2026-02-30 99:99 UTC 2026-11-28 12:31 UTC 0001-01-01 00:00 UTC " * 4,
    "flags and joiners": "👨‍👩‍👧‍👦🏳️‍🌈" * 20,
}
VOTERS = tuple(f"{'voter' * 12}{number}@example.com" for number in range(30))
TWO_GROUPS, WITH_REASONS = a_rule({"leads": 1, "risk": 9}), a_rule({"leads": 1}, reason=ReasonDemand.ON_APPROVE)
CASES = (
    (TWO_GROUPS, State.PENDING, Kind.PROMOTION),
    (WITH_REASONS, State.PENDING, Kind.OBSERVED),
    (TWO_GROUPS, State.APPROVED, Kind.ROLLBACK),
    (TWO_GROUPS, State.APPLIED, Kind.PROMOTION),
)


def hostile(name: str) -> Iterator[tuple[TransitionRequest, CardContext]]:
    metrics = tuple(a_metric(f"{name[:200]}{number}", 1e99 / (number + 1)) for number in range(40))
    evidence = an_evidence(
        metrics=metrics,
        champion=replace(a_champion(*metrics), version=a_version(5, name)),
        params={f"{name}{number}": name * 9 for number in range(40)},
        description=name * 9,
        outside=(name,) * 9,
    )
    no = Objection("r-1", No.REJECTED, name, name, "ana", name * 9, LATER)
    for rule, state, kind in CASES:
        groups = (Group("leads", None, VOTERS), Group("risk", "risk", ()))
        names = dict.fromkeys(("ana", "bea", "cy"), name)
        context = CardContext(names, rule, RULE_HASH, groups=groups, stranger=name, back_to=a_version(5), holds=True)
        yield (
            a_request(
                state,
                kind=kind,
                version=a_version(7, name),
                previous=a_version(5, name),
                away_from=a_version(5, name),
                comment=name * 9,
                outcome=name * 9,
                evidence=evidence,
                ticket=TICKET,
                objections=(no,) * 9,
                people_decide=name * 9,
                failed_before=name * 9,
                judgement=a_judgement(name * 9),
                conversation=Conversation(
                    questions=tuple(Question(number, "ana", name * 9, LATER) for number in range(5)),
                    stops=(Stop(LATER, LATER + timedelta(days=1)),),
                    handovers=(Handover("ana", "cy", name * 9, LATER + timedelta(days=1)),),
                ),
                votes=tuple(a_vote("cy", name, reason=name * 9) for _ in range(5)),
            ),
            context,
        )


def cards_of(request: TransitionRequest, context: CardContext) -> Iterator[Card]:
    yield request_card(request, context, "https://countersign.example.com/v/1", calls=True)
    yield details_card(request, context)
    yield outcome_card(request, context)
    yield reminder_card(request, context)
    name = context.name("ana")
    question = Question(1, "ana", name * 9, LATER, None, "bea", name * 9, LATER)
    yield question_card(request, replace(question, answered_at=None), context, ())
    yield question_card(request, question, context, ())
    yield answer_card(request, question, context, ())
    yield handed_over_card(request, Handover("ana", "cy", name * 9, LATER), context)


def buttons_of(blocks: list[Json]) -> list[object]:
    """With those in the menu, in the order of the card."""
    found: list[object] = []
    for part in every_object(list(blocks)):
        if part.get("type") == "button":
            found.append(part["action_id"])
        if part.get("type") == "overflow":
            found += [str(option["value"]).partition(":")[0] for option in part["options"]]
    return found


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_slack_takes_each_card_whole_and_in_short_with_all_its_buttons(name: str) -> None:
    for request, context in hostile(name):
        for card in cards_of(request, context):
            for blocks in (blocks_of(card), plain_blocks_of(card)):
                checked = checked_blocks(blocks)

                assert buttons_of(checked) == [button.action for button in card.buttons]


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_slack_takes_each_chart(name: str) -> None:
    labels = tuple(f"v{number}" for number in range(1, 31))
    values = tuple(float(number) for number in range(30))
    lines = tuple((f"{name}{number}", values) for number in range(9))
    chart = Chart(name, labels, lines, name, name, name)

    (block,) = [one for one in checked_blocks(blocks_of(Card("t", "s", chart=chart))) if "chart" in one]

    assert block["chart"]["axis_config"]["categories"] == list(labels[-20:])


def test_a_moment_is_shown_in_the_readers_zone_in_facts_and_sentences_and_stays_in_utc_elsewhere() -> None:
    at = format_utc(NOON)
    card = Card("t", "s", facts=(Fact("Opened", at),), paragraphs=(f"Ana approved, {at}.",), footer=at)

    blocks = checked_blocks(blocks_of(card))

    dates = [part for part in every_object(list(blocks)) if part.get("type") == "date"]
    assert [(part["timestamp"], part["fallback"]) for part in dates] == [(int(NOON.timestamp()), at)] * 2
    assert at in json.dumps(plain_blocks_of(card))


@pytest.mark.parametrize(
    "text", ["2026-02-30 12:00 UTC", "2026-11-28 12:31 UTC+01:00", "1512026-11-28 12:31 UTC", "1969-01-01 00:00 UTC"]
)
def test_what_only_looks_like_a_moment_stays_text(text: str) -> None:
    assert timed(text) == [text_of(text)]
