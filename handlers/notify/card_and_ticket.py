"""Effects on people and tickets: each reads the request's current row and brings its system to it. Running one again is always safe.

How a thing is created once although answers get lost is in `sending`. Moves in the registry are in `moves`.
"""

from __future__ import annotations

import json
from dataclasses import replace

from bot.domain.card.card import Card
from bot.domain.card.request_card import outcome_card, request_card, ticket_card
from bot.domain.card.sentences import CardContext, decision_text, evidence_text, outcome_text, story
from bot.domain.events import CardPosted, TicketClosed, TicketOpened
from bot.domain.model import ENDED_UNDECIDED, Kind, State, TransitionRequest
from bot.domain.references import TicketPlan, TicketRef
from bot.errors import Permanent
from bot.services import Services
from handlers.notify.announcements import note_of
from handlers.notify.outbox import once, open_ticket_once, post_once
from handlers.notify.render_context import context_for, needed_rule


def sync_card(request_id: str, s: Services) -> None:
    """One message for each request, always showing its current state."""
    request, context = _read(request_id, s)
    if request.card is None and request.state in ENDED_UNDECIDED:
        return  # it ended before anybody saw it, so there is nothing to tell
    card = request_card(request, context, _walk_back(request, s))
    if request.card is not None:
        s.notifier.update(request.card, card)
        return
    posted = post_once(f"card:{request.id}", needed_rule(request, context.rule).channel, card, s)
    with s.store.transaction() as tx:
        if tx.requests.get(request.id, for_update=True).card is None:
            tx.record([CardPosted(s.clock.now(), request.id, posted)])


def sync_ticket(request_id: str, s: Services) -> None:
    """One ticket for each request: opened, linked both ways, commented with the decision, and closed when it is done."""
    request, context = _read(request_id, s)
    if request.ticket is None:
        if request.state in ENDED_UNDECIDED or needed_rule(request, context.rule).ticket is None:
            return
        if request.state is State.COLLECTING and not request.unreadable:
            return  # its description is the evidence, which is on its way
        plan = _plan_of(request, context)
        ticket = open_ticket_once(f"countersign-{request.id}", plan, ticket_card(request, context), s)
        with s.store.transaction() as tx:
            if tx.requests.get(request_id, for_update=True).ticket is None:
                tx.record([TicketOpened(s.clock.now(), request_id, ticket.ref)])
        request, context = _read(request_id, s)
    _link(request, s)
    _tell_of_evidence(request, s)
    if request.state.is_open or request.ticket is None:
        return
    _comment(request.ticket, f"decision:{request.id}", decision_text(request, context), s)
    if request.state is State.APPROVED and request.frozen_until is not None:
        key = f"held:{request.id}:{request.frozen_until:%Y%m%dT%H%M}"
        _comment(request.ticket, key, story(request, context), s)
    if request.settled_at is not None or request.state is State.STALE:
        _comment(request.ticket, f"outcome:{request.id}", outcome_text(request), s)
    if request.state is State.CALLED_OFF:
        _comment(request.ticket, f"outcome:{request.id}", story(request, context), s)
    if _is_finished(request) and not request.ticket_status:
        _close_ticket(request, _plan_of(request, context), s)
    if request.state is State.APPLIED:
        _link_from_failed(request, s)


def look_at_ticket(request_id: str, s: Services) -> None:
    """Somebody moved the ticket by hand. That decides nothing, and whoever did it should know."""
    request, context = _read(request_id, s)
    if request.ticket is None or not request.state.is_open:
        return
    plan = _plan_of(request, context)
    status = s.tickets.get_ticket(request.ticket).status
    if status.lower() in (plan.approved.lower(), plan.rejected.lower()):
        where = f" The card: {request.card.url}" if request.card else ""
        said = f"This ticket was moved to {status} by hand. That decides nothing: the request still waits for a vote in Slack.{where}"
        s.tickets.comment(request.ticket, f"by-hand:{request.id}:{status}", said)


def tell(request_id: str, s: Services) -> None:
    """Those who asked, or who trained the version when that is all we know, are told of the outcome directly, once."""
    request, context = _read(request_id, s)
    concerned = dict.fromkeys(filter(None, (request.requester or request.author, *request.joined)))
    waits = request.state is State.APPROVED and request.frozen_until is None
    if request.state.is_open or waits:
        return
    if request.card is None and request.state in ENDED_UNDECIDED and request.requester is None:
        return
    freeze = f":{request.frozen_until:%Y%m%dT%H%M}" if request.state is State.APPROVED else ""
    for person_id in concerned:
        _tell_once(
            f"told:{request.id}:{request.state}{freeze}:{person_id}", person_id, outcome_card(request, context), s
        )


def _tell_once(key: str, person_id: str, card: Card, s: Services) -> None:
    with s.store.transaction() as tx:
        person = tx.people.get(person_id)
        if tx.outbox.is_sent(key):
            return
    found = None if person.account else s.notifier.find_account(person.email)
    account_id = person.account or (found.id if found else None)
    if account_id is not None:  # else not in this workspace; the card and the ticket say it as well
        post_once(key, account_id, card, s)


