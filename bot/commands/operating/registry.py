"""The registry on the command line: whether it is believed, and accepting it as it is."""

from __future__ import annotations

import click

from bot.commands.context import as_json, git_email, in_place, place_named, services_for, telling_mistakes
from bot.commands.output.consent import confirm, yes_option
from bot.commands.output.printing import print_rows, say
from bot.domain.text import counted
from bot.domain.workspaces import in_workspace
from bot.store.transaction import Transaction
from config.settings import Need


@click.group("registry")
def registry_group() -> None:
    """Whether the model registry is believed, and accepting it as it is."""


@registry_group.command("show")
@as_json
@telling_mistakes
def show(as_json: bool) -> None:
    """Show which registry is known, whether it is believed, and which of its models cannot be read."""

    with services_for() as services, services.store.transaction() as tx:
        told = [row for place in tx.places() for row in _rows(place, tx)]
    print_rows(told, ("what", "state", "since"), as_json=as_json, empty="", below=("why",))


def _rows(place: str, tx: Transaction) -> list[dict[str, object]]:
    row, unreadable = tx.trust.find(place), tx.trust.unreadable(place)
    state, where = "doubted" if row.doubted_since else "believed", in_workspace(place)
    told: list[dict[str, object]] = [
        {
            "what": f"registry{where}",
            "state": state,
            "since": row.doubted_since,
            "why": row.doubt or row.identity,
        }
    ]
    told += [
        {
            "what": f"{one.name}{where}",
            "state": "unreadable",
            "since": one.since,
            "why": "every sweep tries again",
        }
        for one in unreadable
    ]
    return told


@registry_group.command("accept")
@click.option("--reason", default="", help="Why what is there now is right; it is announced, and kept in the ledger.")
@click.option("--dry-run", is_flag=True, help="Only show which targets others hold than we have on record.")
@click.option("--by", default="", help="Who accepts, by e-mail. Default: git's user.email.")
@yes_option
@in_place
@telling_mistakes
def accept(reason: str, by: str, workspace: str, *, dry_run: bool, yes: bool) -> None:
    """Say that what a doubted registry holds now is right. It becomes the baseline, and Countersign goes on.

    The open requests of models that are missing end; what was approved stays approved, should they come back. Nothing is asked about
    what is there.
    """
    from handlers.policy.kill_switch import person_named
    from handlers.registry.restored import changes_on_record
    from handlers.registry.sweeps import accept_registry

    if not dry_run and not reason:
        raise click.UsageError("say why what is there now is right: --reason TEXT. To look first: --dry-run")
    place, email = place_named(workspace), "" if dry_run else by or git_email("--by")
    with services_for(Need.REGISTRY) as services:
        if dry_run:
            found = [change.sentence for change in changes_on_record(place, services)]
            say("\n".join(found) or "All targets are held as on record.")
            return
        confirm(_what_happens(place, len(changes_on_record(place, services))), yes=yes)
        say(accept_registry(reason, person_named(email, services), services, place))


def _what_happens(place: str, changes: int) -> str:
    return (
        f"What the registry{in_workspace(place)} holds now becomes the baseline: {counted(changes, 'target')} changed since the last "
        "look that was believed. Open requests of models that are missing end. Add --dry-run to see the changes."
    )
