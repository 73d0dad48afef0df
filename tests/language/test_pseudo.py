"""In a language in which every marked text looks foreign and is 40 % longer: no English is left, and Slack's and Jira's limits hold."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from bot.clients.jira.documents import TEXT_LIMIT, card_as_adf, card_as_wiki, fitting_card
from bot.clients.slack.blocks import blocks_of, notice, reason_form
from bot.domain.card.card import Card, Link
from bot.domain.card.outcomes import called_off, held_text, unreadable_text, what_approve_does, what_reject_does
from bot.domain.card.passkey_card import passkey_card
from bot.domain.card.sample import NAMES
from bot.domain.card.sentences import CardContext
from bot.domain.card.ticket import ticket_card
from bot.domain.card.ticket_comments import decision_text, evidence_text, outcome_text, rolled_back_text
from bot.domain.grounds import No, Objection
from bot.domain.model import Ask, AskKind, DecidedBy, Kind, State, TargetKind, TransitionRequest
from bot.domain.model import Target as To
from bot.domain.references import NamedTicket, Relation
from bot.domain.request.passkeys import Passkey
from bot.language import _, reading, sentences
from bot.ports import Click
from bot.sandbox.slack.block_kit.validation import checked_blocks, checked_view
from handlers.doors.slack_commands import HELP
from handlers.notify.sample_notes import LINES, LONG, SAMPLES, sample_notes
from tests.builders import (
    LATER,
    NOON,
    RULE_HASH,
    a_champion,
    a_judgement,
    a_metric,
    a_policy,
    a_rejection,
    a_request,
    a_rule,
    a_version,
    a_vote,
    an_evidence,
    an_observed,
)
from tests.language.pseudo import XX, english_in

POLICY = a_policy(a_rule())
PEOPLE = {"cy": "Cy Lindqvist", "dan": "Dan Achterberg", "ana": "Ana Ruiz"}
CONTEXT = CardContext(PEOPLE, a_rule(), rule_hash=RULE_HASH, stranger="zoe@example.com")
EVIDENCE = an_evidence(champion=a_champion(a_metric("mae", 33.0)), outside=("/tmp/other.py",))
DATA = (
    *(*PEOPLE.values(), *NAMES.values()),
    "leads risk bike-demand champion alias model stage Production prod candidate mae GOV-7 UTC kB sha256 models:/m-1",
    "zoe@example.com /tmp/other.py countersign https://example.com",
    EVIDENCE.description,
)
REQUESTS = (
    *(a_request(state, votes=(a_vote("cy"), a_rejection("dan"))) for state in State),
    *(an_observed(state, previous=before) for state in State for before in (None, a_version(5))),
    a_request(kind=Kind.ROLLBACK, away_from=a_version(8), ask=Ask(AskKind.ROLLBACK)),
    a_request(State.APPLIED, kind=Kind.ROLLBACK, away_from=a_version(8), settled_at=LATER),
    a_request(target=To(TargetKind.MODEL, "prod.bike"), evidence=EVIDENCE, failed_before="", requester=None),
    a_request(
        State.APPLIED, decided_by=DecidedBy.FAST_TRACK, judgement=a_judgement(), decided_at=NOON, evidence=EVIDENCE
    ),
    a_request(State.APPLIED, decided_by=DecidedBy.RULE, decided_at=NOON, settled_at=LATER, previous=a_version(5)),
    a_request(State.APPROVED, frozen_until=LATER, frozen_by="champion"),
    a_request(State.CALLED_OFF, ended_by="ana", ended_at=LATER, outcome="mae"),
    *(
        a_request(objections=(Objection("r", how, "bike v5", "champion", "cy", reason, NOON),))
        for how in No
        for reason in ("", "mae")
    ),
    *(a_request(named=NamedTicket("GOV-7", relation, in_request=True)) for relation in Relation),
    *(a_request(ask=Ask(kind, "candidate")) for kind in AskKind),
    a_request(votes=(replace(a_vote("cy"), standing_in_for=("dan",), passkey=None),)),
)


def texts_of(card: Card) -> Iterator[str]:
    yield from (card.title, card.summary, *card.paragraphs, card.footer)
    for fact in card.facts:
        yield fact.label
        yield fact.value.text if isinstance(fact.value, Link) else fact.value
    for table in card.tables:
        yield from (table.title, *table.columns, *(cell for row in table.rows for cell in row))
    for button in card.buttons:
        yield button.label
        confirm = button.confirm
        yield from (confirm.title, confirm.text, confirm.yes, confirm.no) if confirm else ()


def ticket_texts(request: TransitionRequest) -> Iterator[str]:
    yield from texts_of(ticket_card(request, CONTEXT))
    yield from (what_approve_does(request), what_reject_does(request), outcome_text(request), evidence_text(request))
    yield from (decision_text(request, CONTEXT), called_off(request, CONTEXT), held_text(request))
    yield from (unreadable_text(request, "mae"), rolled_back_text(request))


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda one: f"{one.kind}-{one.state}-{one.ask.kind}")
def test_no_english_is_left_in_a_ticket(request_: TransitionRequest) -> None:
    recorded = (request_.outcome, request_.comment, *(vote.reason for vote in request_.votes), request_.failed_before)
    with reading(XX):
        texts = list(ticket_texts(replace(request_, named=request_.named)))

    left = {text: words for text in texts if (words := english_in(text, *DATA, *recorded))}

    assert left == {}


@pytest.mark.parametrize("kind", dict.fromkeys(kind for kind, _body in SAMPLES))
def test_no_english_is_left_in_a_note(kind: str) -> None:
    bodies = [json.dumps(body) for known, body in SAMPLES if known == kind]
    with reading(XX):
        cards = [card for about, card in sample_notes(POLICY) if about == f"the note {kind}"]

    left = {
        text: words
        for card in cards
        for text in texts_of(card)
        if (words := english_in(text, *DATA, *COMMANDS, *bodies))
    }

    assert cards
    assert left == {}


COMMANDS = (
    "countersign registry accept --reason TEXT --workspace request-transition --name --version --to",
    LONG,
    *LINES[:1],
)


@pytest.mark.parametrize("passkey", [Passkey("c", "ana", "key", NOON, "mae", "salt", "example.com", "U1", "T1")])
def test_no_english_is_left_about_a_passkey(passkey: Passkey) -> None:
    ended = replace(passkey, revoked_at=LATER, revoked_by="cy", revoked_because="its owner took it back")
    confirmed = replace(passkey, confirmed_by=("cy", "dan"))
    with reading(XX):
        cards = [passkey_card(one, PEOPLE, "") for one in (passkey, ended, confirmed, replace(ended, revoked_by=""))]

    assert [english_in(text, *DATA, passkey.short_id) for card in cards for text in texts_of(card)] == [
        [] for card in cards for _text in texts_of(card)
    ]


def test_slack_takes_every_note_and_form_when_texts_are_longer() -> None:
    click = Click("T1", "A1", "C1", "1.1", "U1", "reject", "0" * 32, "trigger")
    with reading(XX):
        cards = [card for _about, card in sample_notes(POLICY)]
        asked = sentences(
            what_reject_does(a_request()), _("Why? Your reason goes on the card, into the ticket and into the ledger.")
        )
        views = [
            *(
                reason_form(click, _(title), asked)
                for title in ("Approve", "Reject", "Put back", "Call off", "Roll back", "Undo")
            ),
            notice(_("One step more"), asked),
        ]

    for card in cards:
        checked_blocks(blocks_of(card))
    for view in views:
        checked_view(view)
    assert [view["title"]["text"] for view in views if view["title"]["text"].endswith("…")] == []  # type: ignore[index]


def test_jira_takes_a_ticket_when_texts_are_longer() -> None:
    with reading(XX):
        cards = [ticket_card(request, CONTEXT) for request in REQUESTS]

    for card in cards:
        assert len(json.dumps(fitting_card(card, card_as_adf), ensure_ascii=False)) <= TEXT_LIMIT
        assert len(fitting_card(card, card_as_wiki)) <= TEXT_LIMIT


def test_the_list_of_commands_is_translated() -> None:
    with reading(XX):
        said = [str(_(does)) for _command, does in HELP]

    assert [english_in(text) for text in said] == [[] for _ in said]
