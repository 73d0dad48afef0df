"""`countersign requests call-off`: end an approval before it is applied."""

from __future__ import annotations

import click

from bot.commands.context import git_email, services_for, telling_mistakes
from bot.commands.output.consent import confirm, yes_option
from bot.commands.output.printing import say


@click.command("call-off")
@click.argument("request_id")
@click.option("--reason", required=True, help="Why; it goes on the card, into the ticket and into the ledger.")
@click.option("--by", default="", help="Who calls it off, by e-mail. Default: git's user.email.")
@yes_option
@telling_mistakes
def call_off(request_id: str, reason: str, by: str, yes: bool) -> None:
    """End an approval that is not applied yet, so that it never is."""
    from handlers.policy.kill_switch import person_named
    from handlers.request.calling_off import call_off as end
    from handlers.request.calling_off import check_can_be_called_off

    email = by or git_email("--by")
    with services_for() as services:
        with services.store.transaction() as tx:
            request = tx.requests.get(tx.requests.full_id(request_id))
        check_can_be_called_off(request)
        confirm(f"The approval of {request.version} for {request.target} ends, and is never applied.", yes=yes)
        ended = end(request.id, person_named(email, services), reason, services)
    say(
        f"{ended.short_id}  the approval of {ended.version} for {ended.target} is called off. Asking again opens a fresh request."
    )
