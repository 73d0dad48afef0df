"""Which Slack account belongs to which person. A binding outlasts a change of the account's address; only an administrator ends it."""

from __future__ import annotations

import click

from bot.commands.context import as_json, git_email_if_any, services_for, telling_mistakes
from bot.commands.output.printing import print_rows, say
from bot.services import Services
from config.settings import Need

by_option = click.option("--by", default="", help="Who says so, by e-mail. Default: git's user.email, if there is one.")

in_tickets = click.option("--in-tickets", is_flag=True, help="The account in Jira, for decisions in tickets.")


@click.group("people")
def people_group() -> None:
    """Manage which Slack account belongs to whom."""


@people_group.command("list")
@as_json
@telling_mistakes
def list_people(as_json: bool) -> None:
    """List everybody who is known, with the account that is theirs now and those that were."""
    with services_for() as services, services.store.transaction() as tx:
        people, history = tx.people.everybody(), tx.people.accounts()
    rows: list[dict[str, object]] = []
    for person in people:
        mine = [row for row in history if row.person == person.id]
        current = next((row for row in mine if row.unbound_at is None), None)
        rows.append(
            {
                "email": person.email,
                "name": person.name,
                "account": person.account,
                "bound": current.how if current else None,
                "since": current.bound_at if current else None,
                "earlier_accounts": ", ".join(row.account for row in mine if row.unbound_at is not None),
                "person": person.id,
            }
        )
    columns = ("email", "name", "account", "bound", "since")
    empty = "No people yet. Activate a policy that names some."
    print_rows(rows, columns, as_json=as_json, empty=empty, below=("earlier_accounts",))


@people_group.command("bind")
@click.argument("email")
@click.argument("account", required=False, default="")
@by_option
@in_tickets
@telling_mistakes
def bind(email: str, account: str, by: str, in_tickets: bool) -> None:
    """Say whose Slack account it is, by e-mail and account id (U...); without an id, the account with that address.

    What the person, or an earlier owner of the account, has asked for or trained stays closed to its votes.
    """
    from handlers.request.accounts import bind_by_hand

    if in_tickets:
        _bind_in_tickets(email, account, by)
        return

    with services_for(Need.SLACK) as services:
        person, found = bind_by_hand(email, account, admin_of(by, services), services)
    say(f"{person.email} is bound to the Slack account {found.id} ({found.name}) now.")


@people_group.command("unbind")
@click.argument("email")
@by_option
@in_tickets
@telling_mistakes
def unbind(email: str, by: str, in_tickets: bool) -> None:
    """Unbind a person from their Slack account. No press binds it or another one again: that takes `people bind`."""
    from handlers.request.accounts import unbind_by_hand

    if in_tickets:
        _unbind_in_tickets(email, by)
        return
    with services_for() as services:
        unbind_by_hand(email, admin_of(by, services), services)
    say(f"{email} is bound to no Slack account now. To bind one: countersign people bind {email} ACCOUNT")


def _bind_in_tickets(email: str, account: str, by: str) -> None:
    from handlers.tickets.accounts import bind_by_hand

    if not account:
        raise click.UsageError(
            "name the account: its account id on Jira Cloud, its user key on Data Center, both in the page's address"
        )
    with services_for(Need.JIRA) as services:
        person, found = bind_by_hand(email, account, admin_of(by, services), services)
    say(f"{person.email} is bound to the Jira account {found.id} ({found.name}) now.")


def _unbind_in_tickets(email: str, by: str) -> None:
    from handlers.tickets.accounts import unbind_by_hand

    with services_for() as services:
        account = unbind_by_hand(email, admin_of(by, services), services)
    say(f"{email} is bound to no Jira account now." if account else f"{email} was bound to no Jira account.")


def admin_of(by: str, services: Services) -> str:
    """The administrator's id; empty when neither the option nor git names a person."""
    from handlers.request.asking import checked_email

    email = by or git_email_if_any()
    if not email:
        return ""
    with services.store.transaction() as tx:
        return tx.people.get_or_add(checked_email(email), email).id
