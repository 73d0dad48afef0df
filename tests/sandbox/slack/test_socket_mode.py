"""Socket Mode of the local Slack, with Bolt's own handler at the other end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from slack_bolt import App
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot.sandbox.serving import serving
from bot.sandbox.slack import NO_ANSWER, SlackSandbox

CHANNEL = "model-approvals"
BUTTON = {"type": "button", "action_id": "approve", "value": "req_1", "text": {"type": "plain_text", "text": "Approve"}}


@pytest.fixture
def slack() -> SlackSandbox:
    return SlackSandbox()


@pytest.fixture
def app(slack: SlackSandbox) -> Iterator[App]:
    with serving(slack) as url:
        yield App(client=WebClient(slack.app.bot_token, base_url=f"{url}/api/", retry_handlers=[]))


@pytest.fixture
def socket(app: App, slack: SlackSandbox) -> Iterator[SocketModeHandler]:
    handler = SocketModeHandler(app, slack.app.app_token)
    handler.connect()
    assert slack.sockets.wait_until_connected(5)
    yield handler
    _hang_up_first(handler, slack)
    handler.close()


def _hang_up_first(handler: SocketModeHandler, slack: SlackSandbox) -> None:
    """The client's own close() waits up to three seconds in recv, and stumbles when both sides close at once."""
    handler.client.auto_reconnect_enabled = False
    slack.sockets.hang_up()
    for _ in range(200):
        if not handler.client.is_connected():
            return
        time.sleep(0.02)


def a_card(app: App) -> str:
    posted = app.client.chat_postMessage(
        channel=CHANNEL, text="asks", blocks=[{"type": "actions", "elements": [BUTTON]}]
    )
    return str(posted["ts"])


def test_a_click_goes_through_the_socket_and_is_acknowledged(
    app: App, slack: SlackSandbox, socket: SocketModeHandler
) -> None:
    seen: list[dict[str, Any]] = []
    app.action("approve")(lambda ack, body: (seen.append(body), ack()))

    status = slack.click("ana", CHANNEL, a_card(app), "approve")

    assert status == 200
    assert seen[0]["actions"][0]["value"] == "req_1"


def test_an_acknowledgement_carries_its_answer(app: App, slack: SlackSandbox, socket: SocketModeHandler) -> None:
    app.command("/countersign")(lambda ack, body: ack(f"you said {body['text']}"))

    slack.command("ana", "/countersign", "list")

    assert [message.text for message in slack.ephemerals("ana")] == ["you said list"]


def test_an_event_goes_through_the_socket(app: App, slack: SlackSandbox, socket: SocketModeHandler) -> None:
    arrived = threading.Event()
    app.event("app_mention")(lambda event: arrived.set())

    (answer,) = slack.send_event({"type": "app_mention", "text": "hello", "channel": "C0SANDBOX01"})

    assert answer.status == 200
    assert arrived.wait(5)


def test_a_bot_that_does_not_acknowledge_leaves_a_warning(
    app: App, slack: SlackSandbox, socket: SocketModeHandler
) -> None:
    slack.app.answer_within = 0.2
    ts = a_card(app)  # nothing listens for its button

    status = slack.click("ana", CHANNEL, ts, "approve")

    assert status == NO_ANSWER
    assert slack.workspace.troubles["U0ANA000001", ts].startswith("Operation timed out")


def test_a_bot_whose_socket_slack_ends_connects_again(app: App, slack: SlackSandbox, socket: SocketModeHandler) -> None:
    app.action("approve")(lambda ack: ack())

    slack.sockets.disconnect("refresh_requested")

    assert slack.sockets.wait_until_connected(10)
    assert slack.click("ana", CHANNEL, a_card(app), "approve") == 200


def test_only_the_app_token_opens_a_socket(app: App, slack: SlackSandbox) -> None:
    with pytest.raises(SlackApiError) as refused:
        app.client.apps_connections_open(app_token=slack.app.bot_token)

    assert refused.value.response["error"] == "not_allowed_token_type"
