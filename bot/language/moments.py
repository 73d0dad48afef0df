"""Finding the moments in a text again, in whichever language it was read, so that a client can show them in the reader's zone."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache

from bot.language import ENGLISH, LANGUAGES

# As `bot.language` and `bot.domain.text` write a moment, the latter also to the second. One with an offset is of a calendar.
MOMENT = re.compile(
    r"(?<!\d)(?:\d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d)?|\d{1,2} [^\W\d_]{3,5} \d{4}, \d{1,2}:\d\d) UTC(?![+\w])"
)
FORMATS = ("%Y-%m-%d %H:%M UTC", "%Y-%m-%d %H:%M:%S UTC")


def read_moment(text: str) -> datetime | None:
    """What a match of MOMENT says; None for what only looks like a moment."""
    written = _month_in_figures(text)
    for form in FORMATS:
        try:
            return datetime.strptime(written, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    return None


def _month_in_figures(text: str) -> str:
    parts = text.replace(",", "").split()
    if len(parts) != len(("day", "month", "year", "hour", "UTC")):
        return text
    day, month, year, hour, zone = parts
    number = next((names[month] for names in map(_months, LANGUAGES) if month in names), 0)
    return f"{year}-{number:02}-{day:0>2} {hour} {zone}"


@cache
def _months(code: str) -> dict[str, int]:
    if code == ENGLISH:
        return {}  # English moments have figures
    from babel.dates import get_month_names

    return {name: number for number, name in get_month_names("abbreviated", locale=code).items()}
