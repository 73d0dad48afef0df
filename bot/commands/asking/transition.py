"""`countersign request-transition`: ask for a version to reach a target."""

from __future__ import annotations

import os
from dataclasses import dataclass

import click

from bot.commands.asking.opened import Opened, say_warning, say_where
from bot.commands.asking.options import VersionNumber, name_option, requester_option, target_of, to_option
from bot.commands.asking.over_http import asks_over_http, place_in, post
from bot.commands.context import as_json, git_email, in_place, place_named, services_for, settings_for, telling_mistakes
from bot.commands.output.printing import print_json, say
from bot.domain.model import Ask, AskKind, Target
from config.settings import Need, Settings


@dataclass(frozen=True)
class Wish:
    """What is asked for. `requester` is an address."""

    name: str
    version: int
    target: Target
    comment: str
    requester: str
    workspace: str


@click.command("request-transition")
@name_option
@click.option("--version", required=True, type=VersionNumber(min=1), help="Model version.")
@to_option
@click.option("--comment", default="", help="Why; the approvers read it on the card.")
@requester_option
@in_place
@as_json
@telling_mistakes
def request_transition(
    name: str, version: int, target: str, comment: str, requester: str, workspace: str, as_json: bool
) -> None:
    """Ask for a version to reach a target.

    With COUNTERSIGN_URL and COUNTERSIGN_API_TOKEN set it asks the bot there; else it writes to the bot's own database.
    """
    wish = Wish(name, version, target_of(target), comment, requester or git_email("--requester"), workspace)
    settings = settings_for()
    opened = _ask_over_http(wish, settings) if asks_over_http(settings) else _ask_here(wish)
    say_warning(opened)
    if as_json:
        print_json({**opened, "requester": wish.requester})
        return
    say(f"{opened['id'][:8]}  {opened['version']} asks for {opened['target']}: {opened['state']}")
    say(f"Requester: {wish.requester}{'' if requester else ' (git user.email; --requester names another)'}")
    say_where(opened)


def _ask_over_http(wish: Wish, settings: Settings) -> Opened:
    body = {
        "name": wish.name,
        "version": wish.version,
        "to": str(wish.target),
        "comment": wish.comment,
        "requester": wish.requester,
        **place_in(wish.workspace, settings, os.environ),
    }
    return post("/api/requests", body, settings)


def _ask_here(wish: Wish) -> Opened:
    from handlers.queries.request_answer import answer_to
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
        return answer_to(opened, services)
