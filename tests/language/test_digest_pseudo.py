"""A digest in every form, in a language in which every marked text looks foreign: no English is left but what people and systems wrote."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TypeVar, cast

import pytest

from bot.domain.card.card import Card, Link
from bot.domain.digest.card import (
    ReportFile,
    digest_card,
    files_card,
    subject,
    thread_cards,
    ticket_card,
    trend_card,
    witness_text,
)
from bot.domain.digest.chart import chart_svg, chart_words
from bot.domain.digest.figures import Digest, LedgerFigures, Listed, blank
from bot.domain.digest.mail import mail_html, mail_text
from bot.domain.digest.periods import period_at
from bot.domain.digest.sample import sample
from bot.domain.digest.sign_off import SignOff, Wanted, sign_off_text, wanted_text
from bot.domain.references import Image
from bot.language import reading
from bot.reports.document import document_of
from bot.reports.records import file_names
from tests.language.pseudo import XX, english_in

Anything = TypeVar("Anything")
NOON = datetime(2026, 11, 28, 12, 31, tzinfo=UTC)
TAGS = re.compile(r"<[^>]*>")
COMMANDS = (
    "countersign audit verify --checkpoint FILE html digest --week",
    "UTC h min sha256 Countersign Europe Madrid svg csv pdf jsonl png figures holdings waiting",
    "alias champion stage Production model prod",
    "risk mae a.csv b.csv example.com preview {page} {pages}",
)


CODES = {
    *["people", "nobody", "applied", "rejected", "expired", "withdrawn", "superseded", "stale", "called_off"],
    "the fast track",
    "the rule",
}
WRITTEN = "数据"  # in place of all that people and systems wrote
KEPT = {"workspace", "week", "timezone", "form", "language"}


def written(part: Anything, name: str = "") -> Anything:
    """The same figures, but each text in them is one that has no English word; what is a code stays."""
    if isinstance(part, StrEnum) or name in KEPT or part in ("", None):
        return part
    if isinstance(part, str):
        return cast(Anything, part if part in CODES else WRITTEN)
    if is_dataclass(part) and not isinstance(part, type):
        return cast(
            Anything, replace(part, **{one.name: written(getattr(part, one.name), one.name) for one in fields(part)})
        )
    if isinstance(part, dict):
        return cast(Anything, {key: written(value) for key, value in part.items()})
    return cast(Anything, tuple(map(written, part)) if isinstance(part, tuple) else part)


def full() -> Digest:
    period = period_at(NOON, "Europe/Madrid")
    return written(sample(period, period.ends + timedelta(hours=9)))


def in_progress(digest: Digest) -> Digest:
    return replace(digest, closed_at=digest.period.starts + timedelta(days=2))


def quiet() -> Digest:
    return replace(blank(period_at(NOON, "Europe/Madrid"), NOON + timedelta(days=9)), trend=full().trend[:1])


def broken() -> Digest:
    return replace(quiet(), trend=(), ledger=LedgerFigures(1, 3, 3, "", "mae", 1), attention=Listed((), 0))


def texts_of(card: Card) -> Iterator[str]:
    yield from (card.title, card.summary, *card.paragraphs, card.footer)
    for fact in card.facts:
        yield fact.label
        yield fact.value.text if isinstance(fact.value, Link) else fact.value
    for table in card.tables:
        yield from (table.title, *table.columns, *(cell for row in table.rows for cell in row))
    yield from (button.label for button in card.buttons)


def shown_of(digest: Digest) -> Iterator[str]:
    files = (ReportFile("a.csv", "0" * 64), ReportFile("b.csv", "1" * 64, "mae"))
    wanted = Wanted("risk", NOON, "0" * 64)
    signed = SignOff(digest.period.week, "0" * 64, 3, "nobody known", NOON, "mae")
    for card in (
        digest_card(digest, wanted=wanted),
        digest_card(digest, signed_off=sign_off_text(signed, digest.period, {})),
        trend_card(Image("mae", "mae")),
        files_card(digest, files),
        ticket_card(digest),
        *thread_cards(digest, file_names(digest.period.week)),
    ):
        yield from texts_of(card)
    yield from (subject(digest), witness_text(digest, files), wanted_text(wanted, digest.period))
    yield from (mail_text(digest, files), TAGS.sub(" ", mail_html(digest, files)), chart_words(digest))
    yield TAGS.sub(" ", chart_svg(digest))
    yield from _printed(document_of(digest, signed=""))


def _printed(document: object, name: str = "") -> Iterator[str]:
    """Of the report's parts all texts but ids, links and drawings."""
    if isinstance(document, str) and not isinstance(document, StrEnum):
        if name not in ("id", "link", "svg", "language", "closed"):
            yield TAGS.sub(" ", document)
    elif is_dataclass(document):
        for field in fields(document):
            yield from _printed(getattr(document, field.name), field.name)
    elif isinstance(document, tuple):
        for part in document:
            yield from _printed(part, name)


@pytest.mark.parametrize(
    "digest", [full(), in_progress(full()), quiet(), broken()], ids=["full", "preview", "quiet", "broken"]
)
def test_no_english_is_left_in_a_digest(digest: Digest) -> None:
    with reading(XX):
        texts = list(shown_of(digest))

    left = {text: words for text in texts if (words := english_in(text, *COMMANDS))}

    assert left == {}
