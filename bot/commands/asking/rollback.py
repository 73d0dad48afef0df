"""`countersign rollback`: take a target back to the version approved before."""

from __future__ import annotations

import os
from dataclasses import dataclass

import click

from bot.commands.asking.opened import Opened, say_warning
from bot.commands.asking.options import VersionNumber, name_option, requester_option, target_of, to_option
from bot.commands.asking.over_http import asks_over_http, place_in, post
from bot.commands.context import as_json, git_email, in_place, place_named, services_for, settings_for, telling_mistakes
from bot.commands.output.consent import confirm_on_terminal, yes_option
from bot.commands.output.printing import print_json, say
from bot.domain.model import Ask, AskKind, Target
from config.settings import Need, Settings


@dataclass(frozen=True)
class WayBack:
    """What is asked for; `version` None means the one approved before. `requester` is an address."""

    name: str
    target: Target
    version: int | None
    reason: str
    requester: str
    workspace: str


@click.command("rollback")
@name_option
@to_option
@click.option("--version", type=VersionNumber(min=1), help="Default: the version approved for it before.")
@click.option("--reason", required=True, help="Why; it marks the version that failed, and is recorded in the ledger.")
@requester_option
@in_place
@yes_option
@as_json
@telling_mistakes
def roll_back(
    name: str,
    target: str,
    version: int | None,
    reason: str,
    requester: str,
    workspace: str,
    yes: bool,
    as_json: bool,
) -> None:
    """Take a target back to the version approved before.

    Immediately where the rule allows it, else after the same votes. Asks the bot at COUNTERSIGN_URL when COUNTERSIGN_API_TOKEN is set too,
    else writes to the bot's own database. On a terminal it asks first; a script goes on without a question.
    """
    way = WayBack(name, target_of(target), version, reason, requester or git_email("--requester"), workspace)
    settings = settings_for()
    opened = _ask_over_http(way, settings, yes=yes) if asks_over_http(settings) else _ask_here(way, yes=yes)
    say_warning(opened)
    if as_json:
        print_json({**opened, "requester": way.requester})
        return
    say(f"{opened['id'][:8]}  {opened['target']} of {name} is asked to go back to {opened['version']}.")
    say(opened["next"])


def _ask_over_http(way: WayBack, settings: Settings, *, yes: bool) -> Opened:
    back_to = f"v{way.version}" if way.version else "the version approved before"
    confirm_on_terminal(
        lambda: f"{way.target} of {way.name} moves back to {back_to}, at {settings.public_url}.", yes=yes
    )
    body = {
        "name": way.name,
        "to": str(way.target),
        "version": way.version,
        "reason": way.reason,
        "requester": way.requester,
        **place_in(way.workspace, settings, os.environ),
    }
    return post("/api/rollbacks", body, settings)


def _ask_here(way: WayBack, *, yes: bool) -> Opened:
    from handlers.evidence.way_back import warning_now
    from handlers.queries.request_answer import answer_to
    from handlers.request import rollbacks

    place = place_named(way.workspace)
    with services_for(Need.REGISTRY) as services:

        def what_happens() -> str:
            holder, back_to = rollbacks.foreseen(way.name, way.target, way.version, services, place)
            moves = f"{way.target} of {way.name} moves from v{holder.version} back to v{back_to.version}."
            return " ".join(filter(None, (moves, warning_now(back_to, services))))

        confirm_on_terminal(what_happens, yes=yes)
        opened = rollbacks.roll_back(
            way.name,
            way.target,
            way.version,
            way.reason,
            way.requester,
            Ask(AskKind.ROLLBACK),
            services,
            workspace=place,
        )
        return answer_to(opened, services)
