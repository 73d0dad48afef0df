"""The local Slack's page in a real browser, with a real Bolt app behind its buttons."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
import requests
from flask import Flask, Response, request
from playwright.sync_api import Page, expect
from slack_bolt import App
from slack_bolt.adapter.flask import SlackRequestHandler
from slack_sdk import WebClient

from bot.sandbox.serving import serving
from bot.sandbox.slack import SlackSandbox

CHANNEL, ANA = "model-approvals", "U0ANA000001"
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAABCAAAAADRSSBWAAAAC0lEQVR4nGNwOAAAAUMBAQURd3wAAAAASUVORK5CYII="
)  # two pixels wide


def words(text: str) -> dict[str, str]:
    return {"type": "plain_text", "text": text}


def said(text: str) -> dict[str, object]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


SURE = {"title": words("Approve version 3?"), "text": words("Really?"), "confirm": words("Yes"), "deny": words("No")}
BUTTONS = [
    {"type": "button", "action_id": "approve", "text": words("Approve"), "style": "primary", "confirm": SURE},
    {"type": "button", "action_id": "reject", "text": words("Reject"), "style": "danger"},
    {"type": "button", "action_id": "broken", "text": words("Broken")},
]
CARD = [said("*bike-demand* version 3"), {"type": "actions", "elements": BUTTONS}]
REASON = {
    "type": "modal",
    "callback_id": "reject",
    "title": words("Reject version 3"),
    "submit": words("Send"),
    "blocks": [
        {
            "type": "input",
            "block_id": "reason",
            "label": words("Reason"),
            "element": {"type": "plain_text_input", "action_id": "text", "multiline": True},
        }
    ],
}


@dataclass
class Chat:
    """The sandbox, a client of it, and what the bot behind it heard."""

    slack: SlackSandbox
    client: WebClient
    url: str
    heard: list[str] = field(default_factory=list)

    @property
    def page_for_ana(self) -> str:
        return f"{self.url}/?as=ana"

    def post(self, **arguments: object) -> str:
        posted = self.client.chat_postMessage(channel=CHANNEL, **{"text": "a card", **arguments})
        return str(posted["ts"])

    def upload(self, content: bytes) -> str:
        ticket = self.client.files_getUploadURLExternal(filename="plot.png", length=len(content))
        requests.post(ticket["upload_url"], data=content, timeout=5).raise_for_status()
        self.client.files_completeUploadExternal(files=[{"id": ticket["file_id"]}])
        return str(ticket["file_id"])


@pytest.fixture
def chat() -> Iterator[Chat]:
    slack = SlackSandbox()
    with serving(slack) as url:
        client = WebClient(slack.app.bot_token, base_url=f"{url}/api/", retry_handlers=[])
        chat = Chat(slack, client, url)
        with serving(_bot(chat)) as bot_url:
            slack.interactivity_url = f"{bot_url}/slack/events"
            yield chat


def _bot(chat: Chat) -> Flask:
    app = App(client=chat.client, signing_secret=chat.slack.app.signing_secret, process_before_response=True)
    flask, handler = Flask(__name__), SlackRequestHandler(app)

    @app.action("approve")
    def approve(ack, body, client) -> None:  # type: ignore[no-untyped-def]
        chat.heard.append("approved")
        client.chat_update(
            channel=body["channel"]["id"],
            ts=body["message"]["ts"],
            text="approved",
            blocks=[said("*Approved* by <@U0ANA000001>")],
        )
        ack()

    @app.action("reject")
    def reject(ack, body, client) -> None:  # type: ignore[no-untyped-def]
        client.views_open(trigger_id=body["trigger_id"], view=REASON)
        ack()

    @app.view("reject")
    def give_reason(ack, view) -> None:  # type: ignore[no-untyped-def]
        reason = view["state"]["values"]["reason"]["text"]["value"]
        chat.heard.append(reason)
        ack(response_action="errors", errors={"reason": "Say a little more."}) if len(reason) < 10 else ack()

    @flask.post("/slack/events")
    def events() -> Response:
        return handler.handle(request)

    return flask


def test_a_confirmed_click_reaches_the_bot_and_the_card_changes_in_place(page: Page, chat: Chat) -> None:
    chat.post(blocks=CARD)
    page.goto(chat.page_for_ana)

    page.get_by_role("button", name="Approve").click()
    dialog = page.get_by_role("dialog", name="Approve version 3?")
    dialog.get_by_role("button", name="Yes").click()

    expect(page.get_by_text("Approved by @Ana Ruiz")).to_be_visible()
    expect(page.get_by_role("button", name="Approve")).to_have_count(0)
    assert chat.heard == ["approved"]


def test_a_click_that_is_not_confirmed_is_never_sent(page: Page, chat: Chat) -> None:
    chat.post(blocks=CARD)
    page.goto(chat.page_for_ana)

    page.get_by_role("button", name="Approve").click()
    page.keyboard.press("Escape")

    expect(page.get_by_role("dialog")).to_have_count(0)
    assert chat.heard == []


def test_a_modal_shows_its_errors_keeps_what_was_typed_and_closes_when_all_is_well(page: Page, chat: Chat) -> None:
    chat.post(blocks=CARD)
    page.goto(chat.page_for_ana)
    page.get_by_role("button", name="Reject").click()
    dialog = page.get_by_role("dialog", name="Reject version 3")

    dialog.get_by_role("button", name="Send").click()
    expect(dialog.get_by_text("Please complete this required field.")).to_be_visible()
    dialog.get_by_label("Reason").fill("no")
    dialog.get_by_role("button", name="Send").click()
    expect(dialog.get_by_text("Say a little more.")).to_be_visible()
    expect(dialog.get_by_label("Reason")).to_have_value("no")
    dialog.get_by_label("Reason").fill("The error on Sundays doubled.")
    chat.post(text="somebody says something meanwhile")
    expect(page.get_by_text("somebody says something meanwhile")).to_be_visible()
    expect(dialog.get_by_label("Reason")).to_be_focused()
    dialog.get_by_role("button", name="Send").click()

    expect(page.get_by_role("dialog")).to_have_count(0)
    assert chat.heard == ["no", "The error on Sundays doubled."]


def test_the_focus_stays_inside_a_dialog(page: Page, chat: Chat) -> None:
    chat.post(blocks=CARD)
    page.goto(chat.page_for_ana)
    page.get_by_role("button", name="Reject").click()
    page.get_by_role("dialog", name="Reject version 3").wait_for()

    reached = []
    for _ in range(8):
        page.keyboard.press("Tab")
        inside = "document.activeElement === document.body || !!document.activeElement.closest('dialog')"
        reached.append(page.evaluate(inside))

    assert reached == [True] * 8


def test_a_bot_that_fails_leaves_a_warning_sign_on_the_card(page: Page, chat: Chat) -> None:
    chat.post(blocks=CARD)
    page.goto(chat.page_for_ana)

    page.get_by_role("button", name="Broken").click()

    expect(page.get_by_test_id("message").get_by_role("alert")).to_have_text("!This app responded with status 404.")


def test_an_ephemeral_message_is_seen_by_one_person_only(page: Page, chat: Chat) -> None:
    chat.client.chat_postEphemeral(
        channel=chat.slack.workspace.channel(CHANNEL).id, user=ANA, text="you may not decide this"
    )
    chat.post(text="for everybody")
    page.goto(chat.page_for_ana)
    expect(page.get_by_text("you may not decide this")).to_be_visible()
    expect(page.get_by_text("Only visible to you")).to_be_visible()

    page.get_by_label("Acting as").select_option(label="Ben Okafor")

    expect(page.get_by_text("you may not decide this")).to_have_count(0)
    expect(page.get_by_text("for everybody")).to_be_visible()


def test_a_picture_is_drawn_with_its_words(page: Page, chat: Chat) -> None:
    chat.post(
        blocks=[{"type": "image", "slack_file": {"id": chat.upload(PNG)}, "alt_text": "mae over versions 1 to 7"}]
    )
    page.goto(chat.page_for_ana)

    picture = page.get_by_test_id("message").get_by_role("img", name="mae over versions 1 to 7")

    expect(picture).to_be_visible()
    expect(picture).to_have_js_property("naturalWidth", 2)
    expect(page.locator("figcaption")).to_have_text("ALTmae over versions 1 to 7")


def grow_after_scrolling_to_the_end(page: Page) -> None:
    """The list grows after the page has scrolled and before its scroll event, as when a picture arrives at that moment."""
    page.evaluate(
        """() => {
          const scroller = document.getElementById("scroller"), card = document.getElementById("messages").lastElementChild;
          const grow = pixels => { card.querySelector(".block").style.paddingBottom = `${pixels}px`; };
          grow(50);
          scroller.scrollTop = scroller.scrollHeight;
          grow(900);
          return new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
        }"""
    )


def test_the_buttons_of_the_newest_card_stay_in_view_when_its_picture_arrives_late(page: Page, chat: Chat) -> None:
    for number in range(40):
        chat.post(text=f"earlier {number}")
    chat.post(blocks=CARD)
    page.goto(chat.page_for_ana)
    approve = page.get_by_role("button", name="Approve")
    expect(approve).to_be_in_viewport()

    grow_after_scrolling_to_the_end(page)

    expect(approve).to_be_in_viewport()


def test_a_reader_who_has_scrolled_up_stays_there_when_the_list_grows(page: Page, chat: Chat) -> None:
    for number in range(40):
        chat.post(text=f"earlier {number}")
    chat.post(blocks=CARD)
    page.goto(chat.page_for_ana)
    expect(page.get_by_role("button", name="Approve")).to_be_in_viewport()
    page.evaluate(
        """() => new Promise(done => {
          document.getElementById("scroller").scrollTop = 0;
          requestAnimationFrame(() => requestAnimationFrame(done));
        })"""
    )

    chat.post(text="a later message")
    expect(page.get_by_text("a later message")).to_have_count(1)

    expect(page.get_by_text("earlier 0", exact=True)).to_be_in_viewport()
    expect(page.get_by_role("button", name="Approve")).not_to_be_in_viewport()


def test_only_pictures_are_shown_under_the_pages_address(chat: Chat) -> None:
    page_of_somebody = chat.upload(b"<script>alert(1)</script>")

    answer = requests.get(f"{chat.url}/_sandbox/pictures/{page_of_somebody}", timeout=5)

    assert answer.status_code == 404


def test_those_who_are_mentioned_stand_out_and_an_unknown_id_is_text(page: Page, chat: Chat) -> None:
    elements = [
        {"type": "usergroup", "usergroup_id": "S0MLLEADS00"},
        {"type": "user", "user_id": ANA},
        {"type": "user", "user_id": "U0NOBODY000"},
    ]
    chat.post(blocks=[{"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": elements}]}])
    page.goto(chat.page_for_ana)

    message = page.get_by_test_id("message")

    expect(message.locator(".mention")).to_have_text(["@ml-leads", "@Ana Ruiz"])
    expect(message).to_contain_text("@U0NOBODY000")


def test_a_table_is_a_table(page: Page, chat: Chat) -> None:
    rows = [["metric", "v2", "champion"], ["mae", "38.2", "41.0"]]
    chat.post(
        blocks=[{"type": "table", "rows": [[{"type": "raw_text", "text": cell} for cell in row] for row in rows]}]
    )
    page.goto(chat.page_for_ana)

    table = page.get_by_test_id("message").get_by_role("table")

    expect(table.get_by_role("columnheader")).to_have_text(rows[0])
    expect(table.get_by_role("cell")).to_have_text(rows[1])


def test_a_thread_opens_beside_the_channel_and_takes_a_reply(page: Page, chat: Chat) -> None:
    parent = chat.post(text="a card")
    chat.post(text="decided", thread_ts=parent)
    page.goto(chat.page_for_ana)

    page.get_by_role("button", name="1 reply").click()
    thread = page.get_by_test_id("thread")
    expect(thread.get_by_text("decided")).to_be_visible()
    thread.get_by_label("Reply in thread").fill("thank you")
    page.keyboard.press("Enter")

    expect(thread.get_by_text("thank you")).to_be_visible()
    assert [message.text for message in chat.slack.messages(CHANNEL) if message.is_reply] == ["decided", "thank you"]


def test_a_command_typed_into_the_box_goes_to_the_bot(page: Page, chat: Chat) -> None:
    page.goto(chat.page_for_ana)
    page.get_by_label("Message", exact=True).fill("/countersign list")
    page.keyboard.press("Enter")

    expect(page.get_by_text('/countersign failed with the error "dispatch_failed"')).to_be_visible()


def test_a_permalink_opens_its_channel_and_marks_the_message(page: Page, chat: Chat) -> None:
    posted = chat.client.chat_postMessage(channel="compliance", text="week 47")
    link = chat.client.chat_getPermalink(channel=posted["channel"], message_ts=posted["ts"])["permalink"]

    page.goto(link)

    expect(page.get_by_role("heading", name="# compliance")).to_be_visible()
    expect(page.locator(".message.target")).to_contain_text("week 47")


def test_markup_is_drawn_and_everything_else_stays_text(page: Page, chat: Chat) -> None:
    chat.post(
        text="*bold* _thin_ ~gone~ `code` <https://example.com/run|the run> <@U0ANA000001> :white_check_mark:\n> quoted\n• one\n"
        "&lt;img src=x onerror=alert(1)&gt; <javascript:alert(1)|press me> <script>alert(1)</script>"
    )
    page.goto(chat.page_for_ana)

    message = page.get_by_test_id("message")

    expect(message.locator("strong", has_text="bold")).to_be_visible()
    expect(message.get_by_role("link")).to_have_count(1)
    expect(message.get_by_role("link", name="the run")).to_have_attribute("href", "https://example.com/run")
    expect(message.locator(".mention")).to_have_text("@Ana Ruiz")
    expect(message.locator("blockquote")).to_have_text("quoted")
    expect(message.locator("img, script")).to_have_count(0)
    expect(message).to_contain_text("<img src=x onerror=alert(1)>")


def test_careless_text_goes_live_as_in_slack_and_verbatim_text_does_not(page: Page, chat: Chat) -> None:
    careless = "https://evil.example/x @channel <!here>"
    verbatim = {
        "type": "section",
        "text": {"type": "mrkdwn", "text": "https://evil.example/x @channel", "verbatim": True},
    }

    chat.post(blocks=[said(careless)])
    chat.post(blocks=[verbatim, {"type": "section", "text": words("<!here> *not bold*")}])
    page.goto(chat.page_for_ana)

    first, second = page.get_by_test_id("message").nth(0), page.get_by_test_id("message").nth(1)
    expect(first.get_by_role("link")).to_have_count(1)
    expect(first.locator(".mention")).to_have_text(["@channel", "@here"])
    expect(second.locator("a, .mention, .said strong:not(.byline strong)")).to_have_count(0)
    expect(second).to_contain_text("<!here> *not bold*")


def test_the_page_allows_no_script_but_its_own_and_no_foreign_form(chat: Chat) -> None:
    answer = requests.get(chat.url, timeout=5)
    forged = requests.post(f"{chat.url}/_sandbox/say", data='{"person": "ana", "text": "hi"}', timeout=5)

    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self'" in policy
    assert "unsafe" not in policy
    assert forged.status_code == 400
