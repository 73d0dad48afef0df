"""`countersign adopt`: ask people to ratify what was there before Countersign."""

from __future__ import annotations

import click

from bot.commands.context import services_for, telling_mistakes
from config.settings import Need


@click.command()
@telling_mistakes
def adopt() -> None:
    """Turn targets that are held without an approval into requests to ratify them."""
    from handlers.request import asking

    with services_for(Need.REGISTRY) as services:
        adopted = asking.adopt(services)
    for request in adopted:
        click.echo(f"{request.short_id}  {request.version} holds {request.target}: asking to ratify")
    if not adopted:
        click.echo("Every target that a rule speaks of is held with an approval; nothing to adopt.")
