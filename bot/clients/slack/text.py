"""Slack's fallback text, the one place where Slack parses what we send: there, marks are replaced by look-alikes. Pure.

Blocks use only `plain_text`, `raw_text` and rich-text elements: Slack never parses markup in these, so a text needs nothing but the
cleaning of `plain_text`. Which object a text goes into is decided in `slack_blocks`. In the fallback, escaping alone would not do: a mark
at a word's border formats, an address becomes a link.
"""

from __future__ import annotations

import re

from bot.clients.plain_text import one_line

FALLBACK_LIMIT = 700  # chat.update takes 4,000 characters, and escaping makes up to five of one

LOOK_ALIKES = str.maketrans({"*": "∗", "~": "∼", "`": "ˋ", "@": "＠"})
LIVE: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?<![^\W_])_|_(?![^\W_])"), "ˍ"),  # _italic_; inside a word, as in bike_demand, it is only a letter
    (re.compile(r"#(?=\w)"), "＃"),  # a channel
    (re.compile(r":(?=//)"), "∶"),  # an address
    (re.compile(r":(?=\S*:)"), "∶"),  # an emoji: of each word, only the last colon stays
    (re.compile(r"(?<=\w)\.(?=[^\W\d])"), "․"),  # a bare domain
    (re.compile(r"(?i)(?<=\bmailto):|(?<=\btel):"), "∶"),
)


def fallback(text: str) -> str:
    """For the `text` of a message, which Slack parses as mrkdwn: nothing in it is live, and it still reads the same."""
    inert = one_line(text, FALLBACK_LIMIT).translate(LOOK_ALIKES)
    for pattern, look_alike in LIVE:
        inert = pattern.sub(look_alike, inert)
    return inert.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
