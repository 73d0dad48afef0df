"""A bot that lives by Socket Mode alone has no signing secret, so nothing that comes by HTTP can be Slack's."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from urllib.parse import urlencode

import pytest
import requests
from pydantic import SecretStr
from slack_bolt import BoltRequest

from bot.app import bolt_app, flask_app
from bot.domain.events import VoteCast
from bot.domain.model import TransitionRequest
from bot.sandbox.serving import serving
from config.settings import Settings
from tests.fixtures.installation import CHANNEL, SLACK_SECRET, Installation

SECRETS = pytest.mark.parametrize("secret", ["", SLACK_SECRET], ids=["signed with nothing", "signed with a secret"])


def by_socket_alone(installation: Installation) -> Settings:
    changes = {"slack_app_token": SecretStr("xapp-1-of-the-tests"), "slack_signing_secrets": ()}
    return installation.settings.model_copy(update=changes)


def click_signed_with(
    secret: str, request: TransitionRequest, installation: Installation
) -> tuple[str, Mapping[str, str]]:
    """The body and the headers of Ana's approval, as if Slack had posted it."""
    payload = installation.slack.click_payload("ana", CHANNEL, installation.card(request).ts, "approve")
    body = urlencode({"payload": json.dumps(payload)})
    timestamp = str(int(installation.clock.now().timestamp()))
    # slack_sdk itself would not sign with an empty secret
    signature = hmac.new(secret.encode(), f"v0:{timestamp}:{body}".encode(), hashlib.sha256).hexdigest()
    form = "application/x-www-form-urlencoded"
    return body, {"Content-Type": form, "X-Slack-Request-Timestamp": timestamp, "X-Slack-Signature": f"v0={signature}"}


@SECRETS
def test_without_a_signing_secret_slacks_http_door_does_not_exist(installation: Installation, secret: str) -> None:
    request = installation.asked()
    settings = by_socket_alone(installation)
    body, headers = click_signed_with(secret, request, installation)

    with serving(flask_app(installation.s, settings, settings.database_url.get_secret_value())) as url:
        answer = requests.post(f"{url}/slack/events", data=body, headers=headers, timeout=10)
        alive = requests.get(f"{url}/healthz", timeout=10)

    assert (answer.status_code, alive.status_code) == (404, 200)
    assert installation.happened(VoteCast) == []


@SECRETS
def test_without_a_signing_secret_nobody_can_guess_what_bolt_expects(installation: Installation, secret: str) -> None:
    request = installation.asked()
    body, headers = click_signed_with(secret, request, installation)

    answer = bolt_app(installation.s, by_socket_alone(installation)).dispatch(
        BoltRequest(body=body, headers={**headers})
    )

    assert answer.status == 401
    assert installation.happened(VoteCast) == []


@pytest.mark.parametrize(
    ("secret", "status", "votes"),
    [(SLACK_SECRET, 200, ["VoteCast"]), ("the-new-secret-of-the-tests", 200, ["VoteCast"]), ("a-strange-one", 401, [])],
    ids=["the old one", "the new one", "another"],
)
def test_while_the_signing_secret_changes_the_door_believes_both(
    installation: Installation, secret: str, status: int, votes: list[str]
) -> None:
    request = installation.asked()
    both = (SecretStr("the-new-secret-of-the-tests"), SecretStr(SLACK_SECRET))
    settings = installation.settings.model_copy(update={"slack_signing_secrets": both})
    body, headers = click_signed_with(secret, request, installation)

    with serving(flask_app(installation.s, settings, settings.database_url.get_secret_value())) as url:
        answer = requests.post(f"{url}/slack/events", data=body, headers=headers, timeout=10)

    assert answer.status_code == status
    assert installation.happened(VoteCast) == votes
