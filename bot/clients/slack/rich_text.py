"""Slack's rich text: pieces that Slack never parses as markup, and moments that each reader sees in their own time zone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bot.clients.plain_text import length
from bot.language.moments import MOMENT, read_moment

Block = dict[str, object]

SHOWN_AS = "{date_short} {time}"  # https://docs.slack.dev/reference/block-kit/block-elements/date-element


def rich(elements: Sequence[Block], kind: str = "rich_text_section") -> Block:
    return {"type": "rich_text", "elements": [{"type": kind, "elements": list(elements)}]}


def text_of(text: str, *, is_bold: bool = False) -> Block:
    return {"type": "text", "text": text, **({"style": {"bold": True}} if is_bold else {})}


def bold(text: str) -> Block:
    return text_of(text, is_bold=True)


def has_moment(text: str) -> bool:
    return any(_read(found[0]) for found in MOMENT.finditer(text))


def timed(text: str, *, is_bold: bool = False) -> list[Block]:
    """The text, with each moment as an element that Slack shows in the reader's zone; where it cannot, it stays in UTC."""
    return list(_pieces(text, is_bold))


def _pieces(text: str, is_bold: bool) -> Iterator[Block]:
    begun = 0
    for found in MOMENT.finditer(text):
        moment = _read(found[0])
        if moment is None:
            continue
        if found.start() > begun:
            yield text_of(text[begun : found.start()], is_bold=is_bold)
        style: Block = {"style": {"bold": True}} if is_bold else {}
        yield {"type": "date", "timestamp": moment, "format": SHOWN_AS, "fallback": found[0], **style}
        begun = found.end()
    if begun < len(text):
        yield text_of(text[begun:], is_bold=is_bold)


def _read(text: str) -> int | None:
    """Seconds since 1970."""
    moment = read_moment(text)
    return int(moment.timestamp()) if moment is not None and moment.year >= 1970 else None


def text_length(value: object) -> int:
    """The characters of all texts in these blocks, as Slack counts them for a message."""
    if isinstance(value, Mapping):
        return sum(
            length(inner) if name in COUNTED and isinstance(inner, str) else text_length(inner)
            for name, inner in value.items()
        )
    return sum(text_length(inner) for inner in value) if isinstance(value, list) else 0


COUNTED = ("text", "alt_text", "fallback")
