"""Prepares untrusted text for any vendor: removes invisible characters, cuts to length, checks addresses. Pure.

Each vendor's module escapes that vendor's markup: `slack.blocks`, `jira.documents`.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from bot.domain.names import BLANKS

NOTHING = "–"  # Slack refuses an empty text, so a person sees a dash
URL_LIMIT = 3_000

REACH = 8  # at most this many times the limit is read, so that a huge text costs little time


def one_line(text: str, limit: int) -> str:
    """Cleaned text with folded white space: at most `limit` characters as `length` counts them, never empty."""
    return _cut(" ".join(_visible(text, limit).split()), limit)


def paragraph(text: str, limit: int) -> str:
    """As `one_line`, but keeps line breaks; never more than one empty line in a row."""
    lines = [" ".join(line.split()) for line in _visible(text, limit).split("\n")]
    return _cut(re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip(), limit)


def length(text: str) -> int:
    """In UTF-16 units, as Slack and Jira count: an emoji is two."""
    return len(_units(text)) // 2


def beginning(text: str, limit: int) -> str:
    """As many whole characters as `limit` units hold."""
    return _units(text)[: 2 * max(0, limit)].decode("utf-16-le", "ignore")


def _units(text: str) -> bytes:
    return text.encode("utf-16-le", "surrogatepass")


def is_web_address(url: str) -> bool:
    """http(s) with a host, no invisible characters, and no user name that could look like the host."""
    if (
        len(url) > URL_LIMIT
        or not url.startswith(("https://", "http://"))
        or one_line(url, URL_LIMIT) != url
        or " " in url
    ):
        return False
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and "@" not in parts.netloc and (parts.port is None or parts.port > 0)
    except ValueError:  # a port that is not a number, an unclosed bracket
        return False


def _visible(text: str, limit: int) -> str:
    near = text[: REACH * limit] + ("…" if len(text) > REACH * limit else "")
    folded = re.sub(r"\r\n?|[\v\f\x85\u2028\u2029]", "\n", near)
    return "".join(letter for letter in folded if (letter.isprintable() or letter.isspace()) and letter not in BLANKS)


def _cut(text: str, limit: int) -> str:
    if length(text) > limit:
        return beginning(text, limit - 1).rstrip() + "…"
    return text or NOTHING
