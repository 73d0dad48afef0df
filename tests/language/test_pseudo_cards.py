"""The card, its thread and the message about the outcome, in a language in which every marked text looks foreign.

Every value begins with Q, so that a word that is neither foreign nor a value is a text that nobody marked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.clients.slack.blocks import blocks_of
from bot.domain.card.card import Card, Link
from bot.domain.card.details import details_card
from bot.domain.card.metric_history import chart_of, history_of
from bot.domain.card.request_card import outcome_card, refused_vote_card, reminder_card, request_card
from bot.domain.card.risk import approval_text, metrics_risk
from bot.domain.card.sentences import CardContext
from bot.domain.card.ticket import ticket_card
from bot.domain.card.ticket_comments import decision_text, outcome_text
from bot.domain.evidence import lineage
from bot.domain.evidence.caps import WHAT
from bot.domain.figures import Table
from bot.domain.grounds import Cut, No, Objection, RefusedVote
from bot.domain.model import (
    Artifacts,
    Ask,
    AskKind,
    Champion,
    Check,
    DataSet,
    DecidedBy,
    Evidence,
    FastTrackMode,
    Judgement,
    Kind,
    LineageCheck,
    State,
    Target,
    TargetKind,
    TransitionRequest,
    VersionId,
)
from bot.domain.policy.freezes import FreezeNow
from bot.domain.policy.rules import LINEAGE_CODES, Escalate, FastTrack, LineageDemand, Threshold
from bot.domain.references import PostedCard, TicketRef
from bot.domain.request.fast_track import Agreement
from bot.errors import Refused
from bot.language import SUBJECTS, Text, from_record, reading
from bot.sandbox.slack.block_kit.validation import checked_blocks
from tests.builders import LATER, NOON, RULE_HASH, a_metric, a_rejection, a_request, a_rule, a_version, a_vote
from tests.language.marked import marked, placeholders
from tests.language.pseudo import XX

PLAIN_WORD = re.compile(r"[A-Za-z]{2,}")
UNITS = {"UTC", "kB", "MB", "sha", "MAE", "mae", "RMSE", "rmse", "nan", "https"}
RECORDED = sorted(
    text.format(**{name: f"Q{name}" for name in placeholders(text)})
    for context, text in marked()
    if context in SUBJECTS
)
NAMES = {"cy": "Qcy", "dan": "Qdan", "ana": "Qana", "bea": "Qbea"}
V7, V5, V8 = (VersionId("default", "Qmodel", number, NOON) for number in (7, 5, 8))
OURS, THEIRS = DataSet("Qdata", "11", "Quse"), DataSet("Qdata", "22")
LONG = {f"Q{number}": str(number) for number in range(12)}


def left_in(texts: Iterator[str]) -> dict[str, list[str]]:
    """Words in plain letters that are no value, by the text that they are in."""
    found = {
        text: [
            word
            for word in PLAIN_WORD.findall(text.replace("alias:Qalias", "").replace("stage:Qstage", ""))
            if not word.startswith("Q") and word not in UNITS
        ]
        for text in texts
    }
    return {text: words for text, words in found.items() if words}


def texts_of(card: Card) -> Iterator[str]:
    yield from (card.title, card.summary, *card.paragraphs, card.footer)
    yield from (link.text for link in card.links)
    yield from (card.lead.text,) if card.lead else ()
    for fact in card.facts:
        yield fact.label
        yield fact.value.text if isinstance(fact.value, Link) else fact.value
    for table in card.tables:
        yield from (table.title, *table.columns, *(cell for row in table.rows for cell in row))
    for button in card.buttons:
        yield button.label
        yield from (
            (button.confirm.title, button.confirm.text, button.confirm.yes, button.confirm.no) if button.confirm else ()
        )


def an_evidence(**changes: object) -> Evidence:
    signature = '{"inputs": "[{\\"name\\": \\"Qa\\", \\"type\\": \\"Qlong\\", \\"required\\": false}, 3]"}'
    usual = Evidence(
        source="Qsource",
        run_id="Qrun",
        author="Qauthor",
        description="Qdescription",
        metrics=(
            *(replace(a_metric("mae", value), measured_on=OURS) for value in (31.5, 40.0)),
            a_metric("rmse", float("nan")),
            *(a_metric(f"Qmetric{number}", 1.0, source="logged model") for number in range(22)),
        ),
        params=LONG,
        tags={},
        version_url="https://q",
        run_url="https://q",
        champion=Champion(
            V5,
            (replace(a_metric("mae", 33.0), measured_on=THEIRS), a_metric("rmse", 3.0)),
            {"Q0": "9", "Qgone": "1"},
            signature="{}",
        ),
        artifacts=Artifacts("sha256:5f1c", 5, 914),
        signature=signature,
        datasets=(
            replace(OURS, table=Table("Qpath", "", 3)),
            replace(OURS, table=Table("", "", None)),
            replace(THEIRS, table=Table("Qpath", "", None)),
        ),
        commit="QQ11",
        author_from="run",
        commit_author="Qcommitter",
        commit_author_from="git",
        not_believed=("git",),
        outside=("Qfile",),
        uncovered=("Qpackage",),
        cut=tuple(Cut(what, 1_200, kept, "") for what in WHAT for kept in (0, 1_000)),
        lineage=tuple(
            LineageCheck(code, number % 3 == 0, ("not checked: Q." if number % 3 == 1 else "Q."), number % 2 == 0)
            for number, code in enumerate(LINEAGE_CODES)
        ),
    )
    return replace(usual, **changes)  # type: ignore[arg-type]


TRACK = FastTrack(
    FastTrackMode.SHADOW,
    (
        Threshold("mae", False, 30.0, None, None),
        Threshold("rmse", False, None, 0.5, 0.01),
        Threshold("Qnone", True, 1.0, None, 0.0),
    ),
)
RULE = replace(
    a_rule({"Qleads": 1, "Qrisk": 1}),
    models="Q-*",
    target=Target(TargetKind.ALIAS, "Qalias"),
    fast_track=TRACK,
    escalate=Escalate(timedelta(hours=1), "Qchiefs"),
    lineage=LineageDemand(block=("L02", "L05")),
)
OPEN_RULE = replace(RULE, lineage=None)
CONTEXT = CardContext(
    NAMES,
    OPEN_RULE,
    RULE_HASH,
    agreement=Agreement(3, 1, 2),
    freeze=FreezeNow("Qfreeze", LATER),
    stranger="Q@q",
    unread="Qwhy",
    earlier=PostedCard("Qt", "Qa", "Qc", "1", "https://q"),
    later=PostedCard("Qt", "Qa", "Qc", "2", "https://q"),
)
CONTEXTS = (
    CONTEXT,
    replace(CONTEXT, rule=RULE),
    replace(CONTEXT, rule=None),
    replace(CONTEXT, holds=True, back_to=a_version(5), may_undo=True, agreement=Agreement(1, 0, 0)),
    replace(CONTEXT, rolled_back="rolled back from Qalias on Q: Q", rule_hash="Qother"),
)


def requests() -> Iterator[TransitionRequest]:
    usual = a_request(
        version=V7,
        target=Target(TargetKind.ALIAS, "Qalias"),
        ask=Ask(AskKind.ALIAS, "Qask"),
        comment="Qcomment",
        evidence=an_evidence(),
        judgement=Judgement(
            FastTrackMode.SHADOW, tuple(Check(False, one, "mae") for one in RECORDED[::40] if one[0] != " ")
        ),
        people_decide="Qmodel v7 was never approved for Qalias",
        previous=V5,
        ticket=TicketRef("Q", "Q-7", "https://q"),
        card=PostedCard("Qt", "Qa", "Qc", "1", "https://q"),
    )
    votes = (
        a_vote("cy", "Qleads"),
        replace(a_vote("dan", "Qrisk"), standing_in_for=("ana",)),
        a_rejection("bea", "Qwhy"),
    )
    for state in State:
        for kind in Kind:
            away = V8 if kind is Kind.ROLLBACK else None
            one = replace(usual, kind=kind, state=state, away_from=away, votes=votes, outcome="Qwhy")
            yield one
            yield replace(
                one, settled_at=LATER, settled_by_us=True, decided_by=DecidedBy.FAST_TRACK, frozen_until=LATER
            )
            yield replace(one, requester=None, author=None, votes=(), renewed=True, unreadable=("Qwhy",), previous=None)
    yield replace(usual, evidence=None, judgement=None, target=Target(TargetKind.STAGE, "Qstage"))
    yield replace(usual, evidence=an_evidence(champion=None, artifacts=None, artifacts_unread="Qwhy", signature=None))
    yield replace(usual, evidence=an_evidence(metrics=(), lineage=(), params={}), escalated_at=LATER, reminded_at=LATER)
    yield replace(usual, pending_since=NOON, reminded_at=NOON + timedelta(days=2, hours=1), votes=votes[:1])
    yield replace(usual, votes=votes[:2], requester=None, author=None)
    for mode in FastTrackMode:
        for held_back in ("", "the fast track is switched off"):
            yield replace(usual, judgement=Judgement(mode, (Check(True, "mae 1 is at most 2"),), held_back))
    for how in No:
        for reason in ("", "Qwhy"):
            objection = Objection("r", how, "Qmodel v5", "Qalias", "cy", reason, NOON)
            yield replace(usual, objections=(objection,), failed_before="rolled back from Qalias on Q: Q")
    for kind in AskKind:
        yield replace(usual, ask=Ask(kind, "Qask"))


REQUESTS = tuple(requests())


def cards_of(request: TransitionRequest, context: CardContext) -> Iterator[Card]:
    yield request_card(request, context, "https://q", calls=True)
    yield details_card(request, context)
    yield outcome_card(request, context)
    yield reminder_card(request, context)
    yield ticket_card(request, context)
    yield refused_vote_card(request, RefusedVote("cy", LATER, "the rule does not approve this by itself"), context)


@pytest.mark.parametrize(
    "context",
    [CONTEXTS[0], CONTEXTS[1], *(pytest.param(one, marks=pytest.mark.proof) for one in CONTEXTS[2:])],
    ids=["open", "blocked", "no rule", "holds", "rolled back"],
)
def test_no_english_is_left_on_a_card_in_its_thread_or_in_a_message(context: CardContext) -> None:
    with reading(XX):
        cards = [card for request in REQUESTS for card in cards_of(request, context)]
        said = [approval_text(request, context) for request in REQUESTS]
        said += [metrics_risk(request, context).text for request in REQUESTS if request.evidence]
        said += [text for request in REQUESTS for text in (decision_text(request, context), outcome_text(request))]

    left = left_in(iter([*said, *(text for card in cards for text in texts_of(card))]))

    assert left == {}
    for card in cards:
        checked_blocks(blocks_of(card))


def test_no_english_is_left_in_a_chart_and_its_words() -> None:
    request = a_request(version=V7, target=Target(TargetKind.ALIAS, "Qalias"))
    earlier = {
        5: (replace(a_metric("mae", 33.0), measured_on=THEIRS),),
        6: (replace(a_metric("mae", 32.0), measured_on=OURS),),
    }
    with reading(XX):
        history = history_of(request, an_evidence(), RULE, earlier)
        assert history is not None
        chart = chart_of(history)

    lines = [name for name, _values in chart.lines]
    assert left_in(iter([chart.title, chart.words, chart.x_label, chart.y_label, *chart.labels, *lines])) == {}


@pytest.mark.parametrize("sentence", RECORDED)
def test_no_english_is_left_in_what_was_recorded(sentence: str) -> None:
    assert left_in(iter([from_record(sentence).source.read(XX)])) == {}


@pytest.mark.parametrize("sentence", [one for one in RECORDED if "Fix: " in one])
def test_no_english_is_left_in_the_refusal_of_a_lineage(sentence: str) -> None:
    evidence = an_evidence(lineage=(LineageCheck("L02", False, sentence, blocks=True),))

    with reading(XX), pytest.raises(Refused) as refused:
        lineage.check_may_approve(a_request(version=V7, evidence=evidence), RULE)

    text = refused.value.args[0]
    assert isinstance(text, Text)
    assert [words for words in left_in(iter([text])).values() if words != ["Refused"]] == []


def test_a_word_that_is_not_marked_is_found() -> None:
    with reading(XX):
        card = replace(request_card(REQUESTS[0], CONTEXT), footer="Still English, Qmodel")

    assert left_in(texts_of(card)) == {"Still English, Qmodel": ["Still", "English"]}
