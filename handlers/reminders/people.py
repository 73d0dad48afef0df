"""Effects: reminders. Each person gets one direct message about all that waits for them, not one for each request.

When a reminder is due is decided in `handlers.request.deadlines`; here it reaches those whose votes are missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import structlog

from bot.domain.calm.mentions import Occasion, call_key, escalated_to, missing
from bot.domain.calm.reminders import is_due, reminders_card
from bot.domain.card.card import Called, Card, Mention
from bot.domain.card.context import CardContext
from bot.domain.card.request_card import reminder_card
from bot.domain.model import State, TransitionRequest
from bot.domain.policy.rules import Policy
from bot.domain.references import PostedCard
from bot.engine.lanes import Lane
from bot.errors import Permanent
from bot.ports import Account
from bot.services import Services
from bot.store.outbox import SentRows
from bot.store.transaction import Transaction
from handlers.notify.calls import note_call, noted_calls
from handlers.notify.card_and_ticket import card_in_place
from handlers.notify.outbox import post_once
from handlers.notify.readers import for_account, for_everyone
from handlers.notify.render_context import context_for
from handlers.reminders.waiting import member_with, waits_for

log = structlog.get_logger()


@dataclass(frozen=True)
class Reached:
    """The accounts of those whose votes are missing, and those of whom no account is known."""

    accounts: tuple[str, ...]
    unknown: tuple[Mention, ...]


def remind(request_id: str, s: Services) -> None:
    """Has everyone who is missing reminded. Who has no account that could get a message is mentioned in the card's thread.

    An escalation is news for those who may vote from now on: they alone are mentioned, once.
    """
    with s.store.transaction() as tx:
        request = tx.requests.get(request_id)
        context = context_for(request, tx, s.clock.now())
    if request.state is not State.PENDING or request.card is None:
        return
    card = card_in_place(request_id, s)
    if card is not None:
        _call_the_second_group(request, context, card, s)
        if request.reminders:
            _remind_of(request, context, card, s)


def remind_person(account_id: str, s: Services) -> None:
    """One message about all that waits for this person, when a reminder has come due since the last one."""
    now = s.clock.now()
    with s.store.transaction() as tx:
        policy, last = tx.policy(), _last(account_id, tx)
    if last is not None and last <= now and not _may_be_due(last, policy, now):
        return
    account = member_with(account_id, s)
    if account is None:
        return
    waiting = waits_for(account, s)
    if not is_due(waiting, last, policy.calendar, now):
        return
    with for_account(account_id, s):
        card = reminders_card(waiting, now)
    key = f"reminders:{account_id}:{last.isoformat() if last else 'first'}"

    def record(tx: Transaction, _posted: PostedCard) -> None:
        _note(account_id, tx, now)

    post_once(key, account_id, card, s, record=record)


def _remind_of(request: TransitionRequest, context: CardContext, card: PostedCard, s: Services) -> None:
    with for_everyone(s):
        reached = _reach(missing(request, context), s)
    key = call_key(request, Occasion.REMINDER)
    with s.store.transaction() as tx:
        for account in reached.accounts:
            tx.defer("remind_person", account, f"{Lane.NOTES}:remind:{account}", once=True)
        is_new = key not in noted_calls((key,), tx)
    if reached.unknown and is_new:
        with for_everyone(s):
            _reply(request, context, card, reached.unknown, key, s)


def _call_the_second_group(request: TransitionRequest, context: CardContext, card: PostedCard, s: Services) -> None:
    key = call_key(request, Occasion.ESCALATION)
    with s.store.transaction() as tx:
        noted = noted_calls((key,), tx)
    with for_everyone(s):
        called = escalated_to(request, context, noted)
        if called:
            _reply(request, context, card, called, key, s)


def _reply(
    request: TransitionRequest,
    context: CardContext,
    card: PostedCard,
    called: tuple[Mention, ...],
    key: str,
    s: Services,
) -> None:
    said: Card = reminder_card(request, context, called)

    def record(tx: Transaction, _reply: PostedCard) -> None:
        note_call(key, tx, s.clock.now())

    post_once(f"reminder:{key}", card.channel, said, s, thread=card.root, record=record)


def _reach(mentions: tuple[Mention, ...], s: Services) -> Reached:
    """With the delegates of who is away. Who has asked or trained, or has voted, is left out when their own message is made."""
    accounts: dict[str, None] = {}
    unknown: list[Mention] = []
    for mention in mentions:
        found = _accounts_of(mention, s)
        accounts.update(dict.fromkeys(found))
        if not found:
            unknown.append(mention)
    with s.store.transaction() as tx:
        accounts.update(dict.fromkeys(_delegates(accounts, tx, s.clock.now())))
    return Reached(tuple(accounts), tuple(unknown))


def _accounts_of(mention: Mention, s: Services) -> list[str]:
    """Nobody's where the notifier does not know the group or the person. Raises Temporary."""
    try:
        if mention.kind is Called.GROUP:
            return sorted(s.notifier.members_of(mention.key))
        with s.store.transaction() as tx:
            known = tx.people.find(mention.key)
        if known is not None and known.account:
            return [known.account]
        account: Account | None = s.notifier.find_account(mention.key)
    except Permanent as refusal:
        log.warning("not_reminded", who=mention.key, why=str(refusal))
        return []
    return [account.id] if account else []


def _delegates(accounts: dict[str, None], tx: Transaction, now: datetime) -> list[str]:
    found = []
    for account in accounts:
        person = tx.people.holder(account)
        absence = tx.absences.find(person.id, now) if person else None
        delegate = tx.people.get(absence.delegate) if absence else None
        if delegate is not None and delegate.account:
            found.append(delegate.account)
    return found


def _may_be_due(last: datetime, policy: Policy, now: datetime) -> bool:
    """Whether the pause of any rule is over; what waits is looked for only then."""
    pauses = [rule.remind_after for rule in policy.rules if rule.remind_after is not None]
    return bool(pauses) and policy.calendar.elapsed(last, now) >= min(pauses)


def _last(account: str, tx: Transaction) -> datetime | None:
    """When this person was reminded last."""
    key = _key(account)
    noted = SentRows(tx.connection).digests([key]).get(key)
    return datetime.fromisoformat(noted) if noted else None


def _note(account: str, tx: Transaction, at: datetime) -> None:
    SentRows(tx.connection).put(_key(account), at.isoformat(), at)


def _key(account: str) -> str:
    return f"reminded:{account}"
