"""Makes cards and texts fit into a Jira description or comment, and cleans them of what the eye cannot see. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from bot.clients.plain_text import one_line, paragraph
from bot.domain.card.card import Card, Fact, Link, Table

T = TypeVar("T", str, dict[str, object])

TEXT_LIMIT = 32_767  # https://support.atlassian.com/jira-cloud-administration/docs/configure-advanced-settings/
CARD_SIZES = (
    (200, 4_000),
    (50, 1_500),
    (15, 500),
    (5, 150),
    (3, 80),
)  # a table's rows, a text's letters, tried in turn
TEXT_SIZES = (20_000, 5_000)
LEAST = 500  # letters; even escaped and one to a line they fit


def fitting_card(card: Card, render: Callable[[Card], T]) -> T:
    """As much of the card as fits; at the very least its summary."""
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
    """Jira counts a document's own form as well, so its JSON is what must fit."""
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
    left_out = f" (the first {rows} of {len(table.rows)} rows)" if len(table.rows) > rows else ""
    return Table(
        one_line(table.title, letters) + left_out,
        tuple(one_line(name, letters) for name in table.columns),
        tuple(tuple(one_line(text, letters) for text in row) for row in table.rows[:rows]),
    )
