"""Which person a Slack account belongs to. What is not certain is refused, never guessed (docs/decisions/0003-who-may-vote.md).

An account is bound to a person when a policy comes into force, when somebody asks under that person's address, by an administrator, or at
its first click. After that only an administrator can change it. Each change is a ledger entry.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from enum import StrEnum

from bot.domain.events import AccountBound, AccountUnbound
from bot.domain.policy.rules import PersonEntry, Policy
from bot.errors import OutsideError, Permanent, Refused
from bot.language import _
from bot.ports import Account, AccountKind
from bot.services import Services
from bot.store.people import Person
from bot.store.transaction import Transaction
from handlers.request.askers import BIND_PERSON, look_at_votes_again


class Binding(StrEnum):
    """How an account came to its person; `before` are those from before this was recorded."""

    POLICY = "policy"
    ASKED = "asked"
    FIRST_PRESS = "first_press"
    ADMIN = "admin"
    BEFORE = "before"


def person_behind(account: Account, s: Services) -> Person:
    """The one person whose account it is. A new account is bound to the person with its address, unless either was bound before."""
    with s.store.transaction() as tx:
        return tx.people.holder(account.id) or _at_first_sight(account, Binding.FIRST_PRESS, tx, s.clock.now())


def bind_accounts(_seq: str, s: Services) -> None:
    """After a policy came into force: binds its people, and the members of its groups, by their present addresses."""
    policy = s.store.policy()
    troubles: list[OutsideError] = []
    for account in _accounts_named_by(policy, s, troubles):
        _bind_quietly(account, Binding.POLICY, s)
    for trouble in troubles:
        raise trouble


def bind_person(person_id: str, s: Services) -> None:
    """Binds the address of an asker at once, if no account is bound to it yet: its owner could change it later."""
    with s.store.transaction() as tx:
        person, is_known = tx.people.get(person_id), bool(tx.people.accounts(person=person_id))
    account = None if is_known else s.notifier.find_account(person.email)
    if account is not None:
        _bind_quietly(account, Binding.ASKED, s)
    look_at_votes_again(person_id, s)


def defer_binding(person: Person, tx: Transaction) -> Person:
    """Has the account behind an asker's address looked up soon, unless one is known."""
    if not tx.people.accounts(person=person.id):
        tx.defer(BIND_PERSON, person.id, f"people:{person.id}", once=True)
    return person


def bind_by_hand(email: str, account_id: str, by: str, s: Services) -> tuple[Person, Account]:
    """An administrator says whose account it is; without `account_id`, the one with that address in Slack. `by` is who, an id or empty."""
    account = s.notifier.account(account_id) if account_id else s.notifier.find_account(email)
    if account is None:
        raise Refused(f"Slack knows no account with the address {email}. Name the account: people bind EMAIL ACCOUNT")
    if account.kind is not AccountKind.MEMBER:
        raise Refused(f"{account.id} may not vote: it is {account.kind}. Name a full member's account")
    now = s.clock.now()
    with s.store.transaction() as tx:
        person, holder = tx.people.get_or_add(email, account.name or email), tx.people.holder(account.id)
        if holder is not None and holder.id != person.id:
            _unbind(holder.email, by, tx, now)
        if person.account not in (None, account.id):
            _unbind(person.email, by, tx, now)
        if tx.people.bind(person, account.id, Binding.ADMIN, now):
            tx.record([AccountBound(now, person.id, account.id, Binding.ADMIN, by)])
        return tx.people.get(person.id), account


def unbind_by_hand(email: str, by: str, s: Services) -> str | None:
    """Returns the account; None when none was bound."""
    with s.store.transaction() as tx:
        return _unbind(email, by, tx, s.clock.now())


def _unbind(email: str, by: str, tx: Transaction, now: datetime) -> str | None:
    account = tx.people.unbind(email, now)
    person = tx.people.find(email)
    if account is not None and person is not None:
        tx.record([AccountUnbound(now, person.id, account, by)])
    return account


def _bind_quietly(account: Account, how: Binding, s: Services) -> None:
    """An account that cannot be bound is left unbound: its owner reads why, and what to do about it, at the first click."""
    if account.kind is not AccountKind.MEMBER or not account.email:
        return
    with s.store.transaction() as tx:
        person, now = tx.people.find(account.email), s.clock.now()
        if tx.people.accounts(account=account.id):
            if person is not None and not tx.people.accounts(person=person.id):
                tx.people.remember(person, account.id, how, now)
            return
        if person is None or not tx.people.accounts(person=person.id):
            _at_first_sight(account, how, tx, now)


def _at_first_sight(account: Account, how: Binding, tx: Transaction, now: datetime) -> Person:
    if tx.people.accounts(account=account.id):
        holder = tx.people.holder(account.id)
        if holder is not None:  # bound by another click since the caller looked
            return holder
        raise Refused(
            _(
                "an administrator has unbound your Slack account from its person. "
                "Ask one for `countersign people bind EMAIL {account}`",
                account=account.id,
            )
        )
    if not account.email:
        raise Refused(_("Slack does not tell your e-mail address, so Countersign cannot know who you are"))
    person = _person_with_address_of(account, tx)
    earlier = [one for one in tx.people.accounts(person=person.id) if one.account != account.id]
    if earlier:
        raise Refused(
            _(
                "the address {email} was bound to another Slack account before. If both are yours, ask an administrator for "
                "`countersign people bind {email} {account}`",
                email=person.email,
                account=account.id,
            )
        )
    if tx.people.bind(person, account.id, how, now):
        tx.record([AccountBound(now, person.id, account.id, how)])
    return tx.people.get(person.id)


def _person_with_address_of(account: Account, tx: Transaction) -> Person:
    person = tx.people.get_or_add(account.email, account.name)
    if person.name == person.email and account.name:  # until now they were only an address in a group or an ask
        tx.people.enrol([PersonEntry(account.name, account.email)])
    return tx.people.get(person.id)


def _accounts_named_by(policy: Policy, s: Services, troubles: list[OutsideError]) -> Iterator[Account]:
    """The accounts that Slack names. A failure for one group or address does not hold up the others."""
    with s.store.transaction() as tx:
        bound = {row.account for row in tx.people.accounts()}
        known = {person.email for person in tx.people.everybody() if tx.people.accounts(person=person.id)}
    for email in _addresses_of(policy):
        if email not in known and (account := s.notifier.find_account(email)) is not None:
            yield account
    for handle in _slack_groups_of(policy):
        try:
            members = s.notifier.members_of(handle)
        except Permanent as gone:
            troubles.append(gone)
            continue
        for account_id in sorted(members - bound):
            yield s.notifier.account(account_id)


def _addresses_of(policy: Policy) -> Iterable[str]:
    listed = (email for group in policy.groups for email in group.people)
    return dict.fromkeys((*(entry.email for entry in policy.people), *listed))


def _slack_groups_of(policy: Policy) -> Iterable[str]:
    return dict.fromkeys(group.slack_group for group in policy.groups if group.slack_group is not None)
