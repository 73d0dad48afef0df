"""Cards and texts as Atlassian Document Format, for Jira Cloud. Pure. Every text goes into a text node, where nothing can come alive.

https://developer.atlassian.com/cloud/jira/platform/apis/document/structure/
"""

from __future__ import annotations

from typing import TypeAlias

from bot.clients.plain_text import is_web_address
from bot.domain.card.card import Card, Fact, Link, Table

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
    """An empty line begins a new paragraph."""
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
    """No node for an empty text, because Jira refuses one."""
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
