"""One card of each kind for requests that were never made, for checking that the notifier takes them. Pure.

The names are long and of unusual letters, so that what is taken for these is taken for real ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain.card.card import Card
from bot.domain.card.details import details_card
from bot.domain.card.passkey_card import passkey_card
from bot.domain.card.request_card import outcome_card, refused_vote_card, reminder_card, request_card
from bot.domain.card.sentences import CardContext
from bot.domain.model import (
    Ask,
    AskKind,
    Champion,
    Evidence,
    Kind,
    Metric,
    RefusedVote,
    State,
    Target,
    TargetKind,
    TransitionRequest,
    Verdict,
    VersionId,
    Vote,
)
from bot.domain.policy.rules import Group, Rule
from bot.domain.request.passkeys import Passkey

MODEL = "🚲 דגם <b>demand</b> " + "long-name-" * 8
ANA, BEN = "p-ana", "p-ben"
NAMES = {ANA: "Ana <!channel> Ruiz", BEN: "Ben *Okafor*"}
URL = "https://mlflow.example.com/#/models/demand"
TWO_DAYS = timedelta(days=2)


def sample_cards(rule: Rule | None, groups: tuple[Group, ...], at: datetime) -> Iterator[tuple[str, Card]]:
    """What each card is about, and the card. `rule` and `groups` are of the policy in force."""
    context = CardContext(NAMES, rule, groups=groups, back_to=VersionId("default", MODEL, 5, at), holds=True)
    for state in State:
        request = sample_request(state, Kind.PROMOTION, at)
        yield f"the card of a request that is {state}", request_card(request, context, URL, calls=True)
        yield f"the details of a request that is {state}", details_card(request, context)
        if not state.is_open:
            yield f"the message that a request is {state}", outcome_card(request, context)
    for kind in (Kind.OBSERVED, Kind.ROLLBACK):
        yield f"the card of a pending {kind}", request_card(sample_request(State.PENDING, kind, at), context, URL)
    pending = sample_request(State.PENDING, Kind.PROMOTION, at)
    yield "a reminder", reminder_card(pending, context)
    yield "the word about a vote that nothing proves", refused_vote_card(pending, RefusedVote(ANA, at, "why"), context)
    passkey = Passkey("credential", ANA, "key", at, MODEL, "salt", "countersign.example.com", "U1", "T1")
    yield "the question about a passkey", passkey_card(passkey, NAMES, "ana@example.com")
    yield "the answer about a passkey", passkey_card(replace(passkey, confirmed_by=(BEN,), needs=1), NAMES, "")


def sample_request(state: State, kind: Kind, at: datetime) -> TransitionRequest:
    version, before = (VersionId("default", MODEL, number, at) for number in (7, 5))
    vote = Vote(BEN, Verdict.APPROVE, "better on rainy days 🌧", at, (), "card")
    settled = at if state is State.APPLIED else None
    return TransitionRequest(
        id="0" * 32,
        kind=kind,
        state=state,
        version=version,
        target=Target(TargetKind.ALIAS, "champion"),
        ask=Ask(AskKind.OBSERVED if kind is Kind.OBSERVED else AskKind.COMMAND),
        requester=None if kind is Kind.OBSERVED else ANA,
        author=None,
        comment="please look at the tail",
        opened_at=at,
        expires_at=at + TWO_DAYS,
        rule_hash="",
        previous=before,
        evidence=None if state is State.COLLECTING else _evidence(before),
        votes=() if state.is_open else (vote,),
        decided_at=None if state.is_open else at,
        outcome="" if state.is_open else "it is better",
        settled_at=settled,
        settled_by_us=settled is not None,
        away_from=before if kind is Kind.ROLLBACK else None,
        ended_at=at if state is State.CALLED_OFF else None,
    )


def _evidence(before: VersionId) -> Evidence:
    metrics = tuple(Metric(f"mae-of-the-segment-{number}-🚲", float(number), "run") for number in range(60))
    params = {f"parameter-{number}": "x" * 300 for number in range(40)}
    champion = Champion(before, metrics, params)
    return Evidence("models:/m-1", "run", None, "Trained on May. " * 200, metrics, params, {}, URL, URL, champion)
