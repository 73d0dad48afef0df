"""What the pages find, and how they stay quick and plain with much, odd or missing input."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa

from bot.domain.events import CommentRecorded, QuestionAnswered, QuestionAsked
from bot.store.web.search import refill
from tests.builders import a_comment
from tests.fixtures.installation import Installation
from tests.fixtures.readers import ReadersBrowser
from tests.fixtures.reading import Past, reading_room

DAY = timedelta(days=1)


@pytest.fixture
def room(database_url: str, tmp_path: Path) -> Iterator[Installation]:
    with reading_room(database_url, tmp_path) as room:
        yield room


@pytest.fixture
def reader(room: Installation) -> Iterator[ReadersBrowser]:
    browser = ReadersBrowser(room)
    browser.sign_in("ana")
    yield browser
    browser.close()


def test_a_search_finds_by_each_kind_of_word_and_says_plainly_what_it_cannot_read(
    room: Installation, reader: ReadersBrowser
) -> None:
    past, now = Past(room.s), room.clock.now()
    past.approved(past.asked("bike", 1, now - 60 * DAY), "ben@example.com", now - 59 * DAY)
    past.approved(past.asked("taxi", 2, now - 9 * DAY, workspace="eu/team-a"), "ana@example.com", now - 8 * DAY)
    month_ago = (now - 30 * DAY).date().isoformat()

    found = {
        query: [model for model in ("bike", "taxi") if f"{model}</bdi> v" in reader.open(f"/search?{query}").text]
        for query in (
            "q=bik",
            "q=v2",
            "q=okafor",
            "q=GOV-2",
            "q=team-a",
            "q=bea+v1",
            f"from={month_ago}",
            f"to={month_ago}",
        )
    }
    odd = {
        page: reader.open(page)
        for page in (
            "/search?q=" + "a+" * 9,
            "/search?from=soon",
            "/search?state=odd",
            "/search?after=x",
            "/search?q=%00",
        )
    }
    odd |= {
        page: reader.open(page)
        for page in (
            "/models/none",
            "/models/bike?at=9999-12-31",
            "/models/bike?before=-1",
            "/requests/none",
            "/digests/2026-W01",
        )
    }

    assert found == {
        "q=bik": ["bike"],
        "q=v2": ["taxi"],
        "q=okafor": ["bike"],
        "q=GOV-2": ["taxi"],
        "q=team-a": ["taxi"],
        "q=bea+v1": ["bike"],
        f"from={month_ago}": ["taxi"],
        f"to={month_ago}": ["bike"],
    }
    assert {page: answer.status_code for page, answer in odd.items() if answer.status_code != 400} == {
        "/models/none": 404,
        "/requests/none": 404,
        "/digests/2026-W01": 404,
    }
    assert [page for page, answer in odd.items() if 'href="/ledger"' not in answer.text] == []  # the menu stays
    assert all("<h1>" in answer.text for answer in odd.values())
    assert "in <bdi>eu/team-a</bdi>" in reader.open("/").text
    assert reader.open("/workspaces/eu/team-a/models/taxi").status_code == 200
    assert reader.open("/models/taxi").status_code == 404


def test_a_page_of_the_ledger_says_which_entry_was_changed(room: Installation, reader: ReadersBrowser) -> None:
    past = Past(room.s)
    past.asked("bike", 1, room.clock.now())
    good = reader.open("/ledger").text
    with room.s.store.engine.begin() as connection:
        connection.execute(sa.text("alter table ledger disable trigger all"))
        connection.execute(
            sa.text("update ledger set body = replace(body, 'spring', 'autumn') where kind = 'RequestOpened'")
        )

    changed = reader.open("/ledger").text

    assert "\u2713 verified" in good
    assert "\u2713 verified" not in changed
    assert "was changed: its body does not have its hash" in changed


def test_the_search_finds_what_an_older_release_wrote_once_migrate_has_run_again(
    room: Installation, reader: ReadersBrowser
) -> None:
    past, now = Past(room.s), room.clock.now()
    old = past.asked("bike", 1, now - 60 * DAY)
    past.approved(old, "ben@example.com", now - 59 * DAY)
    past.asked("taxi", 2, now - DAY)
    with room.s.store.transaction() as tx:
        tx.connection.execute(
            sa.text("update requests set decided_at = null, ticket_key = null, people = '{}' where id = :id"),
            {"id": old},
        )
    since = (now - 30 * DAY).date().isoformat()

    def found() -> list[bool]:
        return [
            "bike</bdi> v" in reader.open(f"/search?{query}").text for query in ("q=okafor", "q=gov-1", f"from={since}")
        ]

    before = found()
    filled = [refill(room.s.store), refill(room.s.store)]

    assert before == [False, False, True]
    assert filled == [1, 0]
    assert found() == [True, True, False]


def test_names_that_differ_in_an_invisible_letter_look_different_on_each_page(
    room: Installation, reader: ReadersBrowser
) -> None:
    past, now = Past(room.s), room.clock.now()
    twin, escaped = "bike\u200b\u202e", r"bike\u200b\u202e"
    past.approved(past.asked("bike", 1, now), "ana@example.com", now)
    asked = past.asked(twin, 1, now)
    past.approved(asked, "ana@example.com", now)

    path = f"/models/{quote(twin)}"
    pages = {
        page: reader.open(page).text
        for page in ("/", "/search?q=bike", "/models", path, f"{path}/1", f"/requests/{asked}", "/ledger")
    }

    text_of = {page: re.sub(r"<pre.*?</pre>", "", text, flags=re.DOTALL) for page, text in pages.items()}
    assert {page for page, text in text_of.items() if f"<bdi>{escaped}</bdi>" not in text} == set()
    assert {page for page, text in text_of.items() if "\u200b" in text or "\u202e" in text} == set()
    assert 'href="/models/bike"' in pages["/models"]


@pytest.mark.proof
def test_a_model_with_two_thousand_versions_is_shown_page_by_page(room: Installation, reader: ReadersBrowser) -> None:
    past, now = Past(room.s), room.clock.now()
    past.approved(past.asked("bike", 1, now - 60 * DAY), "ben@example.com", now - 59 * DAY)
    past.many("bike", range(2, 2001), now - 30 * DAY)
    rows = rows_read(room)

    pages = {
        page: (reader.open(page).status_code, rows())
        for page in ("/", "/search?q=bike", "/models", "/models/bike", "/models/bike?before=1000", "/models/bike/1500")
    }

    assert {status for status, _ in pages.values()} == {200}
    assert {page: read for page, (_, read) in pages.items() if read > 500} == {}
    assert "v1000</a>" not in reader.open("/models/bike?before=1000").text
    assert "v999</a>" in reader.open("/models/bike?before=1000").text


def rows_read(room: Installation) -> Callable[[], int]:
    """Counts the rows that the database answers with, since the last time."""
    counted = [0]

    def count(_connection: object, cursor: Any, *_: object) -> None:
        counted[0] += max(cursor.rowcount, 0)

    def since_then() -> int:
        found, counted[0] = counted[0], 0
        return found

    sa.event.listen(room.s.store.engine, "after_cursor_execute", count)
    return since_then


def test_a_search_for_a_person_finds_what_they_asked_answered_or_put_on_record(
    room: Installation, reader: ReadersBrowser
) -> None:
    past, now = Past(room.s), room.clock.now()
    asked, other = past.asked("bike", 1, now), past.asked("taxi", 2, now)
    with room.s.store.transaction() as tx:
        asker = tx.people.get_or_add("iris@example.com", "Iris Moreau").id
        answerer = tx.people.get_or_add("noor@example.com", "Noor Haddad").id
        marker = tx.people.get_or_add("sven@example.com", "Sven Dahl").id
        tx.record([QuestionAsked(now, asked, 1, asker, "Why are the winter weeks missing?")])
        tx.record([QuestionAnswered(now, asked, 1, answerer, "They were too short.")])
        tx.record([CommentRecorded(now, other, a_comment(author=marker, marked_by=marker))])

    found = {
        name: [model for model in ("bike", "taxi") if f"{model}</bdi> v" in reader.open(f"/search?q={name}").text]
        for name in ("moreau", "haddad", "dahl")
    }

    assert found == {"moreau": ["bike"], "haddad": ["bike"], "dahl": ["taxi"]}
