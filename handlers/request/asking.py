"""Stories of asking: in words, or because the registry asks for somebody; and of an ask that is taken away."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime

from bot.domain.model import DEFAULT_WORKSPACE, OPEN, Ask, AskKind, Kind, Target, TransitionRequest
from bot.domain.policy.rules import Policy, Rule
from bot.domain.registry.diff import OpenAsk
from bot.domain.request import lifecycle
from bot.domain.request.lifecycle import NewRequest
from bot.domain.request.rollback import failure_of
from bot.errors import Refused
from bot.services import Services
from bot.store.people import Person
from bot.store.requests import LIVE, new_request_id
from bot.store.transaction import Transaction

ASKED_IN_WORDS = (AskKind.COMMAND, AskKind.API)
COMMENT_LIMIT = 2_000  # characters
EMAIL_LIMIT = 320
EMAIL = re.compile(r"[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+")


def request_transition(
    model: str, version: int, target: Target, requester_email: str, comment: str, ask: Ask, s: Services
) -> TransitionRequest:
    """Somebody asks in words: on the command line or through the API."""
    email = checked_email(requester_email)
    if len(comment) > COMMENT_LIMIT:
        raise Refused(f"the comment has {len(comment)} characters; {COMMENT_LIMIT} fit on a card. Shorten it")
    seen = s.registry.find_model(DEFAULT_WORKSPACE, model)
    wanted = seen.version(version) if seen else None
    if seen is None or wanted is None:
        raise Refused(f"MLflow has no version {version} of {model}. Check the name and the number")
    if wanted.id in seen.holders(target):
        raise Refused(f"{wanted.id} holds {target} already; there is nothing to ask for")

    with s.store.transaction() as tx:
        requester = person_with(email, tx)
        new = NewRequest(wanted.id, target, ask, requester=requester.id, comment=comment)
        return open_new(new, tx, s.clock.now())


def open_new(new: NewRequest, tx: Transaction, now: datetime) -> TransitionRequest:
    """Opens a request, or finds the live one for the same wish; whoever is newer takes an older one's place."""
    tx.requests.lock_model(new.version.workspace, new.version.model)
    live = tx.requests.find(version=new.version, target=new.target, states=LIVE, for_update=True)
    if live:
        return _join(live[0], new, tx, now)
    policy = tx.policy()
    rule = rule_for_new(new.version.workspace, new.version.model, new.target, policy)
    applied = tx.requests.applied(new.version, new.version.workspace, new.version.model, new.target)
    new = replace(new, failed_before=failure_of(new.version, applied))

    opened = lifecycle.open_request(new, new_request_id(), rule, policy.rule_hash(rule), now)
    tx.record([opened])
    request = tx.requests.get(opened.request_id)
    others = tx.requests.find(
        workspace=new.version.workspace, model=new.version.model, target=new.target, states=OPEN, for_update=True
    )
    newest = max((o for o in others if o.kind is new.kind), key=lambda other: other.version.version)
    overtaken = lifecycle.supersede(request, newest, now) if new.ask.is_automatic else []
    if not overtaken:
        overtaken = [event for other in others for event in lifecycle.supersede(other, request, now)]
    tx.record(overtaken)
    return tx.requests.get(request.id)


def rule_for_new(workspace: str, model: str, target: Target, policy: Policy) -> Rule:
    rule = policy.rule_for(workspace, model, target)
    if rule is None:
        raise Refused(f"no rule in the policy speaks of {target} for {model}. Add one to policy.yaml")
    return rule


def _join(live: TransitionRequest, new: NewRequest, tx: Transaction, now: datetime) -> TransitionRequest:
    if new.requester is not None:
        tx.record(lifecycle.join(live, new.requester, new.ask, new.comment, now))
    return tx.requests.get(live.id)


def adopt(s: Services) -> list[TransitionRequest]:
    """Turns targets that are held without an approval into requests to ratify them."""
    now = s.clock.now()
    with s.store.transaction() as tx:
        policy = tx.policy()
        return [
            open_new(NewRequest(held.version, held.target, Ask(AskKind.ADOPTED), kind=Kind.OBSERVED), tx, now)
            for held in tx.registry.placements()
            if held.request_id is None and policy.rule_for(held.version.workspace, held.version.model, held.target)
        ]


def take_away(ask: OpenAsk, tx: Transaction, now: datetime) -> None:
    request_id = tx.registry.take_ask(ask)
    if request_id is None or tx.registry.still_asked(request_id):
        return
    request = tx.requests.get(request_id, for_update=True)
    if _nobody_asks_in_words(request):
        tx.record(lifecycle.withdraw(request, f"{ask.version} no longer asks {ask.ask}", now))


def _nobody_asks_in_words(request: TransitionRequest) -> bool:
    """Whoever asked in words as well still wants it; a fresh request in place of a stale one is theirs too."""
    again_by_itself = request.ask.kind is AskKind.REOPENED and request.requester is None
    return request.kind is Kind.PROMOTION and (request.ask.is_automatic or again_by_itself)


def checked_email(text: str) -> str:
    """One person, one spelling: separation of duties hangs on it."""
    email = text.strip().lower()
    if len(email) > EMAIL_LIMIT or not EMAIL.fullmatch(email):
        raise Refused(f'"{text[:80]}" is no e-mail address. Name the one who asks by the address that Slack knows')
    return email


def person_with(email: str, tx: Transaction) -> Person:
    """Whoever has that address, by the name that the policy prints; `email` has gone through `checked_email`."""
    entry = tx.policy().person_by_email(email)
    return tx.people.get_or_add(email, entry.name if entry else email)
