"""The digest as messages: what is on the card, how its thread is cut into messages that Slack takes whole, the ticket and the mail."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from bot.clients.jira.documents import TEXT_LIMIT, fitting_card
from bot.clients.jira.tickets import card_as_adf, card_as_wiki
from bot.clients.slack.blocks import MESSAGE_LIMIT, blocks_of
from bot.domain.card.card import Card, Link
from bot.domain.digest.card import ReportFile, digest_card, files_card, subject, thread_cards, ticket_card, witness_text
from bot.domain.digest.figures import Digest, EarlierApproval, Finding, FindingKind, Listed
from bot.domain.digest.mail import MATTERS_SHOWN, mail_html, mail_text
from bot.domain.digest.sign_off import Wanted
from bot.domain.digest.thread import CARDS_A_LIST, LINES_A_LIST
from bot.reports import figures, tables
from bot.reports.document import document_of
from bot.reports.records import file_names
from bot.reports.shape import Column
from bot.sandbox.slack.block_kit.validation import checked_blocks
from bot.sandbox.slack.wire import every_text
from tests.builders.digest import (
    NOTE,
    a_crowded_digest,
    a_digest,
    a_holding,
    a_quiet_digest,
    a_transition,
    a_waiting,
    an_oddly_named_digest,
    at,
    listed,
)

CSV, HTML = "countersign-2026-W47.csv", "countersign-2026-W47.html"
FILES = (ReportFile(HTML, "ab" * 32), ReportFile(CSV, "cd" * 32, "it has 40.0 MB"))


def thread(digest: Digest) -> list[Card]:
    return list(thread_cards(digest, file_names("2026-W47")))


def titles(digest: Digest) -> list[str]:
    return [card.title for card in thread(digest)]


def facts(card: Card) -> dict[str, str]:
    return {fact.label: fact.value.text if isinstance(fact.value, Link) else fact.value for fact in card.facts}


def rows(digest: Digest, title: str) -> list[tuple[str, ...]]:
    cards = [card for card in thread(digest) if card.title.startswith(title)]
    return [row for card in cards for table in card.tables for row in table.rows]


class TestCard:
    def test_it_names_what_moved_where_and_by_whom_approved(self) -> None:
        card = digest_card(a_digest())

        moved = [fact.value for fact in card.facts if fact.label == "Moved"]
        assert card.title == "Model approvals, week 2026-W47"
        assert facts(card)["Week"] == "16 November 2026 to 22 November 2026, Europe/Madrid"
        assert moved == [
            "bike-demand v7 to alias champion, approved by Ana Ruiz",
            "bike-wind v3 to alias champion, approved by the fast track",
        ]
        assert facts(card)["Transitions"] == "2 applied, 1 rejected, 1 expired"
        assert facts(card)["Needs attention"].startswith("7 items need attention: moved without an approval: fraud;")
        assert facts(card)["Pending"].startswith("2 requests pending, the oldest for 3 days: bike-demand v9 to alias")

    def test_a_rollback_names_whose_approval_counts_again(self) -> None:
        back = a_transition(
            decided="the rule", by=(), earlier=EarlierApproval("people", ("p-ana", "p-cy"), (), at(-9), "")
        )

        card = digest_card(a_digest(transitions=listed(back), outcomes={"applied": 1}))

        assert facts(card)["Moved"] == (
            "bike-demand v7 to alias champion, restored by rollback (previously approved by Ana Ruiz and Cy Lindqvist)"
        )

    def test_a_rollback_whose_approval_is_not_on_record_is_not_called_approved(self) -> None:
        back = a_transition(decided="the rule", by=(), earlier=None)

        card = digest_card(a_digest(transitions=listed(back), outcomes={"applied": 1}))

        assert facts(card)["Moved"] == "bike-demand v7 to alias champion, restored by rollback, as the rule allows"

    def test_a_usual_week_takes_few_words_and_no_picture(self) -> None:
        usual = a_digest(attention=Listed(a_digest().attention.shown[:2], 2), concerns={FindingKind.NO_RULE: 2})

        card = digest_card(usual, wanted=Wanted("compliance", at(14), "5c" * 32))

        said = " ".join([card.title, *(f"{fact.label} {fact.value}" for fact in card.facts), card.footer])
        assert len(said.split()) <= 120
        assert card.image is None

    def test_a_week_of_five_hundred_names_some_moves_and_counts_the_others(self) -> None:
        many = tuple(a_transition(f"model-{n:03}", 1) for n in range(200))

        card = digest_card(a_digest(transitions=Listed(many, 500), outcomes={"applied": 480, "rejected": 20}))

        assert [fact.label for fact in card.facts].count("Moved") == 4
        assert facts(card)["Transitions"] == "480 applied, 20 rejected; 476 more moved than named here"

    def test_a_ledger_that_does_not_verify_is_the_first_thing_said(self) -> None:
        digest = a_digest(ledger=replace(a_digest().ledger, fault="entry 7 was changed."))

        card = digest_card(digest)

        assert card.facts[1].label == "Ledger"
        assert str(card.facts[1].value).startswith("does not verify: entry 7 was changed")

    def test_a_week_without_activity_says_so(self) -> None:
        card = digest_card(a_quiet_digest())

        assert "Nothing happened this week" in card.summary
        assert facts(card)["Needs attention"] == "Nothing needs attention."

    def test_the_lists_stand_in_the_thread_in_the_order_of_the_report(self) -> None:
        assert titles(a_digest()) == [
            "What needs attention",
            "Targets",
            "Transitions",
            "Pending requests",
            "Time to decision",
            "Fast track",
            "Changes of policy and people",
            "Pipelines",
        ]

    def test_a_list_with_nothing_in_it_has_no_message(self) -> None:
        assert titles(a_quiet_digest()) == ["Targets", "Pipelines"]


OF_THE_PAGE_ALONE = ("Trend", "Rules in force", "People", "Scope and controls", "Ledger", "Glossary")


class TestWords:
    @pytest.mark.parametrize(
        ("title", "columns"),
        [
            ("Targets", tables.HOLDINGS),
            ("Transitions", tables.TRANSITIONS),
            ("Pending requests", tables.WAITING),
            ("Time to decision", figures.LATENCY),
            ("Fast track", figures.FAST_TRACK),
            ("Changes of policy and people", tables.CHANGES),
        ],
    )
    def test_the_tables_of_thread_and_ticket_have_the_titles_of_the_page(
        self, title: str, columns: tuple[Column, ...]
    ) -> None:
        cards = (*thread(a_digest()), ticket_card(a_digest()))
        told = [shown.columns for card in cards for shown in card.tables if title == (shown.title or card.title)]

        assert told
        assert set(told) == {tuple(column.title for column in columns)}

    def test_the_lists_of_the_thread_are_called_as_on_the_page(self) -> None:
        on_the_page = [section.title for section in document_of(a_digest()).sections]

        assert titles(a_digest()) == [title for title in on_the_page if title not in OF_THE_PAGE_ALONE]


class TestThread:
    def test_a_matter_leads_where_it_can_be_mended(self) -> None:
        matters = thread(a_digest())[0].facts

        linked = [fact.value for fact in matters if isinstance(fact.value, Link)]
        assert [link.url for link in linked] == ["https://jira.example.com/browse/GOV-8"]
        assert matters[0].label == "Moved without an approval"

    def test_the_inventory_tells_since_when_by_whom_and_from_what(self) -> None:
        assert rows(a_digest(), "Targets")[2] == (
            "fraud v2",
            "model:prod.fraud",
            "2026-05-07 01:00 UTC+02:00",
            "Ana Ruiz (ml-leads) and Cy Lindqvist",
            "200 days",
            "23c0bfb1d7e9",
            "md5:9f0c1d2e",
            "GOV-1",
        )

    def test_a_transition_tells_who_when_and_why_on_the_wall_clock(self) -> None:
        moved = a_transition(
            requester="p-ben", reason="better on rainy days"
        )  # it replaced v6, and dana says to have trained it

        (row,) = rows(a_digest(transitions=listed(moved)), "Transitions")

        assert row == (
            "bike-demand v7 (replaced bike-demand v6)",
            "alias:champion",
            "2026-11-18 00:00 UTC+01:00",
            "applied",
            "Ana Ruiz (ml-leads)",
            "Ben Okafor; trained by dana",
            "better on rainy days",
            "GOV-7",
        )

    def test_a_pipeline_is_a_tree_that_survives_without_its_blanks(self) -> None:
        (trees,) = (card for card in thread(a_digest()) if card.title.startswith("Pipelines"))

        assert trees.paragraphs[0] == "bike-demand v7 on alias:champion\nprepare\n└ train\n└── evaluate"
        assert "No pipeline is known" in trees.paragraphs[1]

    def test_a_long_list_goes_over_several_messages_and_the_last_says_how_many_more_there_are(self) -> None:
        wordy = tuple(a_transition(f"model-{n:04}", n + 1, reason="why not? " * 30) for n in range(200))

        moved = [card for card in thread(a_digest(transitions=Listed(wordy, 100_000))) if "Transitions" in card.title]

        shown = sum(len(table.rows) for card in moved for table in card.tables)
        assert [card.title for card in moved] == [f"Transitions ({n} of 3)" for n in (1, 2, 3)]
        assert shown == LINES_A_LIST
        assert moved[-1].footer == f"and {100_000 - shown:,} more: see {CSV}"
        assert {card.footer for card in moved[:-1]} == {""}

    def test_each_list_names_the_file_that_has_the_rest(self) -> None:
        footers = {card.title.partition(" (")[0]: card.footer for card in thread(a_crowded_digest())}

        assert footers["What needs attention"] == f"and 1,355 more: see {HTML}"
        assert footers["Targets"] == "and 550 more: see countersign-2026-W47-holdings.csv"
        assert footers["Pending requests"] == "and 350 more: see countersign-2026-W47-waiting.csv"
        assert footers["Transitions"] == f"and 99,950 more: see {CSV}"

    def test_no_digest_makes_an_endless_thread(self) -> None:
        assert len(thread(a_crowded_digest())) <= 8 * CARDS_A_LIST


LONG = "a-name-that-does-not-end-" * 30


def a_long_named_digest() -> Digest:
    return a_digest(
        attention=listed(*(Finding(FindingKind.NO_RULE, LONG, link="https://x.example/" + LONG),) * 200),
        inventory=listed(*(a_holding(LONG, number, commit=LONG, data=LONG, ticket=LONG) for number in range(200))),
        transitions=listed(*(a_transition(LONG, number, reason=LONG, ticket=LONG) for number in range(200))),
        waiting=listed(*(a_waiting(LONG, number, missing=LONG, ticket=LONG) for number in range(200))),
        fast_track=tuple(replace(one, rule=LONG) for one in a_digest().fast_track) * 200,
        changes=listed(*(replace(one, sentence=LONG, changes=(LONG,)) for one in a_digest().changes.shown * 70)),
        names={"p-ana": LONG, "p-ben": LONG, "p-cy": LONG},
    )


@pytest.mark.parametrize(
    "digest",
    [
        a_digest(),
        a_quiet_digest(),
        a_crowded_digest(),
        an_oddly_named_digest(),
        a_digest(inventory=listed(*(a_holding(LONG, number, commit=LONG, data=LONG) for number in range(200)))),
        a_digest(transitions=listed(*(a_transition(LONG, number, reason=LONG) for number in range(200)))),
        a_digest(attention=listed(*(Finding(FindingKind.NO_RULE, LONG, link="https://x.example/" + LONG),) * 200)),
        a_digest(pipelines=tuple(replace(one, stages=(LONG,) * 99) for one in a_digest().pipelines) * 30),
    ],
    ids=["full", "quiet", "crowded", "odd names", "long names", "long reasons", "long matters", "long pipelines"],
)
def test_slack_takes_every_message_as_it_is_and_nothing_of_it_is_cut(digest: Digest) -> None:
    for card in (digest_card(digest), *thread(digest), files_card(digest, FILES)):
        blocks = checked_blocks(blocks_of(card))

        kinds = [block["type"] for block in blocks]
        assert kinds.count("table") == len(card.tables)
        assert sum(map(len, every_text(list(blocks)))) <= MESSAGE_LIMIT
        assert not re.search(r"… \d+ more (lines|rows|tables|paragraphs)", "\n".join(every_text(list(blocks))))


class TestFiles:
    def test_the_last_word_has_each_file_with_its_hash_and_the_checkpoint(self) -> None:
        card = files_card(a_digest(), FILES)

        assert facts(card)[HTML] == f"sha256 {'ab' * 32}"
        assert facts(card)[CSV] == f"sha256 {'cd' * 32}, not attached: it has 40.0 MB"
        assert card.paragraphs[-1] == NOTE
        assert "countersign audit verify --checkpoint" in card.paragraphs[0]

    def test_a_ledger_that_could_not_be_signed_has_no_checkpoint(self) -> None:
        digest = a_digest(ledger=replace(a_digest().ledger, checkpoint="", fault="entry 7 was changed."))

        card = files_card(digest, FILES)

        assert "does not verify: entry 7 was changed" in facts(card)["Ledger"]
        assert not any("Checkpoint" in text for text in card.paragraphs)


class TestTicket:
    def test_its_title_says_whether_somebody_has_to_look(self) -> None:
        assert ticket_card(a_digest()).title == "Model approvals, week 2026-W47: 7 items need attention"
        assert subject(a_quiet_digest()) == "Model approvals, week 2026-W47: nothing needs attention"

    def test_one_matter_is_told_in_the_singular(self) -> None:
        one = a_digest().attention.shown[:1]

        assert subject(a_digest(attention=Listed(one, 1))).endswith(": 1 item needs attention")

    def test_it_has_the_figures_and_the_lists(self) -> None:
        card = ticket_card(a_digest())

        assert {"Week", "Needs attention", "Ledger"} <= facts(card).keys()
        assert [table.title for table in card.tables] == [
            "What needs attention",
            "Targets",
            "Transitions",
            "Pending requests",
            "Fast track",
            "Changes of policy and people",
        ]
        assert card.tables[-1].rows[0] == (
            "Policy 4 came into force, from config/policy.yaml.",
            "2026-11-17 00:00 UTC+01:00",
            "ml-leads: Cy Lindqvist was added",
        )

    @pytest.mark.parametrize("render", [card_as_adf, card_as_wiki])
    def test_jira_takes_it_with_all_of_its_lists_however_long_they_and_their_names_are(
        self, render: Callable[[Card], Any]
    ) -> None:
        card = ticket_card(a_long_named_digest())

        shown = json.dumps(fitting_card(card, render), ensure_ascii=False)

        assert len(shown) <= TEXT_LIMIT
        assert all(table.title in shown for table in card.tables)

    def test_its_comment_is_a_witness_of_files_and_ledger(self) -> None:
        said = witness_text(a_digest(), FILES)

        assert f"{HTML}: sha256 {'ab' * 32}\n{CSV}: sha256 {'cd' * 32}, not attached: it has 40.0 MB\n\n" in said
        assert said.endswith(NOTE)


class TestMail:
    def test_the_text_says_it_in_short(self) -> None:
        text = mail_text(a_digest(), FILES)

        assert text.startswith("Model approvals, week 2026-W47\n16 November 2026 to 22 November 2026, Europe/Madrid\n")
        assert "- fraud v4 was put on stage:Production" in text
        assert "\n  https://jira.example.com/browse/GOV-8\n" in text
        assert f"{HTML}\n  sha256 {'ab' * 32}\n" in text
        assert text.endswith(f"{NOTE}\n")

    def test_more_matters_than_a_mail_holds_are_counted(self) -> None:
        digest = a_crowded_digest()

        for mail in (mail_text(digest, FILES), mail_html(digest, FILES)):
            assert f"and {digest.attention.total - MATTERS_SHOWN:,} more: see the report" in mail

    def test_the_html_is_whole_and_says_the_same(self) -> None:
        parsed = Parsed(mail_html(a_digest(), FILES))

        assert parsed.open == []
        assert {"html", "h1", "h2", "table", "th", "ul", "li", "pre"} <= parsed.tags
        assert parsed.links == ["https://jira.example.com/browse/GOV-8"]
        assert "Model approvals, week 2026-W47" in parsed.text
        assert "7 items need attention" in parsed.text

    def test_names_stay_names(self) -> None:
        parsed = Parsed(mail_html(an_oddly_named_digest(), FILES))

        assert not parsed.tags & {"script", "b", "img"}
        assert "<script>alert(1)</script>" in parsed.text

    def test_a_sentence_cannot_forge_a_line(self) -> None:
        forged = Finding(FindingKind.NO_RULE, "a model\n\nLedger: all is well\x1b[2K", link="javascript:alert(1)")

        digest = a_digest(attention=listed(forged))

        assert "- a model Ledger: all is well[2K\n" in mail_text(digest, FILES)
        assert Parsed(mail_html(digest, FILES)).links == []


class Parsed(HTMLParser):
    """The tags, the words and the links of a page; `open` are those that were never closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.open: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name == "href"]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
