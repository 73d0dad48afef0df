"""Clicks, modals, commands and events of the local Slack, taken by a real Bolt app over HTTP."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask import Flask, Response, request
from slack_bolt import Ack, App
from slack_bolt.adapter.flask import SlackRequestHandler
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.webhook import WebhookClient

from bot.sandbox.serving import serving
from bot.sandbox.slack import NO_ANSWER, SandboxPerson, SlackSandbox

CHANNEL = "model-approvals"
REASON = {
    "type": "modal",
    "callback_id": "reject",
    "private_metadata": "req_1",
    "notify_on_close": True,
    "title": {"type": "plain_text", "text": "Reject version 3"},
    "submit": {"type": "plain_text", "text": "Reject"},
    "close": {"type": "plain_text", "text": "Cancel"},
    "blocks": [
        {
            "type": "input",
            "block_id": "reason",
            "label": {"type": "plain_text", "text": "Reason"},
            "element": {"type": "plain_text_input", "action_id": "text", "multiline": True},
        }
    ],
}
CARD = [
    {"type": "section", "text": {"type": "mrkdwn", "text": "*bike-demand* version 3"}},
    {
        "type": "actions",
        "block_id": "votes",
        "elements": [
            {
                "type": "button",
                "action_id": "approve",
                "value": "req_1",
                "text": {"type": "plain_text", "text": "Approve"},
            },
            {
                "type": "button",
                "action_id": "reject",
                "value": "req_1",
                "text": {"type": "plain_text", "text": "Reject"},
            },
        ],
    },
]


@dataclass
class Bot:
    """A Bolt app behind Flask, and what it was sent."""

    app: App
    client: WebClient
    url: str
    seen: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def post_card(self) -> str:
        return str(self.client.chat_postMessage(channel=CHANNEL, text="asks", blocks=CARD)["ts"])


@pytest.fixture
def slack() -> SlackSandbox:
    ana = SandboxPerson("U0ANA000001", "ana", "Ana Ruiz", "ana@example.com")
    stranger = SandboxPerson("U0STRANGER1", "zoe", "Zoe Elsewhere", "zoe@elsewhere.example", team_id="T0ELSEWHERE")
    return SlackSandbox(people=[ana, stranger])


@pytest.fixture
def bot(slack: SlackSandbox) -> Iterator[Bot]:
    logging.getLogger("slack_bolt.RequestVerification").setLevel(logging.WARNING)
    with serving(slack) as url:
        client = WebClient(slack.app.bot_token, base_url=f"{url}/api/", retry_handlers=[], timeout=5)
        app = App(client=client, signing_secret=slack.app.signing_secret, process_before_response=True)
        bot = Bot(app, client, url)
        with serving(_behind_flask(bot)) as bot_url:
            slack.interactivity_url = f"{bot_url}/slack/events"
            yield bot


def _behind_flask(bot: Bot) -> Flask:
    flask, handler = Flask(__name__), SlackRequestHandler(bot.app)

    @flask.post("/slack/events")
    def events() -> Response:
        bot.headers.append(dict(request.headers))
        return handler.handle(request)

    return flask


def test_a_click_arrives_signed_with_the_whole_message(bot: Bot, slack: SlackSandbox) -> None:
    bot.app.action("approve")(lambda ack, body: (bot.seen.append(body), ack()))
    ts = bot.post_card()

    status = slack.click("ana", CHANNEL, ts, "approve")

    (body,) = bot.seen
    assert status == 200
    assert (body["user"]["id"], body["team"]["id"], body["api_app_id"]) == ("U0ANA000001", slack.team_id, slack.app_id)
    assert (body["container"]["message_ts"], body["message"]["ts"], body["channel"]["name"]) == (ts, ts, CHANNEL)
    assert (body["actions"][0]["action_id"], body["actions"][0]["value"]) == ("approve", "req_1")
    assert body["actions"][0]["block_id"] == "votes"


def test_a_click_can_be_forged_in_every_identity_it_carries(bot: Bot, slack: SlackSandbox) -> None:
    bot.app.action("approve")(lambda ack, body: (bot.seen.append(body), ack()))
    ts = bot.post_card()

    slack.click(
        "ana", CHANNEL, ts, "approve", team_id="T9", app_id="A9", channel_id="C9", forged_ts="9.000009", value="req_9"
    )

    (body,) = bot.seen
    assert (body["team"]["id"], body["user"]["team_id"], body["api_app_id"]) == ("T9", "T9", "A9")
    assert (body["channel"]["id"], body["container"]["channel_id"]) == ("C9", "C9")
    assert (body["container"]["message_ts"], body["message"]["ts"]) == ("9.000009", "9.000009")
    assert body["actions"][0]["value"] == "req_9"


def test_a_stranger_brings_their_own_team(bot: Bot, slack: SlackSandbox) -> None:
    bot.app.action("approve")(lambda ack, body: (bot.seen.append(body), ack()))

    slack.click("zoe", CHANNEL, bot.post_card(), "approve")

    assert bot.seen[0]["user"]["team_id"] == "T0ELSEWHERE"


def test_a_wrong_signature_and_an_old_one_are_refused_by_the_bot(bot: Bot, slack: SlackSandbox) -> None:
    wrong = slack.post_signed("payload={}", secret="guessed")
    old = slack.post_signed("payload={}", timestamp=str(int(time.time()) - 600))
    spoiled = slack.post_signed("payload={}", {"X-Slack-Signature": "v0=00"})

    assert [wrong.status, old.status, spoiled.status] == [401, 401, 401]


def test_a_bot_that_fails_leaves_a_warning_on_the_message(bot: Bot, slack: SlackSandbox) -> None:
    ts = bot.post_card()  # nothing listens for "approve"

    status = slack.click("ana", CHANNEL, ts, "approve")

    assert status == 404
    assert slack.workspace.troubles["U0ANA000001", ts] == "This app responded with status 404."


def test_a_bot_that_is_too_slow_leaves_a_warning_and_is_not_asked_again(bot: Bot, slack: SlackSandbox) -> None:
    slack.app.answer_within = 0.2
    bot.app.action("approve")(lambda ack, body: (bot.seen.append(body), time.sleep(0.5), ack()))
    ts = bot.post_card()

    status = slack.click("ana", CHANNEL, ts, "approve")

    assert status == NO_ANSWER
    assert slack.workspace.troubles["U0ANA000001", ts].startswith("Operation timed out")
    assert len(bot.seen) == 1


def test_a_modal_is_opened_filled_in_and_submitted(bot: Bot, slack: SlackSandbox) -> None:
    bot.app.action("reject")(
        lambda ack, body, client: (client.views_open(trigger_id=body["trigger_id"], view=REASON), ack())
    )
    bot.app.view("reject")(lambda ack, body: (bot.seen.append(body), ack()))
    slack.click("ana", CHANNEL, bot.post_card(), "reject")

    empty = slack.submit_view("ana", {"reason": "  "})
    submitted = slack.submit_view("ana", {"reason": "The error on Sundays doubled."})

    (body,) = bot.seen
    assert (empty.status, empty.errors) == (NO_ANSWER, {"reason": "Please complete this required field."})
    assert submitted.status == 200
    assert body["view"]["state"]["values"]["reason"]["text"]["value"] == "The error on Sundays doubled."
    assert body["view"]["private_metadata"] == "req_1"
    assert slack.open_view_of("ana") is None


def test_a_shortcut_arrives_with_its_message_and_a_trigger_that_opens_one_form(bot: Bot, slack: SlackSandbox) -> None:
    bot.app.message_shortcut("countersign.record")(
        lambda ack, body, client: (
            bot.seen.append(body),
            client.views_open(trigger_id=body["trigger_id"], view=REASON),
            ack(),
        )
    )
    thread = bot.post_card()
    reply = slack.say("ana", CHANNEL, "checked", thread_ts=thread)

    status = slack.use_shortcut("ana", CHANNEL, reply.ts, "countersign.record")

    (body,) = bot.seen
    assert (status, body["type"], body["callback_id"]) == (200, "message_action", "countersign.record")
    assert (body["message_ts"], body["message"]["ts"], body["message"]["thread_ts"]) == (reply.ts, reply.ts, thread)
    assert (body["message"]["text"], body["message"]["user"], body["channel"]["name"]) == (
        "checked",
        "U0ANA000001",
        CHANNEL,
    )
    assert body["response_url"]
    assert slack.open_view_of("ana") is not None
    with pytest.raises(SlackApiError, match="exchanged_trigger_id"):
        bot.client.views_open(trigger_id=body["trigger_id"], view=REASON)


def test_an_app_has_only_the_shortcuts_of_its_manifest(bot: Bot, slack: SlackSandbox) -> None:
    reply = slack.say("ana", CHANNEL, "checked")

    with pytest.raises(LookupError, match="no message shortcut 'another'"):
        slack.use_shortcut("ana", CHANNEL, reply.ts, "another")


def test_a_person_is_picked_in_a_form_as_slack_sends_it(bot: Bot, slack: SlackSandbox) -> None:
    picker = {
        "type": "input",
        "block_id": "who",
        "label": {"type": "plain_text", "text": "Who?"},
        "element": {"type": "users_select", "action_id": "who"},
    }
    bot.app.action("reject")(
        lambda ack, body, client: (
            client.views_open(trigger_id=body["trigger_id"], view={**REASON, "blocks": [picker]}),
            ack(),
        )
    )
    bot.app.view("reject")(lambda ack, body: (bot.seen.append(body), ack()))
    slack.click("ana", CHANNEL, bot.post_card(), "reject")

    empty = slack.submit_view("ana", {"who": ""})
    slack.submit_view("ana", {"who": "U0ANA000001"})

    (body,) = bot.seen
    assert empty.errors == {"who": "Please complete this required field."}
    assert body["view"]["state"]["values"]["who"]["who"] == {"type": "users_select", "selected_user": "U0ANA000001"}


def test_a_reply_that_is_sent_to_its_channel_too_is_in_the_history_once(bot: Bot, slack: SlackSandbox) -> None:
    thread = bot.post_card()
    quiet = bot.client.chat_postMessage(channel=CHANNEL, text="quiet", thread_ts=thread)
    loud = bot.client.chat_postMessage(channel=CHANNEL, text="loud", thread_ts=thread, reply_broadcast=True)

    channel = str(loud["channel"])
    history = bot.client.conversations_history(channel=channel)["messages"]
    replies = bot.client.conversations_replies(channel=channel, ts=thread)["messages"]

    assert [one["ts"] for one in history] == [loud["ts"], thread]
    assert history[0]["subtype"] == "thread_broadcast"
    assert [one["ts"] for one in replies] == [thread, quiet["ts"], loud["ts"]]


def test_errors_keep_the_modal_open_and_stand_under_the_input(bot: Bot, slack: SlackSandbox) -> None:
    def refuse(ack: Ack) -> None:
        ack(response_action="errors", errors={"reason": "Say more than that."})

    bot.app.action("reject")(
        lambda ack, body, client: (client.views_open(trigger_id=body["trigger_id"], view=REASON), ack())
    )
    bot.app.view("reject")(refuse)
    slack.click("ana", CHANNEL, bot.post_card(), "reject")

    submitted = slack.submit_view("ana", {"reason": "no"})

    view = slack.open_view_of("ana")
    assert submitted.errors == {"reason": "Say more than that."}
    assert view is not None
    assert view.errors == submitted.errors


def test_an_update_puts_another_view_in_the_modals_place(bot: Bot, slack: SlackSandbox) -> None:
    done = {**REASON, "title": {"type": "plain_text", "text": "Thank you"}}
    bot.app.action("reject")(
        lambda ack, body, client: (client.views_open(trigger_id=body["trigger_id"], view=REASON), ack())
    )
    bot.app.view("reject")(lambda ack: ack(response_action="update", view=done))
    slack.click("ana", CHANNEL, bot.post_card(), "reject")

    slack.submit_view("ana", {"reason": "no"})

    view = slack.open_view_of("ana")
    assert view is not None
    assert view.content["title"] == done["title"]


def test_closing_a_modal_is_told_to_a_bot_that_asked_for_it(bot: Bot, slack: SlackSandbox) -> None:
    bot.app.action("reject")(
        lambda ack, body, client: (client.views_open(trigger_id=body["trigger_id"], view=REASON), ack())
    )
    bot.app.view_closed("reject")(lambda ack, body: (bot.seen.append(body), ack()))
    slack.click("ana", CHANNEL, bot.post_card(), "reject")

    slack.close_view("ana")

    assert bot.seen[0]["is_cleared"] is False
    assert slack.open_view_of("ana") is None


def test_a_trigger_opens_one_modal_and_only_for_three_seconds() -> None:
    moment = [1_764_000_000.0]
    slack = SlackSandbox(now=lambda: moment[0])
    with serving(slack) as url:
        client = WebClient(slack.app.bot_token, base_url=f"{url}/api/", retry_handlers=[])
        fresh, late = slack.backend.triggers.issue("U0ANA000001"), slack.backend.triggers.issue("U0ANA000001")
        client.views_open(trigger_id=fresh, view=REASON)
        moment[0] += 3.5
        refusals = [_refusal(client, trigger_id) for trigger_id in (fresh, late, "123.456.abc")]

    assert refusals == ["exchanged_trigger_id", "expired_trigger_id", "invalid_trigger_id"]


def _refusal(client: WebClient, trigger_id: str) -> str:
    with pytest.raises(SlackApiError) as refused:
        client.views_open(trigger_id=trigger_id, view=REASON)
    return str(refused.value.response["error"])


def test_a_response_url_takes_five_answers(bot: Bot, slack: SlackSandbox) -> None:
    bot.app.action("approve")(lambda ack, body: (bot.seen.append(body), ack()))
    slack.click("ana", CHANNEL, bot.post_card(), "approve")
    webhook = WebhookClient(bot.seen[0]["response_url"], retry_handlers=[])

    answers = [webhook.send(text=f"already decided {number}").status_code for number in range(6)]

    assert answers == [200, 200, 200, 200, 200, 404]
    assert [message.text for message in slack.ephemerals("ana")][:2] == ["already decided 0", "already decided 1"]


def test_a_response_url_replaces_and_deletes_the_message_it_belongs_to(bot: Bot, slack: SlackSandbox) -> None:
    bot.app.action("approve")(lambda ack, body: (bot.seen.append(body), ack()))
    slack.click("ana", CHANNEL, bot.post_card(), "approve")
    webhook = WebhookClient(bot.seen[0]["response_url"], retry_handlers=[])

    webhook.send(text="decided", replace_original=True)
    replaced = [message.all_text for message in slack.messages(CHANNEL)]
    webhook.send(delete_original=True)

    assert replaced == ["decided"]
    assert slack.messages(CHANNEL) == []


def test_a_slash_command_is_answered_to_the_one_who_typed_it(bot: Bot, slack: SlackSandbox) -> None:
    bot.app.command("/countersign")(lambda ack, body: (bot.seen.append(body), ack(f"you said {body['text']}")))

    answer = slack.command("ana", "/countersign", "list")

    assert answer.status == 200
    assert (bot.seen[0]["user_id"], bot.seen[0]["channel_name"]) == ("U0ANA000001", CHANNEL)
    assert [message.text for message in slack.ephemerals("ana")] == ["you said list"]


@pytest.mark.parametrize(
    ("typed", "arrives"),
    [
        ("away until 2026-12-01 -> @ana", "away until 2026-12-01 -&gt; <@U0ANA000001|ana>"),
        ("@nobody, @ana-b and a@ana stay words", "@nobody, @ana-b and a@ana stay words"),
        ("ask @ml-leads in #compliance", "ask <!subteam^S0MLLEADS00|@ml-leads> in <#C0SANDBOX02|compliance>"),
        ("wake @here", "wake <!here>"),
        (
            "see https://a.example/?x=1&y=2 or ana@example.com",
            "see <https://a.example/?x=1&amp;y=2> or <mailto:ana@example.com|ana@example.com>",
        ),
        ("<@U0ANA000001> & co", "&lt;@U0ANA000001&gt; &amp; co"),
    ],
)
def test_names_channels_and_links_in_a_command_arrive_with_their_ids(
    bot: Bot, slack: SlackSandbox, typed: str, arrives: str
) -> None:
    bot.app.command("/countersign")(lambda ack, body: (bot.seen.append(body), ack()))

    slack.command("ana", "/countersign", typed)

    assert bot.seen[0]["text"] == arrives


def test_a_command_that_is_not_to_be_escaped_arrives_as_it_was_typed(bot: Bot, slack: SlackSandbox) -> None:
    slack.app.should_escape = False
    bot.app.command("/countersign")(lambda ack, body: (bot.seen.append(body), ack()))

    slack.command("ana", "/countersign", "away -> @ana")

    assert bot.seen[0]["text"] == "away -> @ana"


def test_a_slash_command_that_fails_says_so(bot: Bot, slack: SlackSandbox) -> None:
    slack.command("ana", "/unknown")

    assert slack.ephemerals("ana")[0].text == '/unknown failed with the error "dispatch_failed"'


def test_an_event_is_retried_three_times_with_its_headers(bot: Bot, slack: SlackSandbox) -> None:
    @bot.app.middleware
    def fail(body: dict[str, Any]) -> None:
        bot.seen.append(body)
        raise RuntimeError("the bot is ill")

    answers = slack.send_event({"type": "app_mention", "text": "hello"}, "Ev1")

    assert [answer.status for answer in answers] == [500, 500, 500, 500]
    assert [body["event_id"] for body in bot.seen] == ["Ev1"] * 4
    assert [headers.get("X-Slack-Retry-Num") for headers in bot.headers] == [None, "1", "2", "3"]


def test_the_address_is_verified_by_a_challenge(bot: Bot, slack: SlackSandbox) -> None:
    assert slack.verify_address()
