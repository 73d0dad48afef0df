"""How cards become ADF and wiki markup, which road is meant, and which webhooks are believed: all without a Jira."""

from __future__ import annotations

import hashlib
import hmac
import html
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.clients.jira.documents import card_as_adf, card_as_wiki, escaped, fitting_card, fitting_text, text_as_adf
from bot.clients.jira.fields import Choice, ScreenField
from bot.clients.jira.transitions import Here, Transition, next_step
from bot.clients.jira.webhook import BODY_LIMIT, read_webhook
from bot.domain.card.card import Card, Fact, Link, Table
from bot.domain.references import TicketMove
from bot.errors import Permanent, Rejected
from bot.sandbox.jira import adf, wiki

LIVELY = st.text(alphabet="*_-+^~?![]{}|\\#@:;()<>&/.\"' abGO1h", max_size=40)
ANY_TEXT = st.text(max_size=60) | LIVELY


@given(LIVELY)
def test_an_escaped_line_reads_the_same_and_is_nothing_but_text(text: str) -> None:
    shown = wiki.inline(escaped(text))

    assert "<" not in shown
    assert html.unescape(shown) == text.strip()


@pytest.mark.parametrize(
    "text", ["bike-demand", "bike_demand_v2", "mae 38.2 (was 41.7)", "Ana, at 12:30: fine; ship it?", "ana@example.com"]
)
def test_ordinary_words_stay_readable_in_the_markup_itself(text: str) -> None:
    assert escaped(text) == text


@pytest.mark.parametrize(
    "text", ["h1. Big", "bq. said", "# one", "- one", "----", "* one", "|cell|", "{code}", "||x||"]
)
def test_no_line_of_a_text_begins_a_block(text: str) -> None:
    assert wiki.as_html(escaped(text)).startswith("<p>")


@given(ANY_TEXT, ANY_TEXT, ANY_TEXT)
def test_every_card_is_a_valid_document(one: str, two: str, three: str) -> None:
    facts = (Fact(one, two), Fact(two, Link(one, f"https://mlflow.example/{three}")))
    card = Card(one, two, facts, (Table(three, (one, two), ((two, three), ("", one))),), (three,), footer=one)

    adf.check(fitting_card(card, card_as_adf))


@given(ANY_TEXT)
def test_every_comment_is_a_valid_document(text: str) -> None:
    adf.check(fitting_text(text, text_as_adf))


@pytest.mark.parametrize("text", ["x" * 40_000, "a\n" * 20_000, "*" * 40_000, "[|]\n\n" * 8_000])
def test_everything_is_shortened_to_what_jira_takes(text: str) -> None:
    card = Card("t", text, paragraphs=(text,), tables=(Table(text, ("a",), ((text,),) * 20),))

    assert len(fitting_card(card, card_as_wiki)) <= 32_767
    assert len(json.dumps(fitting_card(card, card_as_adf), ensure_ascii=False)) <= 32_767
    assert len(json.dumps(fitting_text(text, text_as_adf), ensure_ascii=False)) <= 32_767


def test_a_link_in_a_table_keeps_its_address_whatever_is_in_it() -> None:
    card = Card("t", "s", (Fact("Run", Link("a|b]", "https://mlflow.example/#/x?a=1&b={c}|d]")),))

    shown = wiki.as_html(card_as_wiki(card))

    assert 'href="https://mlflow.example/#/x?a=1&amp;b=%7Bc%7D%7Cd%5D"' in shown
    assert ">a&#124;b&#93;</a>" in shown


ROADS = (
    Transition("11", "Done", "In Review", ()),
    Transition("21", "Approve", "Done", ()),
    Transition(
        "31",
        "Decline",
        "Rejected",
        (ScreenField("resolution", "Resolution", (Choice("1", "Fixed"), Choice("2", "Rejected"))),),
    ),
    Transition("41", "Close", "Closed", (ScreenField("resolution", "Resolution", (Choice("1", "Fixed"),)),)),
    Transition("51", "Escalate", "Blocked", (ScreenField("customfield_1"),)),
)


