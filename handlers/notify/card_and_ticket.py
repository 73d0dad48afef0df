"""Effects on people and tickets: each reads the request's current row and brings its system to it. Running one again is always safe.

One transaction reads, then the vendors are called with no transaction open, then one transaction records. How a thing is created once
although answers get lost is in `outbox`; moves in the registry are in `handlers.registry.apply`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from functools import partial

import structlog

from bot.domain.card.card import Card
from bot.domain.card.request_card import outcome_card, request_card
from bot.domain.card.sentences import CardContext
from bot.domain.events import CardPosted, TicketOpened
from bot.domain.model import ENDED_UNDECIDED, State, TransitionRequest
from bot.domain.references import NamedTicket, PostedCard
from bot.engine.lanes import FollowUp, Lane, Urgency
from bot.errors import MessageGone
from bot.language import _, sentences
from bot.language.catalogues import in_language
from bot.ports import Ticket
from bot.services import Services
from bot.store.outbox import SentRows
from bot.store.requests import LIVE
from bot.store.transaction import Transaction
from handlers.notify.announcements import note_of
from handlers.notify.outbox import begin_update, post_once, send_all, unsent, unsent_keys
from handlers.notify.readers import for_account, for_everyone
from handlers.notify.render_context import context_for, needed_rule
from handlers.notify.ticket_opening import open_ticket
from handlers.notify.ticket_writes import (
    in_few_calls,
    plan_of,
    reserve_comments,
    unreadable_key,
    version_page,
    writes_for,
)

log = structlog.get_logger()
RecordCard = Callable[[Transaction, PostedCard], None]


def sync_card(request_id: str, s: Services) -> None:
    """One message for each request, always showing its current state."""
    with s.store.transaction() as tx:
        request, context = _read(request_id, tx, s)
        if request.card is None and request.state in ENDED_UNDECIDED:
            return  # it ended before its card was posted, so there is nothing to say
        calls = request.card is None and not has_called(request_id, tx)
        with in_language(tx.policy().language):
            card = request_card(request, context, version_page(request, s), calls=calls)
        update = begin_update(f"card-shown:{request_id}", request.card, card, tx, s) if request.card else None
    if request.card is None:
        channel = needed_rule(request, context.rule).channel
        record = _recording(request_id, card, s)
        asker = request.requester
        with for_everyone(s):
            post_once(f"card:{request_id}", channel, card, s, urgency=Urgency.CARD, asker=asker, record=record)
    elif update is not None:
        try:
            with for_everyone(s):
                update.send(s)
        except MessageGone:
            _post_anew(request, context, s)


def adopt_card(request_id: str, channel: str, message: str, s: Services) -> bool:
    """Records the message of a channel as the request's card, for a press on it before its worker has done so, or after that died.

    False when it is not the one that we posted under the request's key.
    """
    key = f"card:{request_id}"
    posted = s.notifier.own_post(channel, message, key)
    if posted is None:
        return False
    with s.store.transaction() as tx:
        tx.outbox.complete(key, s.clock.now())
        _record_card(request_id, s, tx, posted, called=True, instead_of=None)
    return True


def look_at_card(request_id: str, s: Services) -> None:
    """Posts the card of a live request anew when it was deleted in Slack, by an administrator or by how long messages are kept."""
    with s.store.transaction() as tx:
        state = tx.requests.get(request_id).state
    if state in LIVE:
        card_in_place(request_id, s)


def look_at_cards(_: str, s: Services) -> None:
    """Once an hour: without its card a request, or a passkey, could wait for ever, and nothing would show that the card is gone."""
    with s.store.transaction() as tx:
        for request in tx.requests.find(states=LIVE):
            if request.card is not None:
                tx.defer_for(FollowUp(look_at_card.__name__, Lane.SLACK), request)
                tx.defer_for(FollowUp("show_details", Lane.SLACK), request)  # cards of a release that had no details
        for passkey in tx.passkeys.all().values():
            if passkey.is_waiting:
                tx.defer("look_at_passkey", passkey.credential, f"{Lane.NOTES}:show_passkey", once=True)


def card_in_place(request_id: str, s: Services) -> PostedCard | None:
    """The message that a reply is for, posted anew when it is gone: a reply alone would say nothing, and could not be voted on."""
    with s.store.transaction() as tx:
        request, context = _read(request_id, tx, s)
    return card_of(request, context, s)


def card_of(request: TransitionRequest, context: CardContext, s: Services) -> PostedCard | None:
    """As `card_in_place`, of a request that was read just now."""
    if request.card is None or s.notifier.is_there(request.card):
        return request.card
    return _post_anew(request, context, s)


def _post_anew(request: TransitionRequest, context: CardContext, s: Services) -> PostedCard | None:
    """Once for each card that was deleted, in its channel. Not for a request that ended undecided: its card has nothing left to say."""
    gone = request.card
    if gone is None or request.state in ENDED_UNDECIDED:
        return None
    log.warning("card_deleted_in_slack", request=request.id, message=gone.message)
    with s.store.transaction() as tx:
        calls = not has_called(request.id, tx)
    with for_everyone(s):
        card = request_card(request, context, version_page(request, s), calls=calls)
        key = f"card:{request.id}:after:{gone.message}"
        record = _recording(request.id, card, s, instead_of=gone)
        return post_once(key, gone.channel, card, s, urgency=Urgency.CARD, asker=request.requester, record=record)


def sync_ticket(request_id: str, s: Services) -> None:
    """One ticket for each request: opened, linked both ways, commented with the decision, and closed when it is done."""
    with s.store.transaction() as tx:
        request, context = _read(request_id, tx, s)
        lacks_evidence = tx.outbox.is_sent(f"comment:{unreadable_key(request)}:0")
        with in_language(tx.policy().language):
            wanted = writes_for(request, context, tx.requests.failed(request), s, lacks_evidence=lacks_evidence)
        writes = unsent(wanted, tx)
        new = reserve_comments(writes, request, tx, s.clock.now())
    if request.ticket is not None:
        send_all(in_few_calls(writes, new, s), s)
    elif request.state is State.COLLECTING and not request.unreadable:
        return  # its description is the evidence, which is still being collected
    elif request.state not in ENDED_UNDECIDED and needed_rule(request, context.rule).ticket is not None:
        open_ticket(request, context, s, partial(_record_ticket, request_id, s))
        sync_ticket(request_id, s)


def look_at_ticket(request_id: str, s: Services) -> None:
    """A ticket that was moved by hand decides nothing; a comment says so."""
    with s.store.transaction() as tx:
        request, context = _read(request_id, tx, s)
    if request.ticket is None or not request.state.is_open:
        return
    plan = plan_of(request, context)
    status = s.tickets.get_ticket(request.ticket).status
    if status.lower() in (plan.approved.lower(), plan.rejected.lower()):
        with for_everyone(s):
            said = _moved_by_hand(status, request)
        s.tickets.comment(request.ticket, f"by-hand:{request.id}:{status}", said)


def _moved_by_hand(status: str, request: TransitionRequest) -> str:
    said = _(
        "This ticket was moved to {status} by hand. That decides nothing: the request still waits for a vote in Slack.",
        status=status,
    )
    return sentences(said, _("The card: {card}", card=request.card.url) if request.card else "")


def tell(request_id: str, s: Services) -> None:
    """Sends the outcome directly, once, to those who asked, or to the author when that is all we know."""
    with s.store.transaction() as tx:
        request, context = _read(request_id, tx, s)
        if not _is_to_be_told(request):
            return
        freeze = f":{request.frozen_until:%Y%m%dT%H%M}" if request.state is State.APPROVED else ""
        concerned = dict.fromkeys(filter(None, (request.requester or request.author, *request.joined)))
        keys = {f"told:{request_id}:{request.state}{freeze}:{person}": person for person in concerned}
        waiting = {key: tx.people.get(keys[key]) for key in unsent_keys(keys, tx)}
    for key, person in waiting.items():
        found = None if person.account else s.notifier.find_account(person.email)
        account = person.account or (found.id if found else None)
        if account is not None:  # others are not in this workspace; the card and the ticket say it as well
            with for_account(account, s):
                post_once(key, account, outcome_card(request, context), s)


def announce(seq: str, s: Services) -> None:
    """Posts a ledger entry that is about no request, once in each channel that it concerns."""
    with s.store.transaction() as tx:
        entry = tx.ledger.get(int(seq))
        policy = tx.policy()
        with in_language(policy.language):
            note = note_of(entry.kind, json.loads(entry.body), policy, tx.people.all_names())
        if note is None:
            return
        channels = {f"note:{seq}:{channel}": channel for channel in note.channels}
        waiting = unsent_keys(channels, tx)
    with in_language(policy.language):
        for key in waiting:
            post_once(key, channels[key], note.card, s)


def _is_to_be_told(request: TransitionRequest) -> bool:
    """Once it has ended, or when a freeze holds it back; not when it ended before anyone could have seen it."""
    waits = request.state is State.APPROVED and request.frozen_until is None
    unseen = request.card is None and request.state in ENDED_UNDECIDED and request.requester is None
    return not (request.state.is_open or waits or unseen)


def has_called(request_id: str, tx: Transaction) -> bool:
    """Whether those who are to vote were mentioned, which is done once for each request."""
    return tx.outbox.is_sent(_called(request_id))


def note_the_call(request_id: str, tx: Transaction, now: datetime) -> None:
    SentRows(tx.connection).put(_called(request_id), "", now)


def _called(request_id: str) -> str:
    return f"called:{request_id}"


def _recording(request_id: str, card: Card, s: Services, instead_of: PostedCard | None = None) -> RecordCard:
    return partial(_record_card, request_id, s, called=bool(card.mentions), instead_of=instead_of)


def _record_card(
    request_id: str, s: Services, tx: Transaction, posted: PostedCard, *, called: bool, instead_of: PostedCard | None
) -> None:
    if called:
        note_the_call(request_id, tx, s.clock.now())
    request = tx.requests.get(request_id, for_update=True)
    if request.card == instead_of:
        tx.record([CardPosted(s.clock.now(), request_id, posted)])
        if request.follows is not None:  # the earlier card leads to this one
            tx.defer_for(FollowUp("sync_card", Lane.SLACK), tx.requests.get(request.follows))


def _record_ticket(request_id: str, s: Services, tx: Transaction, ticket: Ticket, named: NamedTicket | None) -> None:
    if tx.requests.get(request_id, for_update=True).ticket is None:
        tx.record([TicketOpened(s.clock.now(), request_id, ticket.ref, named)])


def _read(request_id: str, tx: Transaction, s: Services) -> tuple[TransitionRequest, CardContext]:
    request = tx.requests.get(request_id)
    return request, context_for(request, tx, s.clock.now())
