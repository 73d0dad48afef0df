"""Durations on the command line, in the policy's format."""

from __future__ import annotations

from datetime import timedelta

import click
from pydantic import TypeAdapter, ValidationError

from config.policy.times import Duration

LONGEST = timedelta(days=3_650)
READER: TypeAdapter[timedelta] = TypeAdapter(Duration)


class DurationType(click.ParamType[timedelta]):
    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        try:
            duration = READER.validate_python(value)
        except ValidationError:
            self.fail(f'"{value}" is no duration. Write one such as "90d" or "12h".', param, ctx)
        if duration > LONGEST:
            self.fail(f'"{value}" goes back further than ten years. Write "3650d" or less.', param, ctx)
        return duration


since_option = click.option(
    "--since", default="90d", show_default=True, type=DurationType(), help="How far back to look, such as 90d or 12h."
)
