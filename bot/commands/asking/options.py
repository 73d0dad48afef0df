"""The options that `request-transition` and `rollback` share, and reading a target."""

from __future__ import annotations

import re
from typing import Any

import click

from bot.domain.model import Target
from bot.errors import Refused

AS_SHOWN = re.compile(r"[vV]([0-9]+)")
name_option = click.option("--name", required=True, help="Registered model.")
to_option = click.option("--to", "target", required=True, help="alias:champion, stage:Production or model:prod.x.")
requester_option = click.option("--requester", default="", help="Who asks, by e-mail. Default: git's user.email.")


class VersionNumber(click.IntRange):
    """Also as cards and lists write it, such as v3."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        number = AS_SHOWN.fullmatch(str(value))
        said: Any = number[1] if number else value
        return super().convert(said, param, ctx)


def target_of(text: str) -> Target:
    """Raises UsageError, which ends with exit code 2."""
    try:
        return Target.parse(text)
    except Refused as refusal:
        raise click.UsageError(str(refusal)) from None
