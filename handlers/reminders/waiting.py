"""Which open votes wait for one account: the person's own, and those that absent people have left to them. Reads only."""

from __future__ import annotations

import structlog

from bot.domain.calm.reminders import Waits
from bot.domain.model import State, TransitionRequest
from bot.domain.request.quorum import under
from bot.errors import Permanent
from bot.ports import Account, AccountKind
from bot.services import Services
from bot.store.people import Person
from bot.store.transaction import Transaction
from handlers.notify.render_context import context_for
from handlers.queries.needed_votes import NeededVotes

log = structlog.get_logger()


def waits_for(account: Account, s: Services) -> list[Waits]:
    """Oldest first; none while the person is away. Raises Temporary while the notifier does not say who is in a group."""
    now = s.clock.now()
    with s.store.transaction() as tx:
        person = person_at(account, tx)
        if tx.absences.find(person.id, now) is not None:
            return []
        ids = tx.people.ids_of(person.id)
        absent = [tx.people.get(one.person) for one in tx.absences.absences_covered_by(person.id, now)]
        pending = tx.requests.find(states=(State.PENDING,))
    own = NeededVotes(person, s, asks_notifier=True)
    lent = [NeededVotes(one, s, asks_notifier=True) for one in absent]
    found = [one for one in pending if _is_needed(one, own, lent, ids)]
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


def _is_needed(request: TransitionRequest, own: NeededVotes, lent: list[NeededVotes], ids: frozenset[str]) -> bool:
    """A vote for somebody absent is the person's one vote as well."""
    try:
        if own.is_needed_for(request):
            return True
        has_voted = any(ids & {*vote.ids, *vote.standing_in_for} for vote in under(request, request.rule_hash).votes)
        is_free = not (request.parties & ids or has_voted)
        return is_free and any(one.is_needed_for(request) for one in lent)
    except Permanent as refusal:  # one rule's group is gone: what waits under other rules is said all the same
        log.warning("group_not_read", request=request.id, why=str(refusal))
        return False
