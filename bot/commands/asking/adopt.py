"""`countersign adopt`: ask people to ratify what was there before Countersign."""

from __future__ import annotations

import click

from bot.commands.context import as_json, services_for, telling_mistakes
from bot.commands.output.consent import confirm, yes_option
from bot.commands.output.printing import print_json, say
from bot.commands.output.progress import progress
from bot.domain.text import counted
from config.settings import Need

NOTHING = "Each target that a rule names has an approval; there is nothing to adopt."


@click.command()
@yes_option
@as_json
@telling_mistakes
def adopt(yes: bool, as_json: bool) -> None:
    """Create approval requests for what holds its target without an approval.

    An approval ratifies it. A rejection is recorded and moves nothing.
    """
    from handlers.request import adopting

    with services_for(Need.REGISTRY) as services:
        waiting = adopting.to_adopt(services)
        if waiting:
            confirm(f"{counted(len(waiting), 'request')} will be opened, each with a card for its approvers.", yes=yes)
        with progress("adopting") as report:
            adopted = adopting.adopt(services, report) if waiting else []
    if as_json:
        print_json([{"request_id": one.id, "version": str(one.version), "target": str(one.target)} for one in adopted])
        return
    for request in adopted:
        say(f"{request.short_id}  {request.version} holds {request.target}: asking to ratify")
    if not adopted:
        say(NOTHING)
