"""Effects on people and tickets: each reads the request's current row and brings its system to it. Running one again is always safe.

One transaction reads, then the vendors are called with no transaction open, then one transaction records. How a thing is created once
although answers get lost is in `outbox`; moves in the registry are in `handlers.registry.apply`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from functools import partial

import structlog

from bot.domain.calm.grouping import CardGroup
from bot.domain.card.card import Card
from bot.domain.card.request_card import CALL_OFF, request_card
from bot.domain.card.sentences import CardContext
from bot.domain.events import CardPosted, TicketOpened
from bot.domain.model import ENDED_UNDECIDED, State, TransitionRequest, Verdict
from bot.domain.references import NamedTicket, PostedCard
from bot.engine.lanes import FollowUp, Lane, Urgency
from bot.errors import MessageGone
from bot.language import _, sentences
from bot.language.catalogues import in_language
from bot.ports import Ticket
from bot.services import Services
from bot.store.calm.groups import GroupRows
from bot.store.outbox import SentRows, card_ended_by_restore, ended_by_restore
from bot.store.requests import LIVE
from bot.store.transaction import Transaction
from handlers.notify.announcements import note_of
from handlers.notify.calls import call_key_of, may_call, note_call
from handlers.notify.grouped.lists import group_lane, put_back
from handlers.notify.grouped.places import defer_list, group_for, urgency_in
from handlers.notify.outbox import CardUpdate, begin_update, post_once, send_all, unsent, unsent_keys
from handlers.notify.own_posts import NotOnRecord
from handlers.notify.readers import for_everyone
from handlers.notify.render_context import context_for, needed_rule, plan_of
from handlers.notify.ticket_opening import open_ticket
from handlers.notify.ticket_writes import (
    in_few_calls,
    reserve_comments,
    unreadable_key,
    version_page,
    writes_for,
)

log = structlog.get_logger()
RecordCard = Callable[[Transaction, PostedCard], None]
ENDED_BY_RESTORE = (State.WITHDRAWN, State.STALE, State.REJECTED)
OF_WAITING = (Verdict.REJECT, CALL_OFF)  # the buttons of cards that wait for votes, or for a freeze to end


def sync_card(request_id: str, s: Services) -> None:
    """One message for each request, always showing its current state."""
    with s.store.transaction() as tx:
        request, context = _read(request_id, tx, s)
        group = group_for(request, context, tx, s.clock.now())
        if request.card is None and (request.state in ENDED_UNDECIDED or (group and group.posted is None)):
            return  # it ended before its card was posted, so there is nothing to say; or its group's list comes first, and leads here
        if any(question.posted for question in request.conversation.unanswered) and not request.state.is_open:
            tx.defer_for(FollowUp("show_questions", Lane.SLACK), request)  # they lose their button
        calls = request.card is None and may_call(request, context, tx, is_grouped=group is not None)
        language = tx.policy().language
        with in_language(language):
            card = request_card(request, context, version_page(request, s), calls=calls)
        is_older = request.card is not None and _may_say_more(request, tx)
        update = None if is_older else _update_of(request, card, tx, s)
    with in_language(language):
        if request.card is None:
            _post_card(request, context, card, group, s)
        elif is_older:
            _end_card(request, request.card, card, s)
        elif update is not None:
            try:
                update.send(s)
            except MessageGone:
                _post_anew(request, context, s)


def _update_of(request: TransitionRequest, card: Card, tx: Transaction, s: Services) -> CardUpdate | None:
    return begin_update(f"card-shown:{request.id}", request.card, card, tx, s) if request.card else None


def _may_say_more(request: TransitionRequest, tx: Transaction) -> bool:
    """Whether it waited in a backup that was restored, and its card may say who decided it since."""
    is_ended = request.state in ENDED_BY_RESTORE and tx.outbox.is_sent(ended_by_restore(request.id))
    return is_ended and not tx.outbox.is_sent(card_ended_by_restore(request.id))


def _end_card(request: TransitionRequest, posted: PostedCard, card: Card, s: Services) -> None:
    """A card that waits no longer is left as it is, and a reply says why."""
    if not s.notifier.has_button(posted, *OF_WAITING):
        with suppress(MessageGone):
            post_once(f"restored:{request.id}", posted.channel, _restored_note(), s, thread=posted.root)
        return
    with s.store.transaction() as tx:
        SentRows(tx.connection).put(card_ended_by_restore(request.id), "", s.clock.now())
        update = _update_of(request, card, tx, s)
    if update is not None:
        with suppress(MessageGone):
            update.send(s)


def _restored_note() -> Card:
    said = _(
        "Countersign's database was restored from a backup in which this request still waited. What the card says was decided since, and "
        "is not on record any more."
    )
    return Card(_("Restored from a backup"), said, paragraphs=(said,))


def _post_card(
    request: TransitionRequest, context: CardContext, card: Card, group: CardGroup | None, s: Services
) -> None:
    """In the channel, or below the list of its group: there it comes after the cards that call people, unless somebody has opened it."""
    record, asker, key = _recording(request, card, s), request.requester, _card_key(request)
    if group is None or group.posted is None:
        channel = needed_rule(request, context.rule).channel
        post_once(key, channel, card, s, urgency=Urgency.CARD, asker=asker, record=record)
        return
    place, urgency = group.posted, urgency_in(request, s)
    try:
        post_once(key, place.channel, card, s, thread=place.message, urgency=urgency, asker=asker, record=record)
    except MessageGone:
        put_back(group.id, place, s)


def card_not_on_record(said: str, request: TransitionRequest, tx: Transaction) -> NotOnRecord:
    """The message may be the request's card: the first one, or the one that follows a deleted one."""
    group = GroupRows(tx.connection).of(request.id) if request.card is None else None
    thread = group.posted.message if group and group.posted else ""
    record = partial(_record_card, request.id, called=True, instead_of=request.card)
    return NotOnRecord(said, {_card_key(request): record}, thread)


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
        for group in GroupRows(tx.connection).with_live_requests():
            tx.defer("look_at_group", group.id, group_lane(group.id), once=True)
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
        calls = may_call(request, context, tx)
    with for_everyone(s):
        card = request_card(request, context, version_page(request, s), calls=calls)
        key, record = _card_key(request), _recording(request, card, s)
        return post_once(key, gone.channel, card, s, urgency=Urgency.CARD, asker=request.requester, record=record)


