"""Turns a card into Slack's blocks, and a question into a modal. Pure; `notifier` sends them.

Blocks use only `plain_text`, `raw_text` and rich-text elements. Slack never parses markup in these, so a text needs only the cleaning of
`plain_text`. The one text that Slack does parse is a message's fallback. There escaping is not enough: a mark at a word's border formats,
and an address becomes a link. So `fallback` replaces marks by look-alikes. Limits: https://docs.slack.dev/reference/block-kit
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from bot.clients.plain_text import NOTHING, beginning, is_web_address, length, one_line, paragraph
from bot.clients.slack.buttons import button_blocks, plain
from bot.clients.slack.charts import chart_blocks
from bot.clients.slack.items import item_blocks
from bot.clients.slack.rich_text import Block, bold, has_moment, rich, text_length, text_of, timed
from bot.domain.card.card import Called, Card, Fact, Lead, Link, Mark, Mention, Table, Weight
from bot.domain.references import Image
from bot.language import N_, _, ngettext
from bot.ports import Click

Found = Mapping[Mention, str]
NO_IDS: Found = MappingProxyType({})

REASON_FORM = "countersign.reason"
REASON_BLOCK = "reason"
REASON_LIMIT = 1_000
OPTIONAL = "optional"  # of an input block, and in a form's origin: its answer may be empty

HEADER_LIMIT = 150
SECTION_TEXT_LIMIT = 3_000  # https://docs.slack.dev/reference/block-kit/composition-objects/text-object
LABEL_LIMIT = 80
VALUE_LIMIT = 500
CONTEXT_LIMIT = 500
LEAD_LIMIT = 500
ALT_LIMIT = 2_000  # https://docs.slack.dev/reference/block-kit/blocks/image-block
TABLE_ROWS_LIMIT = 100  # with the row of headings: https://docs.slack.dev/reference/block-kit/blocks/table-block
TABLE_COLUMNS_LIMIT = 20
TABLE_CHARACTERS_LIMIT = 10_000
CELL_LIMIT = 200
PREFORMATTED_LIMIT = 2_900
MODAL_TITLE_LIMIT = 24

# All text of a message together. Undocumented: some have found msg_blocks_too_long above 13,200, others at 11,341.
# https://github.com/slackapi/bolt-js/issues/2509
MESSAGE_LIMIT = 9_800
# These keep a message far below Slack's limit of 50 blocks.
PARAGRAPHS_SHOWN = 20
TABLES_SHOWN = 10
MENTIONS_SHOWN = 60
ROOM_FOR_A_NOTE = 40
SMALLEST_TABLE = 300

COLOURS = {
    Mark.PREPARING: "⚪",
    Mark.OPEN: "🟡",
    Mark.CARE: "🟠",
    Mark.UNDER_WAY: "🔵",
    Mark.DONE: "🟢",
    Mark.REFUSED: "🔴",
    Mark.OVER: "⚫",
}
PLAIN_SUMMARY_LIMIT = 600
PLAIN_TEXT_LIMIT = 1_500
WAITS_FOR = N_("Waiting for:")
NOT_TAKEN = N_("Slack did not take the whole card, so it is shown in short. All of it: countersign describe")


def blocks_of(card: Card, found: Found = NO_IDS) -> list[Block]:
    """The whole card in reading order. A card that is too long loses its middle and says so; its buttons stay.

    `found` holds the Slack ids of the people and groups mentioned. The others are printed by name and not notified.
    """
    header, lead = _header(card), _lead(card.lead)
    mentions, image = _mentions(card, found), _image(card.image)
    end = [*_links(card.links), *_footer(card.footer), *button_blocks(card.buttons)]
    chart = chart_blocks(card.chart)
    room = MESSAGE_LIMIT - HEADER_LIMIT - text_length([*lead, *mentions, *image, *chart, *end])
    facts = _facts(card.facts, room // 3)
    paragraphs = _paragraphs(card.paragraphs, room // 3)
    tables = _tables(card.tables, room - text_length(facts) - text_length(paragraphs))
    items = item_blocks(card.items, room - text_length([*facts, *paragraphs, *tables]))
    return [header, *lead, *facts, *tables, *chart, *image, *paragraphs, *items, *mentions, *end]


def plain_blocks_of(card: Card) -> list[Block]:
    """The card in short, of the simplest blocks only, for when Slack refuses the whole one. Its buttons are all there."""
    facts = "\n".join(f"{one_line(fact.label, LABEL_LIMIT)}: {_as_text(fact.value)}" for fact in card.facts)
    links = "\n".join(_as_text(link) for link in card.links)
    texts = [
        (card.lead.text if card.lead else "", PLAIN_SUMMARY_LIMIT),
        (card.summary, PLAIN_SUMMARY_LIMIT),
        (facts, PLAIN_TEXT_LIMIT),
        ("\n".join(card.paragraphs), PLAIN_TEXT_LIMIT),
        (links, PLAIN_TEXT_LIMIT),
    ]
    shown = [_section(text, limit) for text, limit in texts if text]
    items = item_blocks(card.items, MESSAGE_LIMIT - text_length(shown) - HEADER_LIMIT)
    return [_header(card), *shown, *items, *_footer(card.footer), *_footer(_(NOT_TAKEN)), *button_blocks(card.buttons)]


def _header(card: Card) -> Block:
    return {
        "type": "header",
        "text": plain(f"{COLOURS[card.mark]} {card.title}" if card.mark else card.title, HEADER_LIMIT),
    }


def _lead(lead: Lead | None) -> list[Block]:
    if lead is None:
        return []
    text = one_line(f"{'⚠️ ' if lead.weight is Weight.HIGH else ''}{lead.text}", LEAD_LIMIT)
    return [rich(timed(text, is_bold=lead.weight is not Weight.LOW))]


def _links(links: Sequence[Link]) -> list[Block]:
    """On one line. An address that is not one of the web stays text."""
    elements: list[Block] = []
    for link in links:
        elements += [text_of(" · ")] if elements else []
        elements.append(_value(link))
    return [rich(elements)] if elements else []


def _as_text(value: str | Link) -> str:
    if isinstance(value, str):
        return one_line(value, VALUE_LIMIT)
    return (
        f"{one_line(value.text, VALUE_LIMIT)} {value.url}"
        if is_web_address(value.url)
        else one_line(value.text, VALUE_LIMIT)
    )


def lines_of(text: str) -> list[Block]:
    """One section of plain text."""
    return [_section(text, SECTION_TEXT_LIMIT)]


def notice(title: str, text: str) -> Block:
    """A modal with nothing to fill in."""
    close = plain(_("Close"), MODAL_TITLE_LIMIT)
    return {"type": "modal", "title": plain(title, MODAL_TITLE_LIMIT), "close": close, "blocks": lines_of(text)}


def reason_form(click: Click, title: str, prompt: str, *, optional: bool = False, initial: str = "") -> Block:
    """The modal that asks for a reason. It carries the click's origin, because Slack's submission does not."""
    place = {"channel": click.channel, "message": click.message} if click.message else {}
    shown = {"shown": click.shown} if click.shown else {}
    may_be_empty = {OPTIONAL: True} if optional else {}
    origin = {"action": click.action, "value": click.value, **place, **shown, **may_be_empty}
    reason = {"type": "plain_text_input", "action_id": REASON_BLOCK, "multiline": True, "min_length": 1}
    begun = {"initial_value": initial[:REASON_LIMIT]} if initial else {}
    return {
        "type": "modal",
        "callback_id": REASON_FORM,
        "private_metadata": json.dumps(origin),
        "title": plain(title, MODAL_TITLE_LIMIT),
        "submit": plain(title, MODAL_TITLE_LIMIT),
        "close": plain(_("Cancel"), MODAL_TITLE_LIMIT),
        "blocks": [
            {
                "type": "input",
                "block_id": REASON_BLOCK,
                "label": plain(prompt, 2_000),
                "element": {**reason, "max_length": REASON_LIMIT, **begun},
                **may_be_empty,
            }
        ],
    }


def _section(text: str, limit: int) -> Block:
    return {"type": "section", "text": {"type": "plain_text", "text": paragraph(text, limit), "emoji": False}}


def _facts(facts: Sequence[Fact], room: int) -> list[Block]:
    """One line per fact, all in one block. We add the line breaks as elements, so no value can forge a line."""
    elements: list[Block] = []
    for shown, fact in enumerate(facts):
        line = [bold(f"{one_line(fact.label, LABEL_LIMIT)}: "), *_values(fact.value)]
        line_break = [text_of("\n")] if elements else []
        if text_length([*elements, *line_break, *line]) > room - ROOM_FOR_A_NOTE:
            elements += [
                *line_break,
                text_of(ngettext("… {count} more line", "… {count} more lines", len(facts) - shown)),
            ]
            break
        elements += [*line_break, *line]
    return [rich(elements)] if elements else []


def _mentions(card: Card, found: Found) -> list[Block]:
    elements: list[Block] = []
    mentions = card.mentions
    for mention in mentions[:MENTIONS_SHOWN]:
        elements += [
            text_of(", ") if elements else bold(f"{card.waits_for or _(WAITS_FOR)} "),
            _mention(mention, found.get(mention)),
        ]
    if len(mentions) > MENTIONS_SHOWN:
        elements.append(text_of(_(", and {count} more", count=len(mentions) - MENTIONS_SHOWN)))
    return [rich(elements)] if elements else []


def _mention(mention: Mention, id_: str | None) -> Block:
    if id_ is None:
        return text_of(one_line(mention.name, LABEL_LIMIT))
    if mention.kind is Called.GROUP:
        return {"type": "usergroup", "usergroup_id": id_}
    return {"type": "user", "user_id": id_}


def _image(image: Image | None) -> list[Block]:
    if image is None:
        return []
    return [{"type": "image", "slack_file": {"id": image.file}, "alt_text": one_line(image.alt, ALT_LIMIT)}]


def _values(value: str | Link) -> list[Block]:
    return timed(one_line(value, VALUE_LIMIT)) if isinstance(value, str) else [_value(value)]


def _value(value: Link) -> Block:
    if is_web_address(value.url):
        return {"type": "link", "url": value.url, "text": one_line(value.text, VALUE_LIMIT)}
    return text_of(one_line(value.text, VALUE_LIMIT))


def _tables(tables: Sequence[Table], room: int) -> list[Block]:
    """Slack allows one table per message; others, and tables that are too large, become monospaced text."""
    blocks: list[Block] = []
    native_is_free = True
    for shown, table in enumerate(tables):
        left = room - text_length(blocks) - HEADER_LIMIT - ROOM_FOR_A_NOTE
        if shown == TABLES_SHOWN or left < SMALLEST_TABLE:
            more = ngettext("… {count} more table", "… {count} more tables", len(tables) - shown)
            return [*blocks, _section(more, SECTION_TEXT_LIMIT)]
        rows = _cells(table)
        is_native = native_is_free and _fits(rows, left)
        native_is_free = native_is_free and not is_native
        heading = [rich([bold(one_line(table.title, HEADER_LIMIT))])] if table.title else []
        blocks += [*heading, _native(rows) if is_native else _preformatted(rows, left)]
    return blocks


def _cells(table: Table) -> list[list[str]]:
    return [[one_line(cell, CELL_LIMIT) for cell in row] for row in (table.columns, *table.rows)]


def _fits(rows: Sequence[Sequence[str]], room: int) -> bool:
    characters = sum(length(cell) for row in rows for cell in row)
    has_room = characters <= min(room, TABLE_CHARACTERS_LIMIT)
    return has_room and len(rows) <= TABLE_ROWS_LIMIT and 0 < len(rows[0]) <= TABLE_COLUMNS_LIMIT


def _native(rows: Sequence[Sequence[str]]) -> Block:
    headings = [rich([bold(cell)]) for cell in rows[0]]
    body = [[{"type": "raw_text", "text": cell} for cell in row] for row in rows[1:]]
    settings = [{"align": "left" if index == 0 else "right", "is_wrapped": True} for index in range(len(rows[0]))]
    return {"type": "table", "rows": [headings, *body], "column_settings": settings}


def _preformatted(rows: Sequence[Sequence[str]], room: int) -> Block:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return rich([text_of(_whole_lines(lines, min(room, PREFORMATTED_LIMIT)))], "rich_text_preformatted")


def _whole_lines(lines: Sequence[str], room: int) -> str:
    """As many whole lines as fit, then the number of lines left out, because a silent cut reads like the end."""
    text = "\n".join(lines)
    if length(text) <= room:
        return text.strip() or NOTHING
    shown = max(1, beginning(text, room - ROOM_FOR_A_NOTE).count("\n"))
    kept = beginning("\n".join(lines[:shown]), room - ROOM_FOR_A_NOTE)
    more = ngettext("… {count} more row", "… {count} more rows", len(lines) - shown)
    return f"{kept}\n{more}"


def _paragraphs(paragraphs: Sequence[str], room: int) -> list[Block]:
    blocks: list[Block] = []
    for shown, text in enumerate(paragraphs):
        left = room - text_length(blocks) - ROOM_FOR_A_NOTE
        if shown == PARAGRAPHS_SHOWN or left < ROOM_FOR_A_NOTE:
            more = ngettext("… {count} more paragraph", "… {count} more paragraphs", len(paragraphs) - shown)
            return [*blocks, _section(more, SECTION_TEXT_LIMIT)]
        blocks.append(_paragraph(text, min(SECTION_TEXT_LIMIT, left)))
    return blocks


def _paragraph(text: str, limit: int) -> Block:
    """With its moments in the reader's zone, of which only rich text is capable."""
    return rich(timed(paragraph(text, limit))) if has_moment(text) else _section(text, limit)


