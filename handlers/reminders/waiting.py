"""Which open votes wait for one account: the person's own, and those that absent people have left to them. Reads only."""

from __future__ import annotations

import structlog

from bot.domain.calm.reminders import Waits
from bot.domain.model import State, TransitionRequest
from bot.errors import Permanent
from bot.ports import Account, AccountKind
from bot.services import Services
from bot.store.people import Person
from bot.store.transaction import Transaction
from handlers.notify.render_context import context_for
from handlers.queries.needed_votes import WaitingVotes

log = structlog.get_logger()


def waits_for(account: Account, s: Services) -> list[Waits]:
    """Oldest first; none while the person is away. Raises Temporary while the notifier does not say who is in a group."""
    now = s.clock.now()
    with s.store.transaction() as tx:
        person = person_at(account, tx)
        if tx.absences.find(person.id, now) is not None:
            return []
        pending = tx.requests.find(states=(State.PENDING,))
    votes = WaitingVotes(person, s, asks_notifier=True)
    found = [one for one in pending if _is_needed(one, votes)]
    with s.store.transaction() as tx:
        return [Waits(one, context_for(one, tx, now)) for one in found]


def member_with(account_id: str, s: Services) -> Account | None:
    """None when the account is gone, or is no member's any more. Raises Temporary."""
    try:
        account = s.notifier.account(account_id)
    except Permanent as refusal:
        log.warning("account_gone", account=account_id, why=str(refusal))
        return None
    return account if account.kind is AccountKind.MEMBER else None


def person_at(account: Account, tx: Transaction) -> Person:
    """Whose account it is, or who has its address. Somebody of whom nothing is known yet may still be in a group of the notifier."""
    known = tx.people.holder(account.id) or (tx.people.find(account.email) if account.email else None)
    return known or Person(f"account:{account.id}", account.email.lower(), account.name, account.id)


def _is_needed(request: TransitionRequest, votes: WaitingVotes) -> bool:
    try:
        return votes.is_needed_for(request)
    except Permanent as refusal:  # one rule's group is gone: what waits under other rules is said all the same
        log.warning("group_not_read", request=request.id, why=str(refusal))
        return False
