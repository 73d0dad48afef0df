"""The database does not answer: no answer claims that something was recorded, and every answer says to try again."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator

import pytest
import requests

from bot.app import flask_app
from bot.domain.events import VoteCast
from bot.domain.model import State
from bot.sandbox.serving import serving
from config.settings import Settings
from tests.fixtures.installation import API_TOKEN, MLFLOW_SECRET, Installation, services_with

NOBODY_LISTENS = "postgresql://countersign:a-database-password@127.0.0.1:1/countersign?connect_timeout=2"
JIRA_NEWS = json.dumps({"webhookEvent": "jira:issue_updated", "issue": {"id": "10001", "key": "GOV-1"}}).encode()


@pytest.fixture
def without_database(installation: Installation) -> Iterator[str]:
    """A second web process of the same installation, whose database is away."""
    s = services_with(installation.settings, NOBODY_LISTENS, installation.clock)
    with serving(flask_app(s, installation.settings, NOBODY_LISTENS)) as url:
        yield url


def signed(body: bytes, delivery: str = "d-1") -> dict[str, str]:
    at = str(int(time.time()))
    digest = hmac.new(MLFLOW_SECRET.encode(), f"{delivery}.{at}.".encode() + body, hashlib.sha256).digest()
    return {
        "X-MLflow-Delivery-Id": delivery,
        "X-MLflow-Timestamp": at,
        "X-MLflow-Signature": "v1," + base64.b64encode(digest).decode(),
    }


def test_a_click_fails_visibly_and_can_be_pressed_again(installation: Installation, without_database: str) -> None:
    request, in_order = installation.asked(), installation.slack.interactivity_url
    card = installation.card(request)

    installation.slack.interactivity_url = f"{without_database}/slack/events"
    failed = installation.click("ana", request, "approve")
    trouble = installation.slack.workspace.troubles["U0ANA000001", card.ts]
    installation.slack.interactivity_url = in_order
    again = installation.approve(request)

    assert (failed, trouble) == (503, "This app responded with status 503.")
    assert "your click may not be recorded. Press again in a minute" in installation.told_privately("ana")
    assert again == 200
    assert installation.happened(VoteCast) == ["VoteCast"]
    assert installation.reread(request).state is State.APPLIED


def test_a_form_fails_visibly_and_keeps_what_was_written(installation: Installation, without_database: str) -> None:
    request = installation.asked()
    installation.click("ana", request, "reject")

    installation.slack.interactivity_url = f"{without_database}/slack/events"
    sent = installation.slack.submit_view("ana", {"reason": "worse on Sundays"})

    assert (sent.status, sent.trouble) == (503, "We had some trouble connecting. Try again?")
    assert installation.slack.open_view_of("ana") is not None
    assert installation.reread(request).state is State.PENDING


def test_webhooks_and_the_api_are_asked_to_come_again(installation: Installation, without_database: str) -> None:
    news = json.dumps(
        {"entity": "registered_model", "action": "created", "data": {"name": installation.model}}
    ).encode()
    wish = {
        "name": installation.model,
        "version": installation.register(),
        "to": "alias:champion",
        "requester": "cy@example.com",
    }

    answers = {
        "mlflow": requests.post(f"{without_database}/webhooks/mlflow", news, headers=signed(news), timeout=30),
        "jira": requests.post(
            f"{without_database}/webhooks/jira", JIRA_NEWS, headers=signed_by_jira(installation.settings), timeout=30
        ),
        "api": requests.post(
            f"{without_database}/api/requests", json=wish, headers={"Authorization": f"Bearer {API_TOKEN}"}, timeout=30
        ),
    }

    for name, answer in answers.items():
        assert answer.status_code == 503, name
        assert 0 < int(answer.headers["Retry-After"]) <= 30
        assert answer.json() == {"error": "the database does not answer; nothing was recorded"}


def test_the_same_delivery_is_taken_once_the_database_is_back(
    installation: Installation, without_database: str
) -> None:
    news = json.dumps(
        {"entity": "registered_model", "action": "created", "data": {"name": installation.model}}
    ).encode()
    headers = signed(news)

    answers = [
        requests.post(f"{url}/webhooks/mlflow", news, headers=headers, timeout=30)
        for url in (without_database, installation.url, installation.url)
    ]

    assert [answer.status_code for answer in answers] == [503, 202, 202]
    assert [answer.json().get("result") for answer in answers] == [None, "recorded", "duplicate"]


def test_the_process_stays_alive_but_is_not_ready(installation: Installation, without_database: str) -> None:
    look: Callable[[str], requests.Response] = lambda page: requests.get(f"{without_database}/{page}", timeout=30)  # noqa: E731

    assert look("healthz").json() == {"status": "ok"}
    assert look("readyz").status_code == 503
    assert "a-database-password" not in look("readyz").text


def signed_by_jira(settings: Settings) -> dict[str, str]:
    secret = settings.jira_webhook_secrets[0].get_secret_value().encode()
    return {
        "X-Hub-Signature": "sha256=" + hmac.new(secret, JIRA_NEWS, hashlib.sha256).hexdigest(),
        "X-Atlassian-Webhook-Identifier": "j-1",
        "Content-Type": "application/json",
    }
