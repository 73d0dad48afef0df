"""Which person an account of the ticket system belongs to. As in `handlers.request.accounts`: what is not certain is refused.

Where the ticket system verifies addresses, an account is bound to the person with its address when a policy takes effect, or when it first
decides. Elsewhere anyone could write a colleague's address into their own profile, so an administrator binds it. After that only an
administrator can change it. Each change is a ledger entry, and the ledger alone says whose an account is.
"""

from __future__ import annotations

from datetime import datetime

from bot.domain.events import TicketAccountBound, TicketAccountUnbound
from bot.errors import Permanent, Refused
from bot.language import N_, _
from bot.ports import Account, AccountKind
from bot.services import Services
from bot.store.people import Person
from bot.store.transaction import Transaction
from handlers.request.accounts import Binding

UNWELCOME = {
    AccountKind.GUEST: N_("customers and guests of the ticket system may not decide"),
    AccountKind.BOT: N_("an app or a bot may not decide"),
    AccountKind.DEACTIVATED: N_("this account is deactivated in the ticket system"),
    AccountKind.FOREIGN: N_("people from other organisations may not decide"),
    AccountKind.UNCONFIRMED: N_("the ticket system has not confirmed this account's e-mail address"),
}
NAMELESS = N_(
    "the ticket system does not say who moved the ticket, as for an anonymous user or a deleted account. Decide on the card"
)
NO_ADDRESS = N_(
    "the ticket system does not show {name}'s e-mail address, so Countersign cannot know who it is. Show it in your profile there, or "
    "decide on the card, or ask an administrator for `countersign people bind EMAIL {account} --in-tickets`"
)

UNVERIFIED = N_(
    "in this ticket system anyone can write any e-mail address into their profile, so {name}'s does not say who it is. Ask an "
    "administrator for `countersign people bind EMAIL {account} --in-tickets`, with your own address, or decide on the card"
)
SHARED = N_(
    "more than one account of the ticket system shows the address {email}, so Countersign cannot know who it is. Ask an administrator for "
    "`countersign people bind EMAIL {account} --in-tickets`, with your own address, or decide on the card"
)


def account_behind(account_id: str, s: Services) -> Account:
    """Raises Refused for an account that may not decide at all."""
    if not account_id:
        raise Refused(_(NAMELESS))
    try:
        account = s.decisions.account(account_id)
    except Permanent as unknown:
        raise Refused(
            _(
                "the ticket system does not say whose account {account} is: {why}",
                account=account_id,
                why=str(unknown).rstrip("."),
            )
        ) from None
    if account.kind is not AccountKind.MEMBER:
        raise Refused(_(UNWELCOME[account.kind]))
    return account


def person_behind(account: Account, s: Services) -> Person:
    """The one person whose account it is. A new account is bound to the person with its address, unless either was bound before."""
    with s.store.transaction() as tx:
        holder = tx.ticket_accounts.holder(account.id)
        if holder:
            return tx.people.get(holder)
    _check_address(account, s)
    with s.store.transaction() as tx:
        tx.ticket_accounts.lock()
        holder = tx.ticket_accounts.holder(account.id)
        return tx.people.get(holder) if holder else _at_first_sight(account, Binding.FIRST_PRESS, tx, s.clock.now())


def bind_address(email: str, s: Services) -> None:
    """Binds the one account with this address to its person, unless either was bound before. What is not certain stays unbound: who
    decides with it reads why."""
    found = s.decisions.accounts_with(email)
    if len(found) != 1:
        return
    (account,) = found
    with s.store.transaction() as tx:
        tx.ticket_accounts.lock()
        person = tx.people.find(email)
        if tx.ticket_accounts.changes_of(account.id) or (person and tx.ticket_accounts.accounts_of(person.id)):
            return
        _at_first_sight(account, Binding.POLICY, tx, s.clock.now())


def _check_address(account: Account, s: Services) -> None:
    """Raises Refused unless the address alone says whose account it is."""
    if not s.decisions.verifies_addresses():
        raise Refused(_(UNVERIFIED, name=account.name, account=account.id))
    others = {one.id for one in s.decisions.accounts_with(account.email)} if account.email else set()
    if others - {account.id}:
        raise Refused(_(SHARED, email=account.email, account=account.id))


def _at_first_sight(account: Account, how: Binding, tx: Transaction, now: datetime) -> Person:
    if tx.ticket_accounts.changes_of(account.id):
        raise Refused(
            _(
                "an administrator has unbound this account from its person. Ask one for "
                "`countersign people bind EMAIL {account} --in-tickets`",
                account=account.id,
            )
        )
    if not account.email:
        raise Refused(_(NO_ADDRESS, name=account.name, account=account.id))
    person = tx.people.get_or_add(account.email, account.name)
    if tx.ticket_accounts.accounts_of(person.id):
        raise Refused(
            _(
                "the address {email} was bound to another account of the ticket system before. If both are yours, ask an administrator "
                "for `countersign people bind {email} {account} --in-tickets`",
                email=person.email,
                account=account.id,
            )
        )
    tx.record([TicketAccountBound(now, person.id, account.id, how)])
    return person


def bind_by_hand(email: str, account_id: str, by: str, s: Services) -> tuple[Person, Account]:
    """An administrator says whose account of the ticket system it is; `by` is who, an id or empty."""
    account = s.decisions.account(account_id)
    if account.kind is not AccountKind.MEMBER:
        raise Refused(f"{account.id} may not vote: it is {account.kind}. Name a person's own account")
    now = s.clock.now()
    with s.store.transaction() as tx:
        tx.ticket_accounts.lock()
        person = tx.people.get_or_add(email, account.name or email)
        holder, earlier = tx.ticket_accounts.holder(account.id), tx.ticket_accounts.account_of(person.id)
        if holder == person.id:
            return person, account
        if holder is not None:
            tx.record([TicketAccountUnbound(now, holder, account.id, by)])
        if earlier is not None:
            tx.record([TicketAccountUnbound(now, person.id, earlier, by)])
        tx.record([TicketAccountBound(now, person.id, account.id, Binding.ADMIN, by)])
    return person, account


def unbind_by_hand(email: str, by: str, s: Services) -> str | None:
    """Returns the account; None when none was bound."""
    with s.store.transaction() as tx:
        tx.ticket_accounts.lock()
        person = tx.people.find(email)
        account = tx.ticket_accounts.account_of(person.id) if person else None
        if person is not None and account is not None:
            tx.record([TicketAccountUnbound(s.clock.now(), person.id, account, by)])
    return account