def announce(seq: str, s: Services) -> None:
    """Something that is no request, said once in the channels that it concerns."""
    with s.store.transaction() as tx:
        entry = tx.ledger.get(int(seq))
        policy, names = tx.policy(), tx.people.all_names()
    note = note_of(entry.kind, json.loads(entry.body), policy, names)
    if note is None:
        return
    for channel in note.channels:
        key = f"note:{seq}:{channel}"
        with s.store.transaction() as tx:
            if tx.outbox.is_sent(key):
                continue
        post_once(key, channel, note.card, s)


def _tell_of_evidence(request: TransitionRequest, s: Services) -> None:
    """Why it cannot be read, each reason once; and, when it can, what the ticket's description lacks."""
    if request.ticket is None:
        return
    key = f"unreadable:{request.id}"
    waits = request.state in (State.COLLECTING, State.APPROVED)
    for number in range(len(request.unreadable) if waits else 0):
        said = replace(request, unreadable=request.unreadable[: number + 1])
        _comment(request.ticket, f"{key}:{number}", story(said, CardContext({}, None)), s)
    with s.store.transaction() as tx:
        lacks_evidence = tx.outbox.is_sent(f"comment:{key}:0")
    if request.state is not State.COLLECTING and request.evidence is not None and lacks_evidence:
        _comment(request.ticket, f"evidence:{request.id}", evidence_text(request), s)


def _comment(ticket: TicketRef, key: str, text: str, s: Services) -> None:
    once(f"comment:{key}", lambda: s.tickets.comment(ticket, key, text), s)


def _link(request: TransitionRequest, s: Services) -> None:
    """The link to all that is known of the version expires, so that each state brings a fresh one."""
    ticket = request.ticket
    if ticket is None or request.ticket_status:
        return
    if request.evidence is not None:
        _link_to(ticket, f"version:{request.id}", f"MLflow: {request.version}", request.evidence.version_url, s)
    if request.card is not None:
        _link_to(ticket, f"card:{request.id}", "Slack: the card", request.card.url, s)
    walk_back = _walk_back(request, s)
    if walk_back:
        key = f"walk-back:{request.id}"
        once(
            f"link:{key}:{request.state}",
            lambda: s.tickets.link(ticket, key, f"Countersign: {request.version}", walk_back),
            s,
        )
    failed = _failed_ticket(request, s)
    if failed is not None:
        _link_to(ticket, f"away-from:{request.id}", f"{failed.key}: what is rolled back", failed.url, s)


def _link_to(ticket: TicketRef, key: str, title: str, url: str, s: Services) -> None:
    once(f"link:{key}", lambda: s.tickets.link(ticket, key, title, url), s)


def _walk_back(request: TransitionRequest, s: Services) -> str:
    """A signed link to all that is known of the version; empty when this bot has no address or no key for links."""
    return s.links.to_version(request.version.model, request.version.version, s.clock.now())


def _link_from_failed(request: TransitionRequest, s: Services) -> None:
    """Last of all: should that ticket be gone by now, this one is finished all the same."""
    failed = _failed_ticket(request, s)
    if failed is not None and request.ticket is not None:
        key = request.ticket.key
        _link_to(failed, f"rollback:{request.id}", f"{key}: the rollback", request.ticket.url, s)
        _comment(failed, f"rolled-back:{request.id}", f"{outcome_text(request)} Reason: {request.comment}", s)


def _failed_ticket(request: TransitionRequest, s: Services) -> TicketRef | None:
    with s.store.transaction() as tx:
        failed = tx.requests.failed(request)
    return failed.ticket if failed else None


def _is_finished(request: TransitionRequest) -> bool:
    """Nothing more will happen to it: the target has moved, or never will."""
    if request.state is State.APPROVED:
        return False
    return not (request.state is State.REJECTED and request.kind is Kind.OBSERVED) or request.settled_at is not None


def _close_ticket(request: TransitionRequest, plan: TicketPlan, s: Services) -> None:
    if request.ticket is None:
        return
    to = plan.approved if request.state is State.APPLIED else plan.rejected
    s.tickets.move(request.ticket, to)
    with s.store.transaction() as tx:
        if not tx.requests.get(request.id, for_update=True).ticket_status:
            tx.record([TicketClosed(s.clock.now(), request.id, request.ticket, to)])


def _read(request_id: str, s: Services) -> tuple[TransitionRequest, CardContext]:
    with s.store.transaction() as tx:
        request = tx.requests.get(request_id)
        return request, context_for(request, tx, s.clock.now())


def _plan_of(request: TransitionRequest, context: CardContext) -> TicketPlan:
    plan = needed_rule(request, context.rule).ticket
    if plan is None:
        raise Permanent(f"the rule for {request.target} no longer says where its tickets are. Add `ticket:` and replay")
    return plan