def _card_key(request: TransitionRequest) -> str:
    """Of the card that is posted next: the first one, or the one instead of a card that was deleted."""
    return f"card:{request.id}:after:{request.card.message}" if request.card else f"card:{request.id}"


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
            said = _moved_by_hand(status, request, s.notifier.name)
        s.tickets.comment(request.ticket, f"by-hand:{request.id}:{status}", said)


def _moved_by_hand(status: str, request: TransitionRequest, chat: str) -> str:
    said = _(
        "This ticket was moved to {status} by hand. That decides nothing: the request still waits for a vote in {chat}.",
        status=status,
        chat=chat,
    )
    return sentences(said, _("The card: {card}", card=request.card.url) if request.card else "")


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


def _recording(request: TransitionRequest, card: Card, s: Services) -> RecordCard:
    def record(tx: Transaction, posted: PostedCard) -> None:
        _record_card(request.id, tx, posted, s.clock.now(), called=bool(card.mentions), instead_of=request.card)

    return record


def _record_card(
    request_id: str, tx: Transaction, posted: PostedCard, now: datetime, *, called: bool, instead_of: PostedCard | None
) -> None:
    if called:
        note_call(call_key_of(request_id), tx, now)
    request = tx.requests.get(request_id, for_update=True)
    if request.card == instead_of:
        tx.record([CardPosted(now, request_id, posted)])
        group = GroupRows(tx.connection).of(request_id) if posted.thread else None
        if group is not None:
            defer_list(group.id, tx, is_new=False)
        if request.follows is not None:  # the earlier card leads to this one
            tx.defer_for(FollowUp("sync_card", Lane.SLACK), tx.requests.get(request.follows))


def _record_ticket(request_id: str, s: Services, tx: Transaction, ticket: Ticket, named: NamedTicket | None) -> None:
    if tx.requests.get(request_id, for_update=True).ticket is None:
        tx.record([TicketOpened(s.clock.now(), request_id, ticket.ref, named)])


def _read(request_id: str, tx: Transaction, s: Services) -> tuple[TransitionRequest, CardContext]:
    request = tx.requests.get(request_id)
    return request, context_for(request, tx, s.clock.now())
