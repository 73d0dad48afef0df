"""`countersign request-transition`: ask for a version to reach a target."""

from __future__ import annotations

import os
from dataclasses import dataclass

import click

from bot.commands.asking.options import name_option, requester_option, target_of, to_option
from bot.commands.asking.over_http import asks_over_http, place_in, post
from bot.commands.context import git_email, in_place, place_named, services_for, settings_for, telling_mistakes
from bot.domain.model import Ask, AskKind, Target
from config.settings import Need, Settings


@click.command("request-transition")
@name_option
@click.option("--version", required=True, type=click.IntRange(min=1), help="Model version.")
@to_option
@click.option("--comment", default="", help="Why; the approvers read it on the card.")
@requester_option
@in_place
@telling_mistakes
def request_transition(name: str, version: int, target: str, comment: str, requester: str, workspace: str) -> None:
    """Ask for a version to reach a target.

    With COUNTERSIGN_URL and COUNTERSIGN_API_TOKEN set it asks the bot there; else it writes to the bot's own database.
    """
    wish = Wish(name, version, target_of(target), comment, requester or git_email("--requester"), workspace)
    settings = settings_for()
    if asks_over_http(settings):
        _ask_over_http(wish, settings)
    else:
        _ask_here(wish)


@dataclass(frozen=True)
class Wish:
    name: str
    version: int
    target: Target
    comment: str
    requester: str
    workspace: str


def _ask_over_http(wish: Wish, settings: Settings) -> None:
    body = {
        "name": wish.name,
        "version": wish.version,
        "to": str(wish.target),
        "comment": wish.comment,
        "requester": wish.requester,
        **place_in(wish.workspace, settings, os.environ),
    }
    opened = post("/api/requests", body, settings)
    click.echo(f"{opened['id'][:8]}  {opened['version']} asks for {opened['target']}: {opened['state']}")


def _ask_here(wish: Wish) -> None:
    from handlers.request import asking

    with services_for(Need.REGISTRY) as services:
        opened = asking.request_transition(
            wish.name,
            wish.version,
            wish.target,
            wish.requester,
            wish.comment,
            Ask(AskKind.COMMAND),
            services,
            place_named(wish.workspace),
        )
    click.echo(f"{opened.short_id}  {opened.version} asks for {opened.target}: {opened.state}")
