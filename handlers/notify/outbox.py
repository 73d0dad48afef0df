"""Creating things outside exactly once although answers get lost, and not sending again what has not changed.

A row says that a create is about to begin (`outbox.reserve`). A later try that finds the row looks the thing up by its key and adopts
it, and creates it only when it is certainly not there.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from bot.domain.card.card import Card
from bot.domain.ledger.chain import as_plain
from bot.domain.references import PostedCard, TicketPlan
from bot.engine.lanes import Urgency
from bot.engine.pace import AT_ONCE, Departure
from bot.errors import NotYet, OutcomeUnknown, OutsideError, Temporary
from bot.ports import Ticket
from bot.services import Services
from bot.store.outbox import SentRows
from bot.store.transaction import Transaction

PATIENCE = 1.5  # seconds that a message waits for its turn in its worker's thread

T = TypeVar("T")


@dataclass(frozen=True)
class Write:
    """A write that is safe to repeat but costs the other side.

    `content` is what it writes, where that may change under the same key; empty where it cannot, as in a comment. `record` runs in the
    transaction that notes it as sent.
    """

    key: str
    act: Callable[[], None]
    content: str = ""
    record: Callable[[Transaction], None] = lambda _tx: None

    @property
    def digest(self) -> str:
        return digest_of(self.content) if self.content else ""


def post_once(
    key: str,
    channel: str,
    card: Card | Callable[[], Card],
    s: Services,
    *,
    thread: str | None = None,
    broadcast: bool = False,
    urgency: Urgency = Urgency.NOTE,
    asker: str | None = None,
    record: Callable[[Transaction, PostedCard], None] = lambda _tx, _posted: None,
) -> PostedCard:
    """Posts, in a thread when one is named, or adopts what an earlier try posted. In a channel, the people who asked take turns.

    `broadcast` shows a reply in its channel as well.

    `record` runs in the transaction that notes the end, so that both are committed or neither. A `card` that costs calls is made when its
    turn has come. Raises NotYet while other messages in the channel come first.
    """
    now = s.clock.now()
    with s.store.sleepers.place() as may_sleep:
        begun, its_turn = _reserve_in_turn(key, channel, urgency, asker or "", now, s, may_sleep=may_sleep)
        posted, arrival = s.notifier.find_post(channel, key, begun, thread) if begun else None, None
        if posted is None:
            why = "a message may have been posted, but it is not to be seen yet"
            create = partial(_post, channel, card, key, thread, its_turn, s, broadcast=broadcast)
            posted, arrival = _create(key, begun, create, s.notifier.post_settles, why, s)
    with s.store.transaction() as tx:  # one for all, so that a click that comes at once finds its message on record
        tx.outbox.complete(key, now)
        if arrival is not None:
            tx.pace.arrive(channel, arrival.departure, arrival.ago)
        if posted.channel != channel and s.notifier.post_spacing:
            tx.pace.name(channel, posted.channel)
        record(tx, posted)
    return posted


def _post(
    channel: str,
    card: Card | Callable[[], Card],
    key: str,
    thread: str | None,
    its_turn: datetime,
    s: Services,
    *,
    broadcast: bool,
) -> tuple[PostedCard, _Arrival | None]:
    """The card is made while the message waits for its turn, and for its distance to the message before."""
    made = card if isinstance(card, Card) else card()
    s.store.sleepers.sleep((its_turn - s.clock.now()).total_seconds())
    post = partial(s.notifier.post, channel, made, key, thread, broadcast=broadcast)
    if not s.notifier.post_spacing:
        return post(), None
    departure = _wait_to_leave(channel, s)
    left = time.monotonic()
    try:
        posted = post()
    except OutsideError:
        with s.store.transaction() as tx:
            tx.pace.arrive(channel, departure)
        raise
    return posted, _Arrival(departure, s.store.answer_times.arrived_ago(time.monotonic() - left))


@dataclass(frozen=True)
class _Arrival:
    """Of a message that left: the one after it keeps its distance from so many seconds before its answer."""

    departure: Departure
    ago: float


def _wait_to_leave(channel: str, s: Services) -> Departure:
    """Waits for the answer to the message before, and then for the distance to it; nothing more has to be asked, so it leaves on time."""
    while True:
        with s.store.transaction() as tx:
            departure = tx.pace.leave(channel, s.notifier.post_spacing)
        s.store.sleepers.sleep(departure.seconds)
        if departure.is_granted:
            return departure


def _reserve_in_turn(
    key: str, channel: str, urgency: Urgency, asker: str, now: datetime, s: Services, *, may_sleep: bool
) -> tuple[datetime | None, datetime]:
    """Reserves the key when it is this message's turn in the channel; returns since when it is reserved, if it was before, and its turn."""
    with s.store.transaction() as tx:
        begun, turn = tx.outbox.begun(key, now), AT_ONCE
        if begun is None and s.notifier.post_spacing:
            patience = PATIENCE if may_sleep else 0.0
            turn = tx.pace.take(channel, key, urgency, s.notifier.post_spacing, patience, asker=asker)
        its_turn = s.clock.now() + timedelta(seconds=turn.seconds)
        if begun is None and turn.is_granted:
            # Another job may have reserved it while this one waited for the turn's lock: then this one adopts its message.
            begun = tx.outbox.reserve(key, now + timedelta(seconds=turn.seconds))
    if not turn.is_granted:
        raise NotYet(f"other messages come first in {channel}.", turn.seconds)
    return begun, its_turn