@pytest.mark.parametrize(
    ("to", "road", "screen"),
    [
        ("21", "21", {}),
        ("done", "11", {}),
        (" APPROVE ", "21", {}),
        ("in review", "11", {}),
        ("Rejected", "31", {"resolution": {"id": "2"}}),
        ("Closed", "41", {"resolution": {"id": "1"}}),
    ],
)
def test_a_road_is_meant_by_id_before_name_before_target_status(to: str, road: str, screen: dict[str, object]) -> None:
    step = next_step(ROADS, TicketMove(to), Here("GOV-1", "To Do"), cloud=True)

    assert (step.transition.id, dict(step.fields), step.is_last) == (road, screen, True)


def test_a_road_whose_screen_cannot_be_filled_is_not_taken() -> None:
    with pytest.raises(Permanent, match=r"customfield_1: any string"):
        next_step(ROADS, TicketMove("Blocked"), Here("GOV-1", "To Do"), cloud=True)


def signed(body: bytes, secret: str = "s3cret", **headers: str) -> dict[str, str]:
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"X-Hub-Signature": f"sha256={signature}", "X-Atlassian-Webhook-Identifier": "d-1"} | headers


def test_a_signed_webhook_says_which_ticket_to_look_at_again() -> None:
    body = json.dumps({"webhookEvent": "jira:issue_updated", "issue": {"id": "10001", "key": "GOV-1"}}).encode()

    hint = read_webhook(signed(body), body, ["new-secret", "s3cret"])

    assert (hint.delivery_id, hint.ticket_id) == ("d-1", "10001")


def test_news_about_something_else_than_a_ticket_is_no_news() -> None:
    body = b'{"webhookEvent": "user_created"}'

    assert read_webhook(signed(body), body, ["s3cret"]).ticket_id is None


def test_equal_bodies_are_one_delivery_where_no_identifier_is_sent() -> None:
    body = b'{"issue": {"id": "1"}}'
    headers = {"x-hub-signature": signed(body)["X-Hub-Signature"]}

    assert read_webhook(headers, body, ["s3cret"]) == read_webhook(headers, body, ["s3cret"])


@pytest.mark.parametrize(
    ("body", "changes", "secrets", "reason", "status"),
    [
        (b"{}", {"X-Hub-Signature": ""}, ["s3cret"], "unsigned", 401),
        (b"{}", {"X-Hub-Signature": "sha1=abc"}, ["s3cret"], "unsigned", 401),
        (b"{}", {"X-Hub-Signature": "sha256=ünïcode"}, ["s3cret"], "bad_signature", 401),
        (b"{}", {}, ["another"], "bad_signature", 401),
        (b"{}", {}, [], "no_secret", 401),
        (b"{}", {}, [" "], "no_secret", 401),
        (b"{}", {"X-Atlassian-Webhook-Identifier": "ü"}, ["s3cret"], "bad_delivery_id", 401),
        (b"no json", {}, ["s3cret"], "malformed", 400),
        (b"[]", {}, ["s3cret"], "malformed", 400),
        (b'{"issue": []}', {}, ["s3cret"], "malformed", 400),
        (b'{"issue": {"id": "../x"}}', {}, ["s3cret"], "malformed", 400),
        (b"[" * 100_000, {}, ["s3cret"], "malformed", 400),
        (b" " * (BODY_LIMIT + 1), {}, ["s3cret"], "too_large", 413),
    ],
)
def test_what_is_not_to_be_believed_is_rejected_with_its_reason(
    body: bytes, changes: dict[str, str], secrets: list[str], reason: str, status: int
) -> None:
    with pytest.raises(Rejected) as rejected:
        read_webhook(signed(body) | changes, body, secrets)

    assert (rejected.value.reason, rejected.value.status) == (reason, status)
