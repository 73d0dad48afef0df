"""The registry on the command line: whether it is believed, and accepting it as it is."""

from __future__ import annotations

import click

from bot.commands.context import as_json, git_email, print_rows, services_for, telling_mistakes
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
        row = tx.trust.find("default")
        unreadable = tx.trust.unreadable("default")
    state = "doubted" if row.doubted_since else "believed"
    told: list[dict[str, object]] = [
        {"what": "registry", "state": state, "since": row.doubted_since, "why": row.doubt or row.identity}
    ]
    told += [
        {"what": one.name, "state": "unreadable", "since": one.since, "why": "every sweep tries again"}
        for one in unreadable
    ]
    print_rows(told, ("what", "state", "since", "why"), as_json=as_json, empty="")


@registry_group.command("accept")
@click.option(
    "--reason", required=True, help="Why what is there now is right; it is announced and stands in the ledger."
)
@click.option("--by", default="", help="Who accepts, by e-mail. Default: git's user.email.")
@telling_mistakes
def accept(reason: str, by: str) -> None:
    """Say that what a doubted registry holds now is right. It becomes the baseline, and Countersign goes on.

    The open requests of models that are missing end; what was approved stays approved, should they come back. Nothing is asked about
    what is there.
    """
    from handlers.policy.kill_switch import person_named
    from handlers.registry.sweeps import accept_registry

    email = by or git_email("--by")
    with services_for(Need.REGISTRY) as services:
        click.echo(accept_registry(reason, person_named(email, services), services))
