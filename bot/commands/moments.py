"""Days and moments on the command line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click


class Day(click.ParamType[datetime]):
    """A day or a time, in UTC unless it has an offset; with `ends`, a day means its end."""

    name = "date"

    def __init__(self, *, ends: bool) -> None:
        self.ends = ends

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f'"{value}" is no date. Write one such as 2026-11-01 or 2026-11-01T12:00', param, ctx)
        if self.ends and len(str(value)) <= len("2026-11-01"):
            moment += timedelta(days=1)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
