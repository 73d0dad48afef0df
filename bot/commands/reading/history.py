"""`countersign history`: what has happened to a model's targets."""

from __future__ import annotations

import click

from bot.commands.asking.options import target_of
from bot.commands.context import as_json, in_place, place_named, records_for, telling_mistakes
from bot.commands.output.printing import print_rows
from bot.domain.text import format_seconds


@click.command("history")
@click.argument("name")
@click.option("--to", "target", default="", help="Only this target: alias:champion, stage:Production or model:prod.x.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(min=1), help="So many of the newest.")
@in_place
@as_json
@telling_mistakes
def history(name: str, target: str, limit: int, as_json: bool, workspace: str) -> None:
    """List everything that has happened to the targets of a model, oldest first."""
    from handlers.queries.history import history_of, nearest_model

    where = target_of(target) if target else None
    with records_for() as services:
        happened = history_of(name, where, services, place_named(workspace))[-limit:]
        near = "" if happened else nearest_model(name, services, place_named(workspace))
    rows: list[dict[str, object]] = [
        {
            "at": one.at if as_json else format_seconds(one.at),
            "what": one.what,
            "version": str(one.version) if one.version else None,
            "target": str(one.target) if one.target else None,
            "who": one.who,
            "ticket": one.ticket,
            "why": one.why,
            "request_id": one.request_id,
        }
        for one in happened
    ]
    hint = f" Did you mean {near}?" if near else ""
    empty = f"Nothing has happened to {name} yet, as far as Countersign knows.{hint}"
    columns = ("at", "what", "version", "target")
    print_rows(rows, columns, as_json=as_json, empty=empty, below=("who", "ticket", "why"), is_narrowed=True)
