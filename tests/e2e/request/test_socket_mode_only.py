"""A bot that lives by Socket Mode alone has no signing secret, so nothing that comes by HTTP can be Slack's."""

from __future__ import annotations

import pytest
import requests
from pydantic import SecretStr
from slack_bolt import BoltRequest

from bot.app import bolt_app, flask_app
from bot.domain.events import VoteCast
from bot.sandbox.serving import serving
from config.settings import Settings
from tests.fixtures.installation import SLACK_SECRET, Installation, services_with
from tests.fixtures.presses import press_of_ana

SECRETS = pytest.mark.parametrize("secret", ["", SLACK_SECRET], ids=["signed with nothing", "signed with a secret"])


def by_socket_alone(installation: Installation) -> Settings:
    changes = {"slack_app_token": SecretStr("xapp-1-of-the-tests"), "slack_signing_secrets": ()}
    return installation.settings.model_copy(update=changes)


@SECRETS
def test_without_a_signing_secret_slacks_http_door_does_not_exist(installation: Installation, secret: str) -> None:
    request = installation.asked()
    settings = by_socket_alone(installation)
    body, headers = press_of_ana(request, "approve", installation, secret)

    with serving(flask_app(installation.s, settings, settings.database_url.get_secret_value())) as url:
        answer = requests.post(f"{url}/slack/events", data=body, headers=headers, timeout=10)
        alive = requests.get(f"{url}/healthz", timeout=10)

    assert (answer.status_code, alive.status_code) == (404, 200)
    assert installation.happened(VoteCast) == []


@SECRETS
def test_without_a_signing_secret_nobody_can_guess_what_bolt_expects(installation: Installation, secret: str) -> None:
    request = installation.asked()
    body, headers = press_of_ana(request, "approve", installation, secret)

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
    body, headers = press_of_ana(request, "approve", installation, secret)
    address = settings.database_url.get_secret_value()

    s = services_with(settings, address, installation.clock)
    with serving(flask_app(s, settings, address)) as url:
        answer = requests.post(f"{url}/slack/events", data=body, headers=headers, timeout=10)
    s.store.engine.dispose()

    assert answer.status_code == status
    assert installation.happened(VoteCast) == votes
