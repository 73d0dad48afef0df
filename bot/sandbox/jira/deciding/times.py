"""Times in JQL: how long ago by the site's own clock, as in -15m, or a date with or without a time."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from bot.sandbox.jira.refusals import bad_request

AGO = re.compile(r"-(\d{1,6})([mhdw])")
UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
DATES = ("%Y-%m-%d %H:%M", "%Y/%m/%d %H:%M", "%Y-%m-%d", "%Y/%m/%d")
COMPARED: dict[str, Callable[[datetime, datetime], bool]] = {
    ">=": lambda have, wanted: have >= wanted,
    "<=": lambda have, wanted: have <= wanted,
    ">": lambda have, wanted: have > wanted,
    "<": lambda have, wanted: have < wanted,
}


def read_time(value: str, field: str) -> datetime:
    """Jira reads a date in the time zone of the account's profile, which is UTC here."""
    if ago := AGO.fullmatch(value):
        return datetime.now(UTC) - timedelta(**{UNITS[ago[2]]: int(ago[1])})
    for form in DATES:
        try:
            return datetime.strptime(value, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    raise bad_request(
        f"Date value '{value}' for field '{field}' is invalid. Valid formats include: 'yyyy/MM/dd HH:mm', 'yyyy-MM-dd HH:mm', "
        "'yyyy/MM/dd', 'yyyy-MM-dd', or a period format e.g. '-5d', '4w 2d'."
    )
