"""The fast track on the command line: the kill switch. What it switches, and for whom, is in `handlers.policy.kill_switch`."""

from __future__ import annotations

import click

from bot.commands.context import git_email, services_for, telling_mistakes
from bot.commands.fast_track_report import report

by_option = click.option("--by", default="", help="Who switches, by e-mail. Default: git's user.email.")


@click.group("fast-track")
def fast_track_group() -> None:
    """Switch the fast track on or off, for all rules at once."""


@fast_track_group.command("off")
@click.option("--reason", required=True, help="Why; it is announced and stands in the ledger.")
@by_option
@telling_mistakes
def switch_off(reason: str, by: str) -> None:
    """From now on people decide, whatever the figures say, on all replicas."""
    _switch(False, by, reason)


@fast_track_group.command("on")
@click.option("--reason", default="", help="Why; it is announced and stands in the ledger.")
@by_option
@telling_mistakes
def switch_on(reason: str, by: str) -> None:
    """Versions that reach their rule's thresholds pass again."""
    _switch(True, by, reason)


def _switch(on: bool, by: str, reason: str) -> None:
    from handlers.policy.kill_switch import person_named, switch_fast_track

    email = by or git_email("--by")
    with services_for() as services:
        click.echo(switch_fast_track(on, person_named(email, services), reason, services))


fast_track_group.add_command(report)
