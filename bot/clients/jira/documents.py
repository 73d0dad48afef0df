"""Cards and texts as Jira shows them: Atlassian Document Format for Cloud, wiki markup for Data Center, cut to Jira's limits. Pure.

Untrusted text cannot become markup. In a document it goes into text nodes, which Jira does not parse. In wiki markup every character that
could start markup becomes a numeric HTML entity, which Jira shows as the character. A backslash would be easier to read, but it cannot
escape a backslash (two of them break the line), an address, or a ticket's key.

https://developer.atlassian.com/cloud/jira/platform/apis/document/structure/
https://jira.atlassian.com/secure/WikiRendererHelpAction.jspa?section=all
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias, TypeVar
from urllib.parse import quote

from bot.clients.plain_text import is_web_address, one_line, paragraph
from bot.domain.card.card import Card, Fact, Link, Table
from bot.language import _

Node: TypeAlias = dict[str, object]


def card_as_adf(card: Card) -> Node:
    blocks = [_paragraph(card.summary)]
    if card.facts:
        blocks.append(_table([[_cell("tableHeader", _text(fact.label)), _fact_cell(fact)] for fact in card.facts]))
    for table in card.tables:
        blocks += _titled(table)
    blocks += [_paragraph(text) for text in card.paragraphs]
    if card.footer:
        blocks += [{"type": "rule"}, _paragraph(card.footer, "em")]
    return _document(blocks)


def text_as_adf(text: str) -> Node:
    """An empty line starts a new paragraph."""
    return _document([_paragraph(part) for part in text.split("\n\n") if part.strip()])


def _document(blocks: list[Node]) -> Node:
    return {"type": "doc", "version": 1, "content": blocks}


def _paragraph(text: str, mark: str = "") -> Node:
    inlines: list[Node] = []
    for line in text.splitlines():
        if inlines:
            inlines.append({"type": "hardBreak"})
        inlines += _text(line, mark)
    return {"type": "paragraph", "content": inlines}


def _text(text: str, mark: str = "") -> list[Node]:
    """No node for an empty text, because Jira refuses empty text nodes."""
    marks: Node = {"marks": [{"type": mark}]} if mark else {}
    return [{"type": "text", "text": text, **marks}] if text else []


def _fact_cell(fact: Fact) -> Node:
    if not isinstance(fact.value, Link):
        return _cell("tableCell", _text(fact.value))
    inlines = _text(fact.value.text or fact.value.url)
    if is_web_address(fact.value.url):
        for inline in inlines:
            inline["marks"] = [{"type": "link", "attrs": {"href": fact.value.url}}]
    return _cell("tableCell", inlines)


def _titled(table: Table) -> list[Node]:
    heading: Node = {"type": "heading", "attrs": {"level": 3}, "content": _text(table.title)}
    header = [_cell("tableHeader", _text(name)) for name in table.columns]
    rows = [[_cell("tableCell", _text(text)) for text in row] for row in table.rows]
    return [heading, _table([header, *rows])]


def _table(rows: list[list[Node]]) -> Node:
    return {"type": "table", "content": [{"type": "tableRow", "content": row} for row in rows]}


def _cell(kind: str, inlines: list[Node]) -> Node:
    return {"type": kind, "attrs": {}, "content": [{"type": "paragraph", "content": inlines}]}


LIVE = re.compile(
    r"""
      [\\{}\[\]|!*+^~&<>]              # escapes, macros, links, tables, images, effects, entities
    | (?<!\w)[_-] | [_-](?!\w)         # effects, lists, dashes and rules; inside a word, as in bike-demand, they are letters
    | (?<=[A-Z][A-Z0-9])-(?=\d)        # the key of a ticket
    | \?(?=\?) | (?<=\?)\?             # a citation
    | :(?=[^\s\d])                     # an address, an emoticon
    | ;(?=\)) | \((?=[^)\s]{1,3}\))    # emoticons and signs, such as (c)
    | ^\#                              # a numbered list
    | (?<=^h[1-6])\.(?=\s) | (?<=^bq)\.(?=\s)   # headings and quotations
    """,
    re.VERBOSE,
)


def escaped(text: str) -> str:
    """One line of text with every markup character escaped."""
    return LIVE.sub(lambda match: f"&#{ord(match.group())};", text.strip())


def card_as_wiki(card: Card) -> str:
    blocks = [text_as_wiki(card.summary)]
    if card.facts:
        blocks.append("\n".join(f"||{_wiki_cell(fact.label)}|{_wiki_fact(fact)}|" for fact in card.facts))
    blocks += [_wiki_table(table) for table in card.tables]
    blocks += [text_as_wiki(text) for text in card.paragraphs]
    if card.footer:
        blocks += ["----", text_as_wiki(card.footer)]
    return "\n\n".join(blocks)


def text_as_wiki(text: str) -> str:
    return "\n".join(escaped(line) for line in text.splitlines())


def _wiki_fact(fact: Fact) -> str:
    if not isinstance(fact.value, Link):
        return _wiki_cell(fact.value)
    text = fact.value.text or fact.value.url
    if not is_web_address(fact.value.url):
        return _wiki_cell(text)
    return f"[{escaped(text)}|{quote(fact.value.url, safe=':/?#@&=+$,;%.')}]"


def _wiki_table(table: Table) -> str:
    header = "||" + "||".join(_wiki_cell(name) for name in table.columns) + "||"
    rows = ["|" + "|".join(_wiki_cell(text) for text in row) + "|" for row in table.rows]
    return "\n".join([f"h3. {escaped(table.title)}", header, *rows])


def _wiki_cell(text: str) -> str:
    """Never empty, because an empty cell breaks the row."""
    return escaped(text) or " "


T = TypeVar("T", str, dict[str, object])

TEXT_LIMIT = 32_767  # https://support.atlassian.com/jira-cloud-administration/docs/configure-advanced-settings/
CARD_SIZES = (
    (200, 4_000),
    (50, 1_500),
    (15, 500),
    (5, 150),
    (3, 80),
)  # rows of a table and characters of a text, tried in this order
TEXT_SIZES = (20_000, 5_000)
LEAST = 500  # characters; they fit even when all are escaped and each is on its own line


def fitting_card(card: Card, render: Callable[[Card], T]) -> T:
    """As much of the card as fits; at least its summary."""
    for rows, letters in CARD_SIZES:
        shown = render(_trimmed(card, rows, letters))
        if _length(shown) <= TEXT_LIMIT:
            return shown
    return render(Card(title="", summary=paragraph(card.summary, LEAST)))


def fitting_text(text: str, render: Callable[[str], T]) -> T:
    for letters in TEXT_SIZES:
        shown = render(paragraph(text, letters))
        if _length(shown) <= TEXT_LIMIT - LEAST:  # room for a marker
            return shown
    return render(paragraph(text, LEAST))


def _length(shown: T) -> int:
    """Jira's limit counts a document's JSON, not only its text."""
    return len(shown) if isinstance(shown, str) else len(json.dumps(shown, ensure_ascii=False))


def _trimmed(card: Card, rows: int, letters: int) -> Card:
    return replace(
        card,
        summary=paragraph(card.summary, letters),
        facts=tuple(_trimmed_fact(fact, letters) for fact in card.facts),
        tables=tuple(_trimmed_table(table, rows, letters) for table in card.tables),
        paragraphs=tuple(paragraph(text, letters) for text in card.paragraphs),
        footer=paragraph(card.footer, letters) if card.footer else "",
    )


def _trimmed_fact(fact: Fact, letters: int) -> Fact:
    value = fact.value
    shown = replace(value, text=one_line(value.text, letters)) if isinstance(value, Link) else one_line(value, letters)
    return Fact(one_line(fact.label, letters), shown)


def _trimmed_table(table: Table, rows: int, letters: int) -> Table:
    title = one_line(table.title, letters)
    if len(table.rows) > rows:
        title = _("{table} (the first {count} of {all} rows)", table=title, count=rows, all=len(table.rows))
    return Table(
        title,
        tuple(one_line(name, letters) for name in table.columns),
        tuple(tuple(one_line(text, letters) for text in row) for row in table.rows[:rows]),
    )
