"""The report as HTML: what it says and in which order, that names from outside stay text, and a company's look in the place of ours."""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest

from bot.domain.digest.figures import LISTED, Listed
from bot.domain.digest.json_form import as_json, read_digest
from bot.domain.digest.periods import period_of
from bot.errors import Permanent
from bot.reports.html import html_of
from tests.builders.digest import (
    ODD_NAMES,
    a_crowded_digest,
    a_digest,
    a_holding,
    a_quiet_digest,
    a_transition,
    a_waiting,
    an_oddly_named_digest,
    at,
)

SECTIONS = [
    "What needs attention",
    "Targets",
    "Transitions",
    "Pending requests",
    "Time to decision",
    "Trend",
    "Fast track",
    "Changes of policy and people",
    "Rules in force",
    "People",
    "Pipelines",
    "Scope and controls",
    "Ledger",
    "Glossary",
]
MANY = 12_000
APART = ("p", "div", "dt", "dd", "li", "th", "td", "span", "caption", "h1", "h2", "h3")


class Reader(HTMLParser):
    """The words of a page, and which elements and attributes it is made of."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.words.append(" " if tag in APART else "")
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())


def headings(page: str, level: int = 2) -> list[str]:
    return re.findall(rf"<h{level}[^>]*>(.*?)</h{level}>", page)


def test_the_sections_stand_in_the_order_in_which_an_auditor_asks() -> None:
    page = html_of(a_digest())

    assert headings(page) == SECTIONS
    assert headings(page, 1) == ["Model approvals, week 2026-W47"]


def test_the_top_says_five_figures_the_bounds_of_the_week_and_its_time_zone() -> None:
    text = Reader(html_of(a_digest())).text

    assert "items need attention 7 transitions ended 4 requests pending 2" in text
    assert "median time to decision 3 h 10 min targets in use 4" in text
    assert (
        "From 2026-11-16 00:00 UTC+01:00 until 2026-11-23 00:00 UTC+01:00, closed 2026-11-23 09:00 UTC+01:00. "
        "All times are those of Europe/Madrid." in text
    )


def test_a_quiet_week_says_so_and_still_tells_who_holds_what() -> None:
    page = html_of(a_quiet_digest())

    text = Reader(page).text
    assert "Nothing happened this week: nothing was requested, decided, moved or changed." in text
    assert "Nothing needs attention." in text
    assert "bike-demand v7" in text
    assert headings(page) == SECTIONS


def test_a_look_at_a_week_that_runs_does_not_pass_for_a_closed_one() -> None:
    page = html_of(a_digest(closed_at=at(3), waiting=Listed((a_waiting(),), MANY)))

    text = Reader(page).text
    assert headings(page, 1) == ["Preview: Model approvals, week 2026-W47"]
    assert "<title>Preview: Model approvals, week 2026-W47 · Countersign</title>" in page
    assert "All of them are in countersign-2026-W47-preview-waiting.csv." in text
    assert "previewed on 2026-11-19 00:00 UTC+01:00, before its end" in text
    assert "These figures were not kept." in text
    assert "4,208 entries so far, 4,101 to 4,208 of this week" in text
    assert "frozen" not in text


def test_the_same_figures_give_the_same_bytes_after_they_were_stored_and_read() -> None:
    digest = a_digest()

    first, again = html_of(digest), html_of(read_digest(as_json(digest)))

    assert hashlib.sha256(first.encode()).digest() == hashlib.sha256(again.encode()).digest()


def test_a_long_list_says_how_many_there_are_and_where_the_rest_is() -> None:
    transitions = Listed(tuple(a_transition(f"m-{n}", 1) for n in range(LISTED)), MANY)

    text = Reader(html_of(a_digest(transitions=transitions, outcomes={"applied": MANY}))).text

    assert "12,000 transitions ended" in text
    assert "Shown here: 200 of 12,000. All of them are in countersign-2026-W47.csv." in text
    assert "m-199 v1" in text


def test_each_list_names_the_file_that_has_the_whole_of_it() -> None:
    text = Reader(html_of(a_crowded_digest())).text

    held = "All targets are in countersign-2026-W47-holdings.csv, and all events in countersign-2026-W47.csv."
    assert f"Shown here: 200 of 1,400. {held}" in text
    assert "Shown here: 200 of 600. All of them are in countersign-2026-W47-holdings.csv." in text
    assert "Shown here: 200 of 400. All of them are in countersign-2026-W47-waiting.csv." in text
    assert "Shown here: 200 of 100,000. All of them are in countersign-2026-W47.csv." in text


def test_names_from_outside_stay_text() -> None:
    page = html_of(an_oddly_named_digest())

    read = Reader(page)
    assert "script" not in read.elements
    assert not {name for name in read.attributes if name.startswith("on")}
    for name in ODD_NAMES:
        assert name.replace("\u202e", "\ufffd") in read.text
    assert "\u202e" not in page


def test_only_what_leads_to_the_web_becomes_a_link() -> None:
    holding = a_holding(evidence_url="javascript:alert(1)")

    page = html_of(a_digest(inventory=Listed((holding,), 1), transitions=Listed((), 0)))

    assert "javascript:" not in page
    assert all(link.startswith("https://") for link in re.findall(r'href="([^"]*)"', page))


def test_the_page_loads_nothing_and_its_policy_allows_its_own_style_alone() -> None:
    page = html_of(a_digest())

    css = page.partition("<style>")[2].partition("</style>")[0]
    assert "default-src &#39;none&#39;" in page
    assert not re.search(r'(?:src|srcset|data|action)="(?!data:)', page)
    assert "url(" not in css
    assert " style=" not in page


def test_the_hour_that_comes_twice_says_which_one_it_is() -> None:
    period = period_of("2026-W43", "Europe/Madrid")  # clocks go back on its Sunday at 03:00
    first = period.ends - timedelta(hours=22)  # 02:00 for the second time
    held = tuple(a_holding("bike", n, since=first - timedelta(hours=n)) for n in (0, 1, 2))

    text = Reader(html_of(a_digest(period=period, inventory=Listed(held, 3)))).text

    assert "2026-10-25 02:00 UTC+01:00" in text
    assert "2026-10-25 02:00 UTC+02:00" in text
    assert "2026-10-25 01:00 UTC+02:00 Ana Ruiz" in text


def test_a_companys_files_take_the_place_of_ours_one_by_one(tmp_path: Path) -> None:
    (tmp_path / "logo.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"/>')
    (tmp_path / "report.html").write_text(
        '{% extends "countersign/report.html" %}{% block footer %}<p>Filed by Example AG</p>{% endblock %}'
    )

    page = html_of(a_digest(), tmp_path)

    assert "Filed by Example AG" in page
    assert 'src="data:image/svg+xml;base64,' in page
    assert headings(page) == SECTIONS


@pytest.mark.parametrize(
    ("template", "line", "why"),
    [
        ("<p>\n{% if %}", 2, "Expected an expression"),
        ("<p>\n\n{{ report.nothing_of_the_kind }}", 3, "nothing_of_the_kind"),
        (
            '{% extends "countersign/report.html" %}\n\n{% block foot %}Example AG{% endblock %}',
            3,
            'there is no block "foot" to replace. The blocks of countersign/report.html are brand, footer, summary, title.',
        ),
        ("{{ report.week + 1 }}", 1, "concatenate"),
        ('\n{% include "/etc/passwd" %}', 2, 'there is no template "/etc/passwd"'),
        ('\n{% include "../report.html" %}', 2, 'there is no template "../report.html"'),
        ("{{ report.__class__.__mro__ }}", 1, "__class__"),
        ("\n\n{{ 1 / 0 }}", 3, "division by zero"),
    ],
)
def test_a_broken_page_is_told_with_file_and_line(tmp_path: Path, template: str, line: int, why: str) -> None:
    path = tmp_path / "report.html"
    path.write_text(template)

    with pytest.raises(Permanent) as told:
        html_of(a_digest(), tmp_path)

    assert f"{path} line {line}: " in str(told.value)
    assert why in str(told.value)


def test_a_new_block_within_one_of_ours_is_shown(tmp_path: Path) -> None:
    (tmp_path / "base.html").write_text(
        '{% extends "countersign/report.html" %}{% block footer %}{% block installation %}Nobody{% endblock %}{% endblock %}'
    )
    (tmp_path / "report.html").write_text('{% extends "base.html" %}{% block installation %}Example AG{% endblock %}')

    assert "Example AG" in html_of(a_digest(), tmp_path)


def test_a_style_that_would_end_the_style_is_told_with_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "report.css").write_text("body {}\n</style><script>alert(1)</script>")

    with pytest.raises(Permanent, match=r"report\.css line 2: </style would end the style"):
        html_of(a_digest(), tmp_path)


def test_a_style_in_another_encoding_is_told_with_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "report.css").write_bytes(b"body {}\n/* caf\xe9 */")

    with pytest.raises(Permanent, match=r"report\.css line 2: it is not UTF-8"):
        html_of(a_digest(), tmp_path)


def test_a_directory_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(Permanent, match="is no directory"):
        html_of(a_digest(), tmp_path / "gone")
