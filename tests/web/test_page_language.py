"""A page is in the language of its reader's Slack, else of the browser, else of the policy; and what programs read is English."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest
import requests

from bot.language import SPANISH
from tests.fixtures.installation import Installation
from tests.fixtures.readers import ReadersBrowser
from tests.fixtures.reading import Past, reading_room
from tests.language.marked import catalogue, forms_of

DAY = timedelta(days=1)
TAGS = re.compile(r"<[^>]*>")
LEAST = 16  # characters of a piece of a text that is in no Spanish one
HEADING = re.compile(r"<h1[^>]*>(.*?)</h1>", re.DOTALL)


@pytest.fixture
def room(database_url: str, tmp_path: Path) -> Iterator[Installation]:
    with reading_room(database_url, tmp_path) as room:
        past, now = Past(room.s), room.clock.now()
        past.approved(past.asked("bike", 1, now - 60 * DAY), "ben@example.com", now - 59 * DAY)
        past.rejected(past.asked("bike", 3, now - 9 * DAY, mae=61.5), "ana@example.com", "peor", now - 8 * DAY)
        past.asked("bike", 4, now - DAY, mae=25.0)
        past.unreadable("taxi", 1, now - DAY, "403")
        past.closed_week()
        yield room


@pytest.fixture
def reader(room: Installation) -> Iterator[ReadersBrowser]:
    browser = ReadersBrowser(room)
    browser.sign_in("ana")
    yield browser
    browser.close()


def speaks(room: Installation, person: str, locale: str) -> None:
    people, known = room.slack.workspace.people, room.slack.workspace.person(person)
    people[known.id] = replace(known, locale=locale)
    room.forget_what_slack_said()


def language_of(answer: requests.Response) -> tuple[str, str]:
    """Of the page as the browser is told, and its heading."""
    lang = re.search(r'<html lang="([^"]*)"', answer.text)
    heading = HEADING.search(answer.text)
    return lang[1] if lang else "", unescape(TAGS.sub("", heading[1])) if heading else ""


def english_pieces() -> list[str]:
    """Parts of the English texts that no Spanish one has."""
    known = catalogue(SPANISH).values()
    spanish = "\n".join(form for message in known for form in forms_of(message.string))
    pieces = {
        piece.strip() for message in known for form in forms_of(message.id) for piece in re.split(r"\{[^}]*\}", form)
    }
    return [piece for piece in pieces if len(piece) >= LEAST and " " in piece and piece not in spanish]


def test_a_signed_in_reader_has_the_language_of_their_slack(room: Installation, reader: ReadersBrowser) -> None:
    asks_for_english = {"Accept-Language": "en"}

    english = reader.open("/", headers={"Accept-Language": "es"})
    speaks(room, "ana", "es-ES")
    spanish = reader.open("/", headers=asks_for_english)
    speaks(room, "ana", "fr-FR")
    other = reader.open("/", headers=asks_for_english)

    assert language_of(english) == ("en", "Promotions of models")
    assert language_of(spanish) == ("es", "Promociones de modelos")
    assert language_of(other) == ("en", "Promotions of models")
    assert spanish.headers["Vary"] == "Cookie, Accept-Language"
    assert "no-store" in spanish.headers["Cache-Control"]


def test_without_a_session_the_browser_is_asked_and_then_the_policy(room: Installation) -> None:
    stranger = ReadersBrowser(room)

    asked = stranger.open("/ledger", headers={"Accept-Language": "fr, es-MX;q=0.8, en;q=0.5"})
    unasked = stranger.open("/ledger", headers={"Accept-Language": "fr"})
    room.use_policy(top="language: es")
    policys = stranger.open("/ledger", headers={"Accept-Language": "fr"})
    stranger.close()

    assert language_of(asked) == ("es", "Inicia sesión para leer esta página")
    assert language_of(unasked) == ("en", "Sign in to read this page")
    assert language_of(policys) == language_of(asked)


def test_no_page_says_a_known_text_in_english_to_a_spanish_reader(room: Installation, reader: ReadersBrowser) -> None:
    speaks(room, "ana", "es")
    pages = {
        page: reader.open(page)
        for page in (
            "/",
            "/search?q=bike",
            "/search?q=nothing-like-it",
            "/search?state=x",
            "/search?from=yesterday",
            "/models",
            "/models/bike",
            "/models/bike?at=2026-11-01",
            "/models/none",
            "/models/bike/1",
            "/models/bike/99",
            f"/requests/{2:032x}",
            f"/requests/{4:032x}",
            "/requests/zzz",
            "/ledger",
            "/ledger?upto=x",
            "/digests",
            "/digests/2026-W47",
            "/digests/2020-W01",
            "/models/bike/1?expires=1&signature=x",
        )
    }
    english = english_pieces()

    texts = {page: unescape(TAGS.sub(" ", answer.text)) for page, answer in pages.items()}
    left = {page: found for page, text in texts.items() if (found := [piece for piece in english if piece in text])}

    assert {language_of(answer)[0] for answer in pages.values()} == {"es"}
    assert left == {}


def test_an_address_without_a_page_is_answered_with_a_page_of_ours(room: Installation) -> None:
    stranger = ReadersBrowser(room)

    answer = stranger.open("/no-such-page", headers={"Accept-Language": "es"})
    stranger.close()

    assert (answer.status_code, *language_of(answer)) == (404, "es", "Esta página no existe")
    assert "no-such-page" not in answer.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_what_programs_read_stays_english(room: Installation, reader: ReadersBrowser) -> None:
    speaks(room, "ana", "es")

    read = reader.open("/models/bike/1?as=json").json()

    assert "pedida" not in str(read)
    assert read["description"]["requests"][0]["title"] == "Approved"
