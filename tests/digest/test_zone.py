"""Every time in a digest, in every form, is in the policy's time zone, as the report's first line says."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING

import pypdfium2
import pytest
import sqlalchemy as sa

from bot.domain import events as e
from bot.domain.card.card import Card, Link
from bot.domain.digest.card import digest_card, files_card, thread_cards, ticket_card
from bot.domain.digest.figures import Digest, FindingKind
from bot.domain.digest.mail import mail_html, mail_text
from bot.domain.digest.periods import period_of
from bot.reports.html import html_of
from bot.reports.pdf import pdf_of
from bot.reports.records import file_names
from bot.store.transaction import Store
from config.policy import read_policy
from tests.builders import CHAMPION, a_version, opened
from tests.fixtures.installation import policy_text

if TYPE_CHECKING:
    from bot.engine.jobs import Jobs

from tests.fixtures.digest_figures import DAY, HOUR, OnlyTheLedger, OnMonday, promoted, record, told, use_policy

AUCKLAND = period_of("2026-W10", "Pacific/Auckland")
NINE = AUCKLAND.starts + 2 * DAY + 9 * HOUR  # on the Wednesday; in UTC it is the evening of the Tuesday
MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)(?: at)? (\d\d:\d\d)")
ZONELESS = re.compile(r"\d{4}-\d\d-\d\d(?: at)? \d\d:\d\d(?! UTC| \(Pacific/Auckland\))")
ELSEWHERE = re.compile(r"UTC(?!\+13:00)")
IN_AUCKLAND = {
    "2026-03-02 00:00",  # the week's first moment, and its end
    "2026-03-09 00:00",
    "2026-03-09 09:00",  # closed
    "2026-03-04 09:00",
    "2026-03-04 09:30",  # approved
    "2026-03-04 10:00",  # moved
    "2026-03-05 09:00",  # the end of an absence
    "2026-03-06 01:00",  # to be decided by
    "2025-11-23 09:00",  # since then the rule is in force
    "2025-11-24 09:00",  # a hundred days before
    "2025-11-24 09:30",
    "2025-11-24 10:00",
}


@pytest.fixture
def digest(engine: sa.Engine, jobs: Jobs) -> Digest:
    """With a moment in each of its lists, and in each sentence that has one."""
    s = OnlyTheLedger(Store(engine, jobs, OnMonday(AUCKLAND.ends), {}, read_policy), OnMonday(AUCKLAND.ends))
    use_policy(s, policy_text("bike-*", extra="approval_valid_for: 30d"), NINE - 101 * DAY)
    promoted(s, a_version(1, "bike-old"), NINE - 100 * DAY, request_id="r1")
    promoted(s, a_version(2, "bike-new", NINE), NINE, request_id="r2")
    moved = a_version(3, "bike-moved", NINE)
    record(s, e.MoveObserved(NINE, "default", CHAMPION, "bike-moved", moved, None, "report"))
    record(s, opened("r3", at=NINE, version=a_version(4, "bike-new", NINE)))
    with s.store.transaction() as tx:
        ana, ben = (tx.people.get_or_add(f"{name}@example.com", name).id for name in ("ana", "ben"))
        tx.registry.put_placements("default", "bike-moved", CHAMPION, (moved,), NINE)
        tx.record([e.SelfApprovalRefused(NINE, "r3", ana), e.AwayDeclared(NINE, ana, ben, NINE + DAY)])
        tx.record(
            [e.VoteRefused(NINE + HOUR, "r3", ben, NINE, "no signed request of the notifier is on record with it")]
        )
    return told(s, AUCKLAND)


def words_on(card: Card) -> str:
    facts = [fact.value.text if isinstance(fact.value, Link) else fact.value for fact in card.facts]
    cells = [cell for table in card.tables for row in table.rows for cell in row]
    return "\n".join((card.summary, *facts, *(fact.label for fact in card.facts), *card.paragraphs, *cells))


def words_of(pdf: bytes) -> str:
    with pypdfium2.PdfDocument(pdf) as document:
        return " ".join(" ".join(page.get_textpage().get_text_range().split()) for page in document)


def test_every_moment_is_that_of_the_wall_clock(digest: Digest) -> None:
    page = re.sub(r'datetime="[^"]*"', "", html_of(digest))
    cards = (
        digest_card(digest),
        *thread_cards(digest, file_names("2026-W10")),
        ticket_card(digest),
        files_card(digest, ()),
    )
    forms = {
        "page": page,
        "pdf": words_of(pdf_of(digest)),
        "cards": "\n".join(map(words_on, cards)),
        "mail": mail_text(digest, ()),
        "mail as HTML": mail_html(digest, ()),
    }

    found = {name: {" ".join(moment) for moment in MOMENT.findall(said)} for name, said in forms.items()}

    concerns = {matter.concern for matter in digest.attention.shown}
    assert {
        FindingKind.MOVED_WITHOUT_APPROVAL,
        FindingKind.HELD_WITHOUT_APPROVAL,
        FindingKind.APPROVAL_TOO_OLD,
        FindingKind.VOTE_REFUSED,
    } <= concerns
    assert digest.concerns[FindingKind.VOTE_REFUSED] == 1
    assert [(name, found) for name, said in forms.items() for found in ZONELESS.findall(said)] == []
    assert [(name, found) for name, said in forms.items() for found in ELSEWHERE.findall(said)] == []
    assert {name: moments - IN_AUCKLAND for name, moments in found.items() if moments - IN_AUCKLAND} == {}
    assert all("2026-03-04 09:00" in moments for moments in found.values())
    assert "2026-03-05 09:00" in found["page"] & found["pdf"] & found["cards"]


def test_the_page_keeps_the_whole_moment_for_machines(digest: Digest) -> None:
    kept = re.findall(r'<time datetime="([^"]*)">', html_of(digest))

    assert NINE in map(datetime.fromisoformat, kept)
