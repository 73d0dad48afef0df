"""The manifest asks for the scopes that the notifier needs: all of them, and no others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from bot.clients.slack.home.forms import FORM
from bot.clients.slack.home.surface import SlackHome
from bot.clients.slack.notifier import SlackNotifier
from bot.clients.slack.shortcuts import RECORD
from bot.domain.card.card import Card
from bot.domain.home.preview import Preview
from bot.errors import Permanent
from bot.ports import Notifier
from bot.ports.home import SharedLinks
from bot.sandbox.serving import serving
from bot.sandbox.slack import SlackSandbox
from handlers.doors import slack_shortcuts

MANIFEST = yaml.safe_load((Path(__file__).parents[3] / "config" / "slack_manifest.yaml").read_text())
SCOPES = frozenset(MANIFEST["oauth_config"]["scopes"]["bot"])
FOR_SLASH_COMMANDS, FOR_EVENTS = "commands", "links:read"  # Slack itself looks at these
CARD = Card("bike-demand v2 is champion", "Approved by Cy.")
ANA = "U0ANA000001"


@pytest.fixture
def slack() -> Iterator[SlackSandbox]:
    sandbox = SlackSandbox(scopes=SCOPES)
    sandbox.workspace.add_channel("board", is_private=True)
    sandbox.app.unfurl_domains = ("mlflow.example.com",)
    with serving(sandbox) as url:
        sandbox.public_url = url
        yield sandbox


def every_deed(sandbox: SlackSandbox) -> None:
    slack = notifier_of(sandbox)
    since = datetime.now(UTC) - timedelta(minutes=5)
    for place in ("#model-approvals", "#board", ANA):
        posted = slack.post(place, CARD, place)
        slack.update(posted, CARD)
        assert slack.find_post(place, place, since) == posted
    slack.account(ANA)
    assert slack.find_account("ana@example.com") is not None
    slack.members_of("ml-leads")
    slack.upload_image(b"\x89PNG\r\n\x1a\n", "plot.png", "mae over versions 1 to 7")

    show_more_of_a_link(sandbox)


def show_more_of_a_link(sandbox: SlackSandbox) -> None:
    said = sandbox.say("ana", "general", "look: https://mlflow.example.com/#/models/bike/versions/2")
    home = SlackHome(sandbox.app.bot_token, api_url=f"{sandbox.public_url}/api/")
    (url,) = next(reversed(sandbox.backend.unfurls.values())).links
    shared = SharedLinks("Ev1", said.channel, said.ts, "", "conversations_history", (url,), with_strangers=False)
    home.unfurl(shared, {url: Preview("bike v2", ())})


def notifier_of(sandbox: SlackSandbox) -> Notifier:
    return SlackNotifier(sandbox.app.bot_token, api_url=f"{sandbox.public_url}/api/")


def test_the_manifests_scopes_are_enough(slack: SlackSandbox) -> None:
    every_deed(slack)


@pytest.mark.parametrize("scope", sorted(SCOPES - {FOR_SLASH_COMMANDS, FOR_EVENTS}))
def test_each_scope_is_needed_and_named_when_it_is_missing(slack: SlackSandbox, scope: str) -> None:
    slack.app.scopes = SCOPES - {scope}

    with pytest.raises(Permanent, match=f"lacks the scope {scope}"):
        every_deed(slack)


@pytest.mark.parametrize(
    "read_address",
    [
        lambda: MANIFEST["settings"]["interactivity"]["request_url"],
        lambda: MANIFEST["features"]["slash_commands"][0]["url"],
        lambda: MANIFEST["settings"]["event_subscriptions"]["request_url"],
    ],
)
def test_all_of_slack_comes_in_by_one_route(read_address: Callable[[], str]) -> None:
    address = read_address()

    assert address == "https://countersign.example.com/slack/events"


def test_the_app_can_write_to_people_directly_and_expects_no_answer() -> None:
    home = MANIFEST["features"]["app_home"]

    assert (home["messages_tab_enabled"], home["messages_tab_read_only_enabled"]) == (True, True)


def test_the_manifest_offers_the_home_tab_the_shortcuts_and_what_they_need() -> None:
    shortcuts = {(one["type"], one["callback_id"]) for one in MANIFEST["features"]["shortcuts"]}
    app = SlackSandbox().app

    assert MANIFEST["features"]["app_home"]["home_tab_enabled"] is True
    assert shortcuts == {("global", FORM), ("message", RECORD)}
    assert {callback for callback, _name in app.shortcuts} == {FORM}
    assert {callback for callback, _name in app.message_shortcuts} == {RECORD}
    assert RECORD == slack_shortcuts.RECORD
    assert set(MANIFEST["settings"]["event_subscriptions"]["bot_events"]) == app.events


def test_the_manifest_offers_the_slash_command_and_the_buttons() -> None:
    commands = [command["command"] for command in MANIFEST["features"]["slash_commands"]]

    assert commands == ["/countersign"]
    assert MANIFEST["features"]["slash_commands"][0]["should_escape"] is True
    assert FOR_SLASH_COMMANDS in SCOPES
    assert MANIFEST["settings"]["interactivity"]["is_enabled"] is True