def _footer(footer: str) -> list[Block]:
    return [{"type": "context", "elements": [plain(footer, CONTEXT_LIMIT)]}] if footer else []


FALLBACK_LIMIT = 700  # chat.update takes 4,000 characters, and escaping turns one into up to five

LOOK_ALIKES = str.maketrans({"*": "∗", "~": "∼", "`": "ˋ", "@": "＠"})
FALLBACK_LIVE: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?<![^\W_])_|_(?![^\W_])"), "ˍ"),  # _italic_; inside a word, as in bike_demand, it has no meaning
    (re.compile(r"#(?=\w)"), "＃"),  # a channel
    (re.compile(r":(?=//)"), "∶"),  # an address
    (re.compile(r":(?=\S*:)"), "∶"),  # an emoji: of each word, only the last colon stays
    (re.compile(r"(?<=\w)\.(?=[^\W\d])"), "․"),  # a bare domain
    (re.compile(r"(?i)(?<=\bmailto):|(?<=\btel):"), "∶"),
)


def fallback(text: str) -> str:
    """For a message's `text`, which Slack parses as mrkdwn: the result has no markup and still reads the same."""
    inert = one_line(text, FALLBACK_LIMIT).translate(LOOK_ALIKES)
    for pattern, look_alike in FALLBACK_LIVE:
        inert = pattern.sub(look_alike, inert)
    return inert.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
