"""Effects on people and tickets: each reads the request's current row and brings its system to it. Running one again is always safe.

Before a create stands our word that we are about to (`begin_sending`); whoever finds such a word from an earlier try looks the thing up
by its key and adopts it, and creates only when it is sure not to be there. Moves in the registry are in `moves`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from bot.domain import lifecycle
from bot.domain.cards import Card
from bot.domain.events import CardPosted, TicketClosed, TicketOpened
from bot.domain.model import ENDED_UNDECIDED, Kind, PostedCard, State, TicketPlan, TransitionRequest, VersionId
from bot.domain.policy import Policy, Rule
from bot.domain.request_card import outcome_card, request_card, ticket_card
from bot.domain.wording import Printed, decision_text, outcome_text
from bot.ports import OutcomeUnknown, OutsideError, Permanent, Temporary, Ticket
from bot.services import Services
from bot.store import Transaction, target_model
from handlers.notes import note_of

T = TypeVar("T")


def freeze_evidence(request_id: str, s: Services) -> None:
    """Collects what the vote will be based on; only then does the vote open."""
    with s.store.transaction() as tx:
        request = tx.get_request(request_id)
    if request.state is not State.COLLECTING:
        return
    now = s.clock.now()
    model = s.registry.find_model(request.version.workspace, request.version.model)
    seen = model.version(request.version.version) if model else None
    if seen is None or seen.id != request.version:
        with s.store.transaction() as tx:
            locked = tx.get_request(request_id, for_update=True)
            tx.record(lifecycle.withdraw(locked, f"{request.version} is no longer in the registry", now))
        return
    evidence = s.registry.read_evidence(request.version, _champion(request, s))

    with s.store.transaction() as tx:
        policy = tx.policy()
        rule = _rule_for(request, policy)
        entry = policy.person_by_mlflow_user(evidence.author) if evidence.author else None
        author = tx.people.get_or_add(entry.email, entry.name).id if entry else None
        locked = tx.get_request(request_id, for_update=True)
        tx.record(lifecycle.freeze_evidence(locked, evidence, author, policy.rule_hash(rule), now))


def sync_card(request_id: str, s: Services) -> None:
    """One message for each request, always showing its current state."""
    request, printed = _read(request_id, s)
    if request.card is None and request.state in ENDED_UNDECIDED:
        return  # it ended before anybody saw it, so there is nothing to tell
    card = request_card(request, printed)
    if request.card is not None:
        s.notifier.update(request.card, card)
        return
    posted = post_once(f"card:{request.id}", _rule_of(request, printed).channel, card, s)
    with s.store.transaction() as tx:
        if tx.get_request(request_id, for_update=True).card is None:
            tx.record([CardPosted(s.clock.now(), request_id, posted)])


def sync_ticket(request_id: str, s: Services) -> None:
    """One ticket for each request: opened, linked both ways, commented with the decision, and closed when it is done."""
    request, printed = _read(request_id, s)
    if request.ticket is None:
        if request.state in ENDED_UNDECIDED or _rule_of(request, printed).ticket is None:
            return
        plan = _plan_of(request, printed)
        ticket = _open_once(request, plan, printed, s)
        with s.store.transaction() as tx:
            if tx.get_request(request_id, for_update=True).ticket is None:
                tx.record([TicketOpened(s.clock.now(), request_id, ticket.ref)])
        request, printed = _read(request_id, s)
    _link(request, s)
    if request.state.is_open or request.ticket is None:
        return
    s.tickets.comment(request.ticket, f"decision:{request.id}", decision_text(request, printed))
    if request.settled_at is not None or request.state is State.STALE:
        s.tickets.comment(request.ticket, f"outcome:{request.id}", outcome_text(request))
    if _is_finished(request) and not request.ticket_status:
        _close_ticket(request, _plan_of(request, printed), s)


def look_at_ticket(request_id: str, s: Services) -> None:
    """Somebody moved the ticket by hand. That decides nothing, and whoever did it should know."""
    request, printed = _read(request_id, s)
    if request.ticket is None or not request.state.is_open:
        return
    plan = _plan_of(request, printed)
    status = s.tickets.get_ticket(request.ticket).status
    if status.lower() in (plan.approved.lower(), plan.rejected.lower()):
        where = f" The card: {request.card.url}" if request.card else ""
        said = f"This ticket was moved to {status} by hand. That decides nothing: the request still waits for a vote in Slack.{where}"
        s.tickets.comment(request.ticket, f"by-hand:{request.id}:{status}", said)


def tell(request_id: str, s: Services) -> None:
    """The one who asked, or who trained the version when that is all we know, is told of the outcome directly, once."""
    request, printed = _read(request_id, s)
    person_id = request.requester or request.author
    if person_id is None or request.state.is_open or request.state is State.APPROVED:
        return
    if request.card is None and request.state in ENDED_UNDECIDED and request.requester is None:
        return
    key = f"told:{request.id}:{request.state}"
    with s.store.transaction() as tx:
        person = tx.people.get(person_id)
        if tx.is_sent(key):
            return
    account = s.notifier.find_account(person.email)
    if account is None:
        return  # not in this workspace; the card and the ticket say it as well
    post_once(key, account.id, outcome_card(request, printed), s)


def announce(seq: str, s: Services) -> None:
    """Something that is no request, said once in the channels that it concerns."""
    with s.store.transaction() as tx:
        entry = tx.get_ledger_entry(int(seq))
        policy = tx.policy()
    note = note_of(entry.kind, json.loads(entry.body), policy)
    if note is None:
        return
    for channel in note.channels:
        key = f"note:{seq}:{channel}"
        with s.store.transaction() as tx:
            if tx.is_sent(key):
                continue
        post_once(key, channel, note.card, s)


def post_once(key: str, channel: str, card: Card, s: Services) -> PostedCard:
    """Posts, or adopts what an earlier try posted."""
    now = s.clock.now()
    with s.store.transaction() as tx:
        begun = tx.begin_sending(key, now)
    posted = s.notifier.find_post(channel, key, begun) if begun else None
    if begun is not None and posted is None:
        _wait_until_settled(
            begun, s.notifier.post_settles, s, "a message may have been posted, but it is not to be seen yet"
        )
    if posted is None:
        posted = _create(key, lambda: s.notifier.post(channel, card, key), s)
    with s.store.transaction() as tx:
        tx.finish_sending(key, now)
    return posted


def _open_once(request: TransitionRequest, plan: TicketPlan, printed: Printed, s: Services) -> Ticket:
    """Opens, or adopts what an earlier try opened."""
    key = f"countersign-{request.id}"
    now = s.clock.now()
    with s.store.transaction() as tx:
        begun = tx.begin_sending(key, now)
    if begun is not None:
        found = s.tickets.find_ticket(plan, key)
        if found is not None:
            return found
        _wait_until_settled(
            begun, s.tickets.search_settles, s, "a ticket may have been created, but the search lags behind"
        )
    card = ticket_card(request, printed)
    return _create(key, lambda: s.tickets.open_ticket(plan, card, key), s)


def _wait_until_settled(begun: datetime, seconds: float, s: Services, why: str) -> None:
    """Late is better than twice: what may still turn up is waited for before anything is created again."""
    remaining = (begun + timedelta(seconds=seconds) - s.clock.now()).total_seconds()
    if remaining > 0:
        raise Temporary(why, remaining)


def _create(key: str, create: Callable[[], T], s: Services) -> T:
    """Our word stays given when the outcome is unknown, and is called off when it is certain that nothing was made."""
    with s.store.transaction() as tx:
        tx.renew_sending(key, s.clock.now())
    try:
        return create()
    except OutcomeUnknown:
        raise
    except OutsideError:
        with s.store.transaction() as tx:
            tx.call_off_sending(key)
        raise


def _link(request: TransitionRequest, s: Services) -> None:
    if request.ticket is None or request.ticket_status:
        return
    if request.evidence is not None:
        s.tickets.link(
            request.ticket, f"version:{request.id}", f"MLflow: {request.version}", request.evidence.version_url
        )
    if request.card is not None:
        s.tickets.link(request.ticket, f"card:{request.id}", "Slack: the card", request.card.url)


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
        if not tx.get_request(request.id, for_update=True).ticket_status:
            tx.record([TicketClosed(s.clock.now(), request.id, request.ticket, to)])


def _champion(request: TransitionRequest, s: Services) -> VersionId | None:
    model = s.registry.find_model(request.version.workspace, target_model(request))
    if request.kind is Kind.OBSERVED:
        before = model.version(request.previous.version) if model and request.previous else None
        return before.id if before and before.id == request.previous else None  # it may have been deleted since
    holders = model.holders(request.target) if model else ()
    return holders[0] if holders else None


def _read(request_id: str, s: Services) -> tuple[TransitionRequest, Printed]:
    with s.store.transaction() as tx:
        request = tx.get_request(request_id)
        return request, printed_for(request, tx)


def printed_for(request: TransitionRequest, tx: Transaction) -> Printed:
    people = {request.requester, request.author, *(vote.person for vote in request.votes)} - {None}
    policy = tx.policy()
    rule = policy.rule_for(request.version.workspace, request.version.model, request.target)
    names = tx.people.names([person for person in people if person])
    return Printed(names, rule, policy.rule_hash(rule) if rule else "")


def _rule_for(request: TransitionRequest, policy: Policy) -> Rule:
    return _rule_of(
        request, Printed({}, policy.rule_for(request.version.workspace, request.version.model, request.target))
    )


def _rule_of(request: TransitionRequest, printed: Printed) -> Rule:
    if printed.rule is None:
        raise Permanent(
            f"no rule in the policy speaks of {request.target} for {request.version.model} any more. "
            "Put one back with `countersign policy activate`, then replay this job"
        )
    return printed.rule


def _plan_of(request: TransitionRequest, printed: Printed) -> TicketPlan:
    plan = _rule_of(request, printed).ticket
    if plan is None:
        raise Permanent(f"the rule for {request.target} no longer says where its tickets are. Add `ticket:` and replay")
    return plan
