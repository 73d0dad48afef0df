"""Makes untrusted text harmless for Slack. Pure; which object a text goes into is decided in `slack_blocks`.

Blocks use only `plain_text`, `raw_text` and rich-text elements: Slack never parses markup in these, so a text needs nothing but to be
cleaned of what the eye cannot see. The message's fallback text is the one place where Slack parses, so there the marks are also
replaced by look-alikes. Escaping alone would not do: a mark at a word's border formats, an address becomes a link.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

NOTHING = "–"  # Slack refuses an empty text, so a person sees a dash
FALLBACK_LIMIT = 700  # chat.update takes 4,000 characters, and escaping makes up to five of one
URL_LIMIT = 3_000

REACH = 8  # only so many times the limit is looked at: an endless text must not cost endless time

# Letters and marks by category, yet they look like nothing. All else that the eye cannot see, Python calls not printable.
BLANKS = frozenset("\u115f\u1160\u2800\u3164\uffa0\u034f\u17b4\u17b5")

LOOK_ALIKES = str.maketrans({"*": "∗", "~": "∼", "`": "ˋ", "@": "＠"})
LIVE: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?<![^\W_])_|_(?![^\W_])"), "ˍ"),  # _italic_; inside a word, as in bike_demand, it is only a letter
    (re.compile(r"#(?=\w)"), "＃"),  # a channel
    (re.compile(r":(?=//)"), "∶"),  # an address
    (re.compile(r":(?=\S*:)"), "∶"),  # an emoji: of each word, only the last colon stays
    (re.compile(r"(?<=\w)\.(?=[^\W\d])"), "․"),  # a bare domain
    (re.compile(r"(?i)(?<=\bmailto):|(?<=\btel):"), "∶"),
)


def one_line(text: str, limit: int) -> str:
    """Cleaned, its white space folded, at most `limit` characters, never empty."""
    return _cut(" ".join(_visible(text, limit).split()), limit)


def paragraph(text: str, limit: int) -> str:
    """As `one_line`, but line breaks stay; never more than one empty line in a row."""
    lines = [" ".join(line.split()) for line in _visible(text, limit).split("\n")]
    return _cut(re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip(), limit)


def fallback(text: str) -> str:
    """For the `text` of a message, which Slack parses as mrkdwn: nothing in it is live, and it still reads the same."""
    inert = one_line(text, FALLBACK_LIMIT).translate(LOOK_ALIKES)
    for pattern, look_alike in LIVE:
        inert = pattern.sub(look_alike, inert)
    return inert.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


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
