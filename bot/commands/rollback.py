"""`countersign rollback` and `countersign history`."""

from __future__ import annotations

import os
from collections.abc import Mapping

import click

from bot.commands.context import (
    as_json,
    git_email,
    in_place,
    place_named,
    print_rows,
    services_for,
    settings_for,
    telling_mistakes,
)
from bot.commands.wishes import asks_over_http, place_in, post, target_of
from bot.domain.model import Ask, AskKind, Target
from bot.domain.text import format_seconds
from config.settings import Need


@click.command("rollback")
@click.option("--name", required=True, help="Registered model.")
@click.option("--to", "target", required=True, help="alias:champion, stage:Production or model:prod.x.")
@click.option("--version", type=click.IntRange(min=1), help="Default: the version approved for it before.")
@click.option("--reason", required=True, help="Why; it marks the version that failed, and is recorded in the ledger.")
@click.option("--requester", default="", help="Who asks, by e-mail. Default: git's user.email.")
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


@click.command("history")
@click.argument("name")
@click.option("--to", "target", default="", help="Only this target: alias:champion, stage:Production or model:prod.x.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(min=1), help="So many of the newest.")
@in_place
@as_json
@telling_mistakes
def history(name: str, target: str, limit: int, as_json: bool, workspace: str) -> None:
    """Everything that has happened to the targets of a model, oldest first."""
    from handlers.queries.history import history_of

    where = target_of(target) if target else None
    with services_for() as services:
        happened = history_of(name, where, services, place_named(workspace))[-limit:]
    rows: list[dict[str, object]] = [
        {
            "time": one.at.isoformat() if as_json else format_seconds(one.at),
            "what": one.what,
            "version": str(one.version) if one.version else None,
            "target": str(one.target) if one.target else None,
            "who": one.who,
            "ticket": one.ticket,
            "why": one.why,
            "request_id": one.request_id,
            "at": one.at.isoformat(),
        }
        for one in happened
    ]
    columns = ("time", "what", "version", "target", "who", "ticket", "why")
    print_rows(
        rows, columns, as_json=as_json, empty=f"Nothing has happened to {name} yet, as far as Countersign knows."
    )
