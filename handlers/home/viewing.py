"""Who looks at their own page, and what they may see of it. Looking binds no account and records nothing about a person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from bot.errors import Refused
from bot.language import N_, _
from bot.ports import Account, AccountKind
from bot.services import Services
from bot.store.people import Person
from bot.store.transaction import Transaction
from handlers.notify.who_reads import reads_all

log = structlog.get_logger()

NO_PAGE: Mapping[AccountKind, str] = {
    AccountKind.GUEST: N_(
        "Guests of the workspace neither ask nor decide here. Ask a full member of the workspace to do it."
    ),
    AccountKind.BOT: N_("A bot neither asks nor decides here."),
    AccountKind.DEACTIVATED: N_("This account is deactivated."),
    AccountKind.FOREIGN: N_(
        "People from other workspaces neither ask nor decide here. Ask a member of this workspace to do it."
    ),
    AccountKind.UNCONFIRMED: N_(
        "Slack has not confirmed your e-mail address. Follow the link in Slack's mail to you, then open this page again."
    ),
}
NO_ADDRESS = N_(
    "Slack does not say your e-mail address, so Countersign cannot know who you are. Ask who keeps the Slack app to allow users:read.email."
)
UNBOUND = N_(
    "Your Slack account belongs to no person that Countersign knows, or its address belongs to another account. Ask an administrator for "
    "`countersign people bind {email} {account}`."
)


@dataclass(frozen=True)
class Viewer:
    """`person` may be one without a row, who has never asked or voted. `ids` are all of theirs. `reads_all`: what concerns everyone too."""

    person: Person
    ids: frozenset[str]
    reads_all: bool


class NoPage(Refused):
    """Why this account has no page, and what to do; for the person."""


def viewer_of(account_id: str, s: Services) -> Viewer:
    """Raises NoPage; and Temporary when the notifier does not say who it is."""
    account = s.notifier.account(account_id)
    if account.kind is not AccountKind.MEMBER:
        raise NoPage(_(NO_PAGE[account.kind]))
    with s.store.transaction() as tx:
        policy = tx.policy()
        person = _person_behind(account, tx)
        ids = tx.people.ids_of(person.id)
    return Viewer(person, ids, reads_all(person, policy, s))


def _person_behind(account: Account, tx: Transaction) -> Person:
    """Whose account it is. One that was never bound is the person's with its address, unless theirs is another one: raises NoPage then."""
    holder = tx.people.holder(account.id)
    if holder is not None:
        return holder
    if not account.email:
        raise NoPage(_(NO_ADDRESS))
    known = tx.people.find(account.email)
    if tx.people.accounts(account=account.id) or (known and tx.people.accounts(person=known.id)):
        raise NoPage(_(UNBOUND, email=account.email, account=account.id))
    return Person(known.id if known else account.id, account.email.lower(), account.name, account.id)
