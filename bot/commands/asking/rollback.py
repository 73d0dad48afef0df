"""`countersign rollback`: take a target back to the version approved before."""

from __future__ import annotations

import os
from collections.abc import Mapping

import click

from bot.commands.asking.options import name_option, requester_option, target_of, to_option
from bot.commands.asking.over_http import asks_over_http, place_in, post
from bot.commands.context import git_email, in_place, place_named, services_for, settings_for, telling_mistakes
from bot.domain.model import Ask, AskKind, Target
from config.settings import Need


@click.command("rollback")
@name_option
@to_option
@click.option("--version", type=click.IntRange(min=1), help="Default: the version approved for it before.")
@click.option("--reason", required=True, help="Why; it marks the version that failed, and is recorded in the ledger.")
@requester_option
@in_place
@telling_mistakes
def roll_back(name: str, target: str, version: int | None, reason: str, requester: str, workspace: str) -> None:
    """Take a target back to the version approved before.

    Immediately where the rule allows it, else after the same votes. Asks the bot at COUNTERSIGN_URL when COUNTERSIGN_API_TOKEN is set too,
    else writes to the bot's own database.
    """
    where, email = target_of(target), requester or git_email("--requester")
    settings = settings_for()
    if asks_over_http(settings):
        body = {
            "name": name,
            "to": str(where),
            "version": version,
            "reason": reason,
            "requester": email,
            **place_in(workspace, settings, os.environ),
        }
        opened = post("/api/rollbacks", body, settings)
    else:
        opened = _ask_here(name, where, version, reason, email, place_named(workspace))
    click.echo(f"{opened['id'][:8]}  {opened['target']} of {name} is asked to go back to {opened['version']}.")
    click.echo(opened["next"])


def _ask_here(
    name: str, target: Target, version: int | None, reason: str, email: str, workspace: str
) -> Mapping[str, str]:
    from handlers.request import rollbacks

    with services_for(Need.REGISTRY) as services:
        opened = rollbacks.roll_back(
            name, target, version, reason, email, Ask(AskKind.ROLLBACK), services, workspace=workspace
        )
        follows = rollbacks.what_follows(opened, services)
    return {"id": opened.id, "version": str(opened.version), "target": str(opened.target), "next": follows}
