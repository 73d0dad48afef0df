"""The options that `request-transition` and `rollback` share, and reading a target."""

from __future__ import annotations

import click

from bot.domain.model import Target
from bot.errors import Refused

name_option = click.option("--name", required=True, help="Registered model.")
to_option = click.option("--to", "target", required=True, help="alias:champion, stage:Production or model:prod.x.")
requester_option = click.option("--requester", default="", help="Who asks, by e-mail. Default: git's user.email.")


def target_of(text: str) -> Target:
    """Raises UsageError, which ends with exit code 2."""
    try:
        return Target.parse(text)
    except Refused as refusal:
        raise click.UsageError(str(refusal)) from None
