"""Effect `bind_accounts`: after a policy came into force, binds the accounts of those who may vote, before an owner changes the address.

In Slack as `handlers.request.accounts` does it; in the ticket system only where a rule lets people decide there and addresses are verified.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bot.domain.policy.rules import Group
from bot.errors import Permanent
from bot.services import Services
from handlers.request import accounts
from handlers.tickets.accounts import bind_address


def bind_accounts(seq: str, s: Services) -> None:
    """After a policy came into force: binds its people, and the members of its groups, by their addresses in Slack and where they decide in
    tickets. What fails at one of the two does not hold up the other.
    """
    try:
        accounts.bind_accounts(seq, s)
    finally:
        _bind_in_tickets(s)


def _bind_in_tickets(s: Services) -> None:
    policy = s.store.policy()
    deciding = [rule for rule in policy.rules if rule.ticket is not None and rule.ticket.decides]
    if not deciding or not s.decisions.verifies_addresses():
        return
    groups = {group.name: group for rule in deciding for group in policy.groups_of(rule)}
    for email in _without_account(dict.fromkeys(_addresses_in(groups.values(), s)), s):
        bind_address(email, s)


def _addresses_in(groups: Iterable[Group], s: Services) -> Iterator[str]:
    """Of a group of Slack, those of the members whose accounts there are bound."""
    for group in groups:
        yield from group.people
        if group.slack_group is None:
            continue
        try:
            members = s.notifier.members_of(group.slack_group)
        except Permanent:
            continue  # `accounts.bind_accounts` has raised it
        with s.store.transaction() as tx:
            holders = [tx.people.holder(account) for account in sorted(members)]
        yield from (holder.email for holder in holders if holder is not None)


def _without_account(emails: Iterable[str], s: Services) -> list[str]:
    with s.store.transaction() as tx:
        people = {email: tx.people.find(email) for email in emails}
        return [email for email, one in people.items() if one is None or not tx.ticket_accounts.accounts_of(one.id)]
