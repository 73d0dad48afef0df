"""The page of a model version over HTTP: who may open it, its headers, and its content."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
import requests

from bot.links import Links
from tests.fixtures.installation import Installation
from tests.fixtures.version_page import served_pages

HOSTILE = "<img src=x onerror=alert(1)> & =1+1 \u202egpj"


@pytest.fixture
def open_pages(installation: Installation) -> Iterator[Links]:
    with served_pages(installation) as links:
        yield links


def page_of(installation: Installation, links: Links, version: int = 1) -> requests.Response:
    return requests.get(links.to_version(installation.model, version, installation.clock.now()), timeout=30)


def test_a_signed_link_opens_the_page_with_everything_that_is_known(
    installation: Installation, open_pages: Links
) -> None:
    installation.approve(installation.asked())
    second = installation.asked()
    installation.approve(second)

    page = page_of(installation, open_pages, 2)

    assert page.status_code == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    for part in (
        f"<bdi>{installation.model}</bdi> v2",
        "Holds <strong><bdi>alias:champion</bdi></strong>",
        "approved by Ana Ruiz",
        "✓ verified",
        "mae",
        f"{installation.reread(second).ticket.key}",  # type: ignore[union-attr]
        "moved</strong>",
        f'alt="mae over versions 1 to 2 of {installation.model}',
    ):
        assert part in page.text


def test_the_browser_is_told_to_run_nothing_to_fetch_nothing_and_to_tell_nobody(
    installation: Installation, open_pages: Links
) -> None:
    installation.asked()

    for page in (
        page_of(installation, open_pages),
        requests.get(open_pages.to_version("x", 1, installation.clock.now())[:-5], timeout=30),
    ):
        assert page.headers["Content-Security-Policy"].startswith(
            "default-src 'none'; style-src 'self'; img-src 'self' data:;"
        )
        assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
        assert page.headers["X-Content-Type-Options"] == "nosniff"
        assert page.headers["Referrer-Policy"] == "no-referrer"
        assert page.headers["Cache-Control"] == "private, no-store"
        assert "<script" not in page.text
        assert "style=" not in page.text


def test_without_a_valid_link_nobody_reads_the_page(installation: Installation, open_pages: Links) -> None:
    installation.asked()
    link = open_pages.to_version(installation.model, 1, installation.clock.now())
    bare, _, query = link.partition("?")

    without = requests.get(bare, timeout=30)
    of_another = requests.get(f"{bare[:-1]}2?{query}", timeout=30)
    installation.clock.ahead = timedelta(days=92)
    ended = requests.get(link, timeout=30)

    assert [answer.status_code for answer in (without, of_another, ended)] == [403, 403, 403]
    assert "This page opens only by a signed link." in without.text
    assert "This link was changed" in of_another.text
    assert "This link ended on" in ended.text
    assert installation.model not in without.text.partition("<main>")[2]


def test_the_same_signature_opens_the_same_as_json(installation: Installation, open_pages: Links) -> None:
    installation.approve(installation.asked())

    answer = requests.get(
        open_pages.to_version(installation.model, 1, installation.clock.now()) + "&as=json", timeout=30
    )

    found = answer.json()["description"]
    assert found["requests"][0]["decided_by"] == "Ana Ruiz"
    assert [one["fault"] for one in found["requests"][0]["signed"]] == ["", ""]


def test_a_version_that_nobody_has_heard_of_has_no_page(installation: Installation, open_pages: Links) -> None:
    installation.register()

    answer = page_of(installation, open_pages, 99)

    assert answer.status_code == 404
    assert "There is no version 99" in answer.text


def test_text_from_outside_stays_text(installation: Installation, open_pages: Links) -> None:
    name = f"{installation.model}{HOSTILE}"
    installation.register(model=name, user="<script>alert(2)</script>", metrics={"mae": 1.0, "r2": float("nan")})
    run = installation.mlflow.get_model_version(name, "1").run_id
    installation.mlflow.log_param(run, "formula", "<b>=1+1</b>")
    installation.mlflow.set_registered_model_alias(name, "candidate", "1")
    installation.sweep()

    page = requests.get(open_pages.to_version(name, 1, installation.clock.now()), timeout=30)

    assert page.status_code == 200
    assert "<bdi>" in page.text
    assert "&lt;img src=x onerror=alert(1)&gt;" in page.text
    for markup in ("<img", "<script", "<b>"):
        assert markup not in page.text


def test_the_style_sheet_needs_no_link(installation: Installation, open_pages: Links) -> None:
    url = open_pages.to_version("x", 1, installation.clock.now()).partition("/models/")[0]

    style = requests.get(f"{url}/pages/version.css", timeout=30)

    assert (style.status_code, style.headers["Content-Type"]) == (200, "text/css; charset=utf-8")


def test_card_and_ticket_lead_to_the_page(installation: Installation, open_pages: Links) -> None:
    installation = replace(installation, s=replace(installation.s, links=open_pages))

    request = installation.asked()

    link = open_pages.to_version(installation.model, 1, installation.clock.now())
    ticket = installation.reread(request).ticket
    assert ticket is not None
    assert link in str(installation.card(request))
    assert link in [linked.url for linked in installation.jira.issue(ticket.key).remote_links]
    assert requests.get(link, timeout=30).status_code == 200


def test_without_an_address_the_card_has_no_link_to_a_page(installation: Installation) -> None:
    request = installation.asked()

    assert "Full record" not in installation.card(request).all_text


def test_the_bots_own_web_process_has_the_pages_too(installation: Installation) -> None:
    answer = requests.get(f"{installation.url}/models/{installation.model}/1", timeout=30)

    assert answer.status_code == 403
