"""The plain text of what an auditor copies from a ticket: wiki markup, HTML, or an answer of Jira's REST API as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

BREAK = re.compile(r"<br\s*/?>|</?p\b[^>]*>", re.IGNORECASE)
TEXTS = (
    "text",
    "body",
    "renderedBody",
    "description",
)  # where Jira's answers hold text; documents (ADF) have it in nodes


def plain_text(pasted: str) -> str:
    """Character references are resolved: Data Center stores `+` as `&#43;`. Text that is neither JSON nor HTML stays as it is."""
    from html import unescape  # here, for it has a table of 2,000 names that no process needs otherwise

    text = pasted
    if pasted.lstrip()[:1] in ("{", "["):
        try:
            text = "\n".join(_texts(json.loads(pasted)))
        except (ValueError, RecursionError):
            text = pasted
    return unescape(BREAK.sub("\n", text))


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, str) and key in TEXTS:
                yield item
            else:
                yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
