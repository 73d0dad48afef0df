"""Creating things outside exactly once, although answers get lost.

Before a create stands our word that we are about to (`outbox.reserve`); whoever finds such a word from an earlier try looks the thing up
by its key and adopts it, and creates only when it is sure not to be there.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from bot.domain.card.card import Card
from bot.domain.references import PostedCard, TicketPlan
from bot.errors import OutcomeUnknown, OutsideError, Temporary
from bot.ports import Ticket
from bot.services import Services

T = TypeVar("T")


def post_once(key: str, channel: str, card: Card, s: Services, *, thread: str | None = None) -> PostedCard:
    """Posts, in a thread when one is named, or adopts what an earlier try posted."""
    now = s.clock.now()
    with s.store.transaction() as tx:
        begun = tx.outbox.reserve(key, now)
    posted = s.notifier.find_post(channel, key, begun, thread) if begun else None
    if begun is not None and posted is None:
        wait_until_settled(
            begun, s.notifier.post_settles, s, "a message may have been posted, but it is not to be seen yet"
        )
    if posted is None:
        posted = create_once(key, lambda: s.notifier.post(channel, card, key, thread), s)
    with s.store.transaction() as tx:
        tx.outbox.complete(key, now)
    return posted


def open_ticket_once(key: str, plan: TicketPlan, card: Card, s: Services) -> Ticket:
    """Opens, or adopts what an earlier try opened."""
    now = s.clock.now()
    with s.store.transaction() as tx:
        begun = tx.outbox.reserve(key, now)
    ticket = s.tickets.find_ticket(plan, key) if begun else None
    if begun is not None and ticket is None:
        why = "a ticket may have been created, but the search lags behind"
        wait_until_settled(begun, s.tickets.search_settles, s, why)
    if ticket is None:
        ticket = create_once(key, lambda: s.tickets.open_ticket(plan, card, key), s)
    with s.store.transaction() as tx:
        tx.outbox.complete(key, now)
    return ticket


def hand_over_once(key: str, settles: float, hand_over: Callable[[], None], s: Services) -> None:
    """For what looks by itself at what is there already, but must not look before a lost answer has had its time."""
    with s.store.transaction() as tx:
        if tx.outbox.is_sent(key):
            return
        begun = tx.outbox.reserve(key, s.clock.now())
    if begun is not None:
        wait_until_settled(begun, settles, s, "files may have been handed over, but they are not to be seen yet")
    create_once(key, hand_over, s)
    with s.store.transaction() as tx:
        tx.outbox.complete(key, s.clock.now())


def once(key: str, deed: Callable[[], None], s: Services) -> None:
    """For what is safe to repeat but costs the other side: a ticket takes few writes in a second. Not done again once it has succeeded."""
    with s.store.transaction() as tx:
        if tx.outbox.is_sent(key):
            return
    deed()
    with s.store.transaction() as tx:
        tx.outbox.reserve(key, s.clock.now())
        tx.outbox.complete(key, s.clock.now())


def wait_until_settled(begun: datetime, seconds: float, s: Services, why: str) -> None:
    """Late is better than twice: what may still turn up is waited for before anything is created again."""
    remaining = (begun + timedelta(seconds=seconds) - s.clock.now()).total_seconds()
    if remaining > 0:
        raise Temporary(why, remaining)


def create_once(key: str, create: Callable[[], T], s: Services) -> T:
    """Our word stays given when the outcome is unknown, and is called off when it is certain that nothing was made."""
    with s.store.transaction() as tx:
        tx.outbox.renew(key, s.clock.now())
    try:
        return create()
    except OutcomeUnknown:
        raise
    except OutsideError:
        with s.store.transaction() as tx:
            tx.outbox.release(key)
        raise
