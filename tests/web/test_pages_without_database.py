"""Pages for people while the database does not answer, or with an address that no one of us made: a page with a sentence, never JSON."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient

from bot.app import flask_app
from bot.assembly import build_services
from bot.links import Links, confirm_path, enrol_path, path_of
from config.settings import Settings

NO_DATABASE = "postgresql://bot:bot@127.0.0.1:9/bot"
KEY = "a-link-key-of-the-tests-0123456789"
ID = "0" * 32
PATHS = (path_of("bike-demand", 1), confirm_path(ID), enrol_path(ID))


@pytest.fixture
def browser() -> Iterator[FlaskClient]:
    settings = Settings.model_validate(
        {"DATABASE_URL": NO_DATABASE, "COUNTERSIGN_URL": "http://localhost", "COUNTERSIGN_LINK_KEY": KEY}
    )
    services = build_services(settings, NO_DATABASE)
    yield flask_app(services, settings, NO_DATABASE).test_client()
    services.store.engine.dispose()


def link_to(path: str) -> str:
    url = urlsplit(Links("http://localhost", [KEY]).to_page(path, datetime.now(UTC) + timedelta(minutes=5)))
    return f"{url.path}?{url.query}"


@pytest.mark.parametrize("path", PATHS)
def test_a_page_says_that_the_database_does_not_answer(browser: FlaskClient, path: str) -> None:
    answer = browser.get(link_to(path))

    assert (answer.status_code, answer.mimetype) == (503, "text/html")
    assert "The database does not answer; nothing was recorded. Try again" in answer.text
    assert answer.headers["Cache-Control"] == "private, no-store"


@pytest.mark.parametrize("path", PATHS)
def test_a_page_says_that_its_address_cannot_be_read(browser: FlaskClient, path: str) -> None:
    answer = browser.open("/", environ_overrides={"PATH_INFO": path, "QUERY_STRING": "expires=\xff"})

    assert (answer.status_code, answer.mimetype) == (400, "text/html")
    assert "cannot be read" in answer.text


@pytest.mark.parametrize("path", PATHS[1:])
def test_the_script_of_a_page_still_gets_json(browser: FlaskClient, path: str) -> None:
    answer = browser.post(link_to(path), json={})

    assert (answer.status_code, answer.mimetype) == (503, "application/json")
    assert answer.json is not None
    assert answer.json["error"].startswith("The database does not answer")
