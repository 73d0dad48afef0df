"""Home tabs, menus that the bot fills, shortcuts and links of the local Slack, taken by a real Bolt app over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask, Response, request
from slack_bolt import Ack, App
from slack_bolt.adapter.flask import SlackRequestHandler
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot.sandbox.serving import serving
from bot.sandbox.slack import SlackSandbox

ANA = "U0ANA000001"
MENU = {"type": "external_select", "action_id": "model", "min_query_length": 0}
PRESS = {"type": "button", "action_id": "more", "value": "1", "text": {"type": "plain_text", "text": "More"}}
HOME = {
    "type": "home",
    "private_metadata": "kept",
    "blocks": [{"type": "actions", "block_id": "tools", "elements": [MENU, PRESS]}],
}
DIVIDER = {"type": "divider"}
URL = "https://mlflow.example.com/#/models/bike/versions/7"


class Bot:
    def __init__(self, app: App, client: WebClient) -> None:
        self.app, self.client, self.seen = app, client, list[dict[str, Any]]()
        self.options: list[dict[str, Any]] = []


@pytest.fixture
def slack() -> SlackSandbox:
    sandbox = SlackSandbox()
    sandbox.app.unfurl_domains = ("mlflow.example.com",)
    return sandbox


@pytest.fixture
def bot(slack: SlackSandbox) -> Iterator[Bot]:
    with serving(slack) as url:
        client = WebClient(slack.app.bot_token, base_url=f"{url}/api/", retry_handlers=[])
        app = App(client=client, signing_secret=slack.app.signing_secret, process_before_response=True)
        made = Bot(app, client)

        def keep(ack: Ack, body: dict[str, Any]) -> None:
            made.seen.append(body)
            ack()

        def suggest(ack: Ack, body: dict[str, Any]) -> None:
            made.seen.append(body)
            ack(options=made.options)

        for event in ("app_home_opened", "link_shared"):
            app.event(event)(keep)
        app.action("more")(keep)
        app.action("model")(keep)
        app.options("model")(suggest)
        app.global_shortcut("countersign.request")(keep)
        door = Flask("bot")
        handler = SlackRequestHandler(app)

        @door.post("/slack/events")
        def take() -> Response:
            return handler.handle(request)

        with serving(door) as address:
            slack.interactivity_url = f"{address}/slack/events"
            yield made


def refusal(deed: Any, **arguments: Any) -> str:
    with pytest.raises(SlackApiError) as refused:
        deed(**arguments)
    return str(refused.value.response["error"])


def option(number: int) -> dict[str, Any]:
    return {"text": {"type": "plain_text", "text": f"model {number}"}, "value": str(number)}


def test_opening_the_tab_says_so_and_what_is_published_comes_back_with_it(bot: Bot, slack: SlackSandbox) -> None:
    slack.open_home("ana")
    published = bot.client.views_publish(user_id=ANA, view=HOME)
    slack.open_home("ana")

    first, second = (body["event"] for body in bot.seen)
    assert (first["tab"], first["user"], "view" in first) == ("home", ANA, False)
    assert second["view"]["private_metadata"] == "kept"
    assert second["view"]["hash"] == published["view"]["hash"]


def test_a_tab_is_refused_as_slack_refuses_it(bot: Bot, slack: SlackSandbox) -> None:
    publish = bot.client.views_publish
    too_many = {"type": "home", "blocks": [DIVIDER] * 101}

    assert refusal(publish, user_id=ANA, view=too_many) == "invalid_arguments"
    assert refusal(publish, user_id=ANA, view={**HOME, "type": "modal", "title": PRESS["text"]}) == "invalid_arguments"
    assert refusal(publish, user_id="U0NOBODY0001", view=HOME) == "user_not_found"
    mark = str(publish(user_id=ANA, view=HOME)["view"]["hash"])
    publish(user_id=ANA, view=HOME, hash=mark)
    assert refusal(publish, user_id=ANA, view=HOME, hash=mark) == "hash_conflict"
    assert refusal(bot.client.views_open, trigger_id="1.2.3", view=HOME) == "invalid_arguments"
    slack.app.has_home = False
    assert refusal(publish, user_id=ANA, view=HOME) == "not_enabled"
    assert slack.open_home("ana") == []


def test_a_press_on_the_tab_says_which_view_and_what_is_in_it(bot: Bot, slack: SlackSandbox) -> None:
    bot.client.views_publish(user_id=ANA, view=HOME)

    assert slack.press_home("ana", "more").status == 200

    (body,) = bot.seen
    assert body["container"] == {"type": "view", "view_id": body["view"]["id"]}
    assert (body["actions"][0]["value"], body["view"]["type"]) == ("1", "home")
    assert "response_url" not in body


def test_a_menu_asks_the_bot_and_a_choice_is_one_of_its_answers(bot: Bot, slack: SlackSandbox) -> None:
    bot.client.views_publish(user_id=ANA, view=HOME)
    bot.options = [option(1), option(2)]

    found = slack.suggest("ana", "model", "mod", in_home=True)
    slack.press_home("ana", "model", "2")

    asked, pressed = bot.seen
    assert (asked["type"], asked["value"], "trigger_id" in asked) == ("block_suggestion", "mod", False)
    assert [one["value"] for one in found.options] == ["1", "2"]
    assert pressed["actions"][0]["selected_option"] == option(2)


def test_a_menu_shows_nothing_of_an_answer_that_slack_would_not_take(bot: Bot, slack: SlackSandbox) -> None:
    bot.client.views_publish(user_id=ANA, view=HOME)
    bot.options = [option(number) for number in range(101)]

    found = slack.suggest("ana", "model", "m", in_home=True)

    assert found.options == ()
    assert "no more than 100 items allowed" in found.trouble


def test_a_global_shortcut_brings_a_trigger_and_no_channel(bot: Bot, slack: SlackSandbox) -> None:
    slack.shortcut("ana", "countersign.request")

    (body,) = bot.seen
    assert (body["type"], body["callback_id"]) == ("shortcut", "countersign.request")
    assert body["trigger_id"]
    assert "channel" not in body
    with pytest.raises(LookupError, match=r"there are countersign\.request"):
        slack.shortcut("ana", "another")


def test_links_to_registered_domains_are_reported_and_can_be_shown_once_each(bot: Bot, slack: SlackSandbox) -> None:
    said = slack.say("ana", "general", f"see {URL} and {URL} and https://other.example/x")

    event = bot.seen[0]["event"]
    assert [link["url"] for link in event["links"]] == [URL]
    shown = {URL: {"blocks": [{"type": "section", "text": {"type": "plain_text", "text": "bike v7"}}]}}
    for _ in range(2):
        bot.client.chat_unfurl(unfurl_id=event["unfurl_id"], source=event["source"], unfurls=shown)
    (message,) = slack.messages("general")
    assert message.ts == said.ts
    assert [one["from_url"] for one in message.attachments] == [URL]


def test_links_are_refused_as_slack_refuses_them(bot: Bot, slack: SlackSandbox) -> None:
    said = slack.say("ana", "general", URL)
    event, unfurl = bot.seen[0]["event"], bot.client.chat_unfurl
    where = {"unfurl_id": event["unfurl_id"], "source": event["source"]}
    shown = {URL: {"text": "bike v7"}}

    assert refusal(unfurl, **where, unfurls={"https://other.example/x": {"text": "x"}}) == "cannot_unfurl_url"
    assert refusal(unfurl, **{**where, "source": "elsewhere"}, unfurls=shown) == "invalid_source"
    assert refusal(unfurl, unfurl_id="another", source=event["source"], unfurls=shown) == "invalid_unfurl_id"
    assert refusal(unfurl, **where, unfurls={URL: {"blocks": [{"type": "nothing"}]}}) == "invalid_blocks"
    unfurl(channel=said.channel, ts=said.ts, unfurls=shown)
    slack.app.scopes -= {"links:write"}
    assert refusal(unfurl, **where, unfurls=shown) == "missing_scope"
    slack.workspace.remove(said)
    slack.app.scopes |= {"links:write"}
    assert refusal(unfurl, **where, unfurls=shown) == "cannot_find_message"


def test_other_links_and_an_app_that_may_not_read_links_hear_nothing(bot: Bot, slack: SlackSandbox) -> None:
    slack.say("ana", "general", "https://mlflow.example.com.evil.example/#/models/bike/versions/7")
    slack.app.scopes -= {"links:read"}
    slack.say("ana", "general", URL)

    assert bot.seen == []
