"""The registry on the command line: whether it is believed, and accepting it as it is."""

from __future__ import annotations

import click

from bot.commands.context import as_json, git_email, in_place, place_named, services_for, telling_mistakes
from bot.commands.output.printing import print_rows
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
    """Which registry is known, whether it is believed, and which of its models cannot be read."""

    with services_for() as services, services.store.transaction() as tx:
        told = [row for place in tx.places() for row in _rows(place, tx)]
    print_rows(told, ("what", "state", "since", "why"), as_json=as_json, empty="")


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
@click.option("--reason", default="", help="Why what is there now is right; it is announced and stands in the ledger.")
@click.option("--dry-run", is_flag=True, help="Only show which targets others hold than we have on record.")
@click.option("--by", default="", help="Who accepts, by e-mail. Default: git's user.email.")
@in_place
@telling_mistakes
def accept(reason: str, by: str, workspace: str, *, dry_run: bool) -> None:
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
            click.echo("\n".join(found) or "All targets are held as on record.")
        else:
            click.echo(accept_registry(reason, person_named(email, services), services, place))
