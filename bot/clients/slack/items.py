"""The list on a card as Slack's blocks: one section for each line that is open, one block for all that are over."""

from __future__ import annotations

from collections.abc import Sequence

from bot.clients.plain_text import is_web_address, one_line
from bot.clients.slack.buttons import button_of_a_list, plain
from bot.clients.slack.rich_text import Block, bold, has_moment, rich, text_length, text_of, timed
from bot.domain.card.card import Item
from bot.language import ngettext

SECTIONS_SHOWN = 36  # of the 50 blocks that a message may have: https://docs.slack.dev/reference/block-kit/blocks
TITLE_LIMIT = 150
TEXT_LIMIT = 300
ROOM_FOR_A_NOTE = 60


def item_blocks(items: Sequence[Item], room: int) -> list[Block]:
    """`room` is how many characters there are for all; what does not fit is counted."""
    blocks: list[Block] = []
    shown_open = [item for item in items if not item.is_over]
    over = [item for item in items if item.is_over]
    shown = 0
    for item in shown_open[:SECTIONS_SHOWN]:
        line = _open(item)
        if text_length([*blocks, line]) > room - ROOM_FOR_A_NOTE:
            break
        blocks.append(line)
        shown += 1
    ended, listed = _over(over, room - ROOM_FOR_A_NOTE - text_length(blocks))
    left_out = len(items) - shown - listed
    note = [rich([text_of(ngettext("… {count} more line", "… {count} more lines", left_out))])] if left_out else []
    return [*blocks, *ended, *note]


def _open(item: Item) -> Block:
    title, text = one_line(item.title, TITLE_LIMIT), one_line(item.text, TEXT_LIMIT)
    if item.button is not None:
        return {
            "type": "section",
            "text": plain_lines(title, text),
            "accessory": button_of_a_list(item.button),
        }
    return rich([*_titled(item, title), text_of("\n"), *(timed(text) if has_moment(text) else [text_of(text)])])


def _titled(item: Item, title: str) -> list[Block]:
    if item.link is not None and is_web_address(item.link.url):
        return [{"type": "link", "url": item.link.url, "text": title, "style": {"bold": True}}]
    return [bold(title)]


def plain_lines(title: str, text: str) -> Block:
    """The line break is ours: neither text can make one."""
    return {**plain(title, TITLE_LIMIT), "text": f"{title}\n{text}"}


def _over(items: Sequence[Item], room: int) -> tuple[list[Block], int]:
    """All in one block, each title struck out; how many fit."""
    elements: list[Block] = []
    shown = 0
    for item in items:
        title: Block = {"type": "text", "text": one_line(item.title, TITLE_LIMIT), "style": {"strike": True}}
        line = [*([text_of("\n")] if elements else []), title, text_of(f"  {one_line(item.text, TEXT_LIMIT)}")]
        if text_length([*elements, *line]) > room:
            break
        elements += line
        shown += 1
    return ([rich(elements)] if elements else []), shown