def open_ticket_once(
    key: str,
    plan: TicketPlan,
    card: Card,
    s: Services,
    *,
    parent: str = "",
    record: Callable[[Transaction, Ticket], None] = lambda _tx, _ticket: None,
) -> Ticket:
    """Opens, or adopts what an earlier try opened; `parent` is the ticket of which it becomes a sub-task.

    `record` runs in the transaction that notes the end.
    """
    now = s.clock.now()
    with s.store.transaction() as tx:
        begun = tx.outbox.reserve(key, now)
    ticket = s.tickets.find_ticket(plan, key) if begun else None
    if ticket is None:
        why = "a ticket may have been created, but the search lags behind"
        create = partial(s.tickets.open_ticket, plan, card, key, parent)
        ticket = _create(key, begun, create, s.tickets.search_settles, why, s)
    with s.store.transaction() as tx:
        tx.outbox.complete(key, now)
        record(tx, ticket)
    return ticket


def hand_over_once(key: str, settles: float, hand_over: Callable[[], None], s: Services) -> None:
    """For a call that looks for what is there already, but must not look before a lost answer has had its time."""
    with s.store.transaction() as tx:
        if tx.outbox.is_sent(key):
            return
        begun = tx.outbox.reserve(key, s.clock.now())
    _create(key, begun, hand_over, settles, "files may have been handed over, but they are not to be seen yet", s)
    with s.store.transaction() as tx:
        tx.outbox.complete(key, s.clock.now())


def once(key: str, act: Callable[[], None], s: Services) -> None:
    """One `Write`. Not done again once it has succeeded."""
    write = Write(key, act)
    with s.store.transaction() as tx:
        if not unsent([write], tx):
            return
    send_all([write], s)


def unsent(writes: Sequence[Write], tx: Transaction) -> list[Write]:
    """Those that were never sent, or with another content. A row without a digest is of a release that kept none: it counts as sent."""
    sent = SentRows(tx.connection).digests([write.key for write in writes])
    return [write for write in writes if write.key not in sent or sent[write.key] not in ("", write.digest)]


def unsent_keys(keys: Collection[str], tx: Transaction) -> list[str]:
    """Those under which nothing was sent, in their order."""
    sent = SentRows(tx.connection).digests(keys)
    return [key for key in keys if key not in sent]


def send_all(writes: Sequence[Write], s: Services) -> None:
    """Sends them in order, with no transaction open, and notes in one transaction what was sent.

    When one fails, those before it are noted all the same and its error is raised. A process that dies before does them all again,
    which is safe.
    """
    sent: list[Write] = []
    try:
        for write in writes:
            write.act()
            sent.append(write)
    except Exception:
        _note(sent, s)
        raise
    _note(sent, s)


def _note(sent: Sequence[Write], s: Services) -> None:
    now = s.clock.now()
    if sent:
        with s.store.transaction() as tx:
            for write in sent:
                SentRows(tx.connection).put(write.key, write.digest, now)
                write.record(tx)


@dataclass(frozen=True)
class CardUpdate:
    """A posted message that is about to show another card. Made in a transaction that is committed before `send`."""

    key: str
    posted: PostedCard
    card: Card
    begun: datetime
    alone: bool

    def send(self, s: Services) -> None:
        """Keeps the digest of what the message shows now; not of a card that went without its image, so that it is sent again.

        When the call fails, or the process dies around it, no digest is kept either.
        """
        is_whole = s.notifier.update(self.posted, self.card)
        if is_whole and self.alone:
            with s.store.transaction() as tx:
                SentRows(tx.connection).finish(self.key, card_digest(self.card), self.begun, s.clock.now())


def begin_update(key: str, posted: PostedCard, card: Card, tx: Transaction, s: Services) -> CardUpdate | None:
    """None when the message is known to show just this card."""
    rows = SentRows(tx.connection)
    if rows.digests([key]).get(key) == card_digest(card):
        return None
    now = s.clock.now()
    alone = rows.begin(key, now, timedelta(seconds=s.notifier.post_settles))
    return CardUpdate(key, posted, card, now, alone)


def card_digest(card: Card) -> str:
    return digest_of(json.dumps(as_plain(card), sort_keys=True))


def digest_of(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()


def create_once(key: str, create: Callable[[], T], s: Services) -> T:
    """The reservation stays when the outcome is unknown, and is released when it is certain that nothing was made."""
    with s.store.transaction() as tx:
        tx.outbox.renew(key, s.clock.now())
    return _create_reserved(key, create, s)


def _create(key: str, begun: datetime | None, create: Callable[[], T], settles: float, why: str, s: Services) -> T:
    """`begun` is the moment of an earlier reservation, whose outcome was looked up and not found; None when ours is the first."""
    if begun is None:
        return _create_reserved(key, create, s)
    _wait_until_settled(begun, settles, s, why)
    return create_once(key, create, s)


def _create_reserved(key: str, create: Callable[[], T], s: Services) -> T:
    try:
        return create()
    except OutcomeUnknown:
        raise
    except OutsideError:
        with s.store.transaction() as tx:
            tx.outbox.release(key)
        raise


def _wait_until_settled(begun: datetime, seconds: float, s: Services, why: str) -> None:
    """Late is better than twice: raises Temporary until what an earlier try may have created would be found."""
    remaining = (begun + timedelta(seconds=seconds) - s.clock.now()).total_seconds()
    if remaining > 0:
        raise Temporary(why, remaining)
