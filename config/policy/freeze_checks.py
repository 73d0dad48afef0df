"""What freezes and the rules that name them must be to each other, and that every freeze has an end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from bot.domain.policy.calendars import Dated, Freeze
from config.did_you_mean import guess
from config.policy.parts import Finding, Parts
from config.policy.shapes import RuleShape
from config.policy.yaml_lines import Path

ANY_MOMENT = datetime(2026, 1, 1, tzinfo=UTC)  # where no window has a date, all weeks are the same
A_DAY = timedelta(days=1)  # more than the time zones differ from each other by


def freezes_exist(index: int, rule: RuleShape, parts: Parts) -> Iterator[Finding]:
    for place, name in enumerate(rule.freezes):
        if name not in parts.freeze_names:
            path: Path = ("rules", index, "freezes", place)
            hint = guess(name, parts.freeze_names) or " Add it to freezes."
            yield path, f'rule "{rule.models}" names the freeze "{name}", which does not exist.{hint}'


def freezes_open_again(parts: Parts) -> Iterator[Finding]:
    for name, shape in parts.freezes.items():
        freeze = shape.as_freeze(name, parts.timezone)
        if not freeze.opens_again(_after_all_dates(freeze)):
            since = "after its last date" if _dates(freeze) else "at any time of the week"
            yield (
                ("freezes", name),
                f'freeze "{name}" is a freeze without end: {since} it lets nothing through. '
                "Shorten what it denies, or allow some hours of every week.",
            )


def _after_all_dates(freeze: Freeze) -> datetime:
    """When only the windows of every week are left."""
    zone = ZoneInfo(freeze.timezone)
    return max([ANY_MOMENT, *(window.ends.replace(tzinfo=zone) + A_DAY for window in _dates(freeze))])


def _dates(freeze: Freeze) -> list[Dated]:
    return [window for window in (*freeze.deny, *freeze.allow) if isinstance(window, Dated)]
