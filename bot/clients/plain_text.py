"""Untrusted text made fit for any vendor: cleaned of what the eye cannot see, cut to length, addresses checked. Pure.

What a vendor would parse as markup is that vendor's own module's matter: `slack_text`, `jira_wiki`.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

NOTHING = "–"  # Slack refuses an empty text, so a person sees a dash
URL_LIMIT = 3_000

REACH = 8  # only so many times the limit is looked at: an endless text must not cost endless time

# Letters and marks by category, yet they look like nothing. All else that the eye cannot see, Python calls not printable.
BLANKS = frozenset("\u115f\u1160\u2800\u3164\uffa0\u034f\u17b4\u17b5")


def one_line(text: str, limit: int) -> str:
    """Cleaned, its white space folded, at most `limit` characters, never empty."""
    return _cut(" ".join(_visible(text, limit).split()), limit)


def paragraph(text: str, limit: int) -> str:
    """As `one_line`, but line breaks stay; never more than one empty line in a row."""
    lines = [" ".join(line.split()) for line in _visible(text, limit).split("\n")]
    return _cut(re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip(), limit)


def is_web_address(url: str) -> bool:
    """http(s) with a host, nothing invisible, and no user name in front of the host that could pass for one."""
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
    except ValueError:  # a port that is no number, a bracket without its other half
        return False


def _visible(text: str, limit: int) -> str:
    near = text[: REACH * limit] + ("…" if len(text) > REACH * limit else "")
    folded = re.sub(r"\r\n?|[\v\f\x85\u2028\u2029]", "\n", near)
    return "".join(letter for letter in folded if (letter.isprintable() or letter.isspace()) and letter not in BLANKS)


def _cut(text: str, limit: int) -> str:
    if len(text) > limit:
        return text[: limit - 1].rstrip() + "…"
    return text or NOTHING
