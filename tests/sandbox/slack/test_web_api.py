"""The local Slack, talked to by the real `slack_sdk.WebClient`: messages, people, files, and Slack's own refusals."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot.sandbox.serving import serving
from bot.sandbox.slack import SandboxPerson, SlackSandbox

ANA, BEN = "U0ANA000001", "U0BEN000002"
PNG = b"\x89PNG\r\n\x1a\n and the rest of it"
INVALID_FILE = "invalid slack file [json-pointer:/blocks/0/slack_file]"


@pytest.fixture
def slack() -> SlackSandbox:
    return SlackSandbox()


@pytest.fixture
def url(slack: SlackSandbox) -> Iterator[str]:
    with serving(slack) as address:
        yield address


@pytest.fixture
def client(url: str) -> WebClient:
    return a_client(url)


def a_client(url: str, token: str = "xoxb-sandbox") -> WebClient:
    return WebClient(token, base_url=f"{url}/api/", retry_handlers=[], timeout=5)


def error_of(refused: pytest.ExceptionInfo[SlackApiError]) -> str:
    return str(refused.value.response["error"])


def a_section(text: str = "hello", block_id: str = "one") -> dict[str, object]:
    return {"type": "section", "block_id": block_id, "text": {"type": "mrkdwn", "text": text}}


def test_the_token_tells_who_it_is_and_what_it_may_do(client: WebClient, slack: SlackSandbox) -> None:
    answer = client.auth_test()

    assert (answer["team_id"], answer["user_id"]) == (slack.team_id, slack.bot_user_id)
    assert "chat:write" in answer.headers["x-oauth-scopes"].split(",")


@pytest.mark.parametrize(
    ("token", "error"),
    [("", "not_authed"), ("xoxb-wrong", "invalid_auth"), ("xapp-sandbox", "not_allowed_token_type")],
)
def test_a_wrong_token_is_refused_in_slacks_words(url: str, token: str, error: str) -> None:
    client = a_client(url, token)

    with pytest.raises(SlackApiError) as refused:
        client.auth_test()

    assert error_of(refused) == error


def test_a_revoked_token_is_refused(client: WebClient, slack: SlackSandbox) -> None:
    slack.app.revoked = True

    with pytest.raises(SlackApiError) as refused:
        client.auth_test()

    assert error_of(refused) == "token_revoked"


def test_a_missing_scope_is_named_together_with_those_that_are_there() -> None:
    with serving(SlackSandbox(scopes=["users:read"])) as url, pytest.raises(SlackApiError) as refused:
        a_client(url).chat_postMessage(channel="C0SANDBOX01", text="hello")

    assert refused.value.response.data == {
        "ok": False,
        "error": "missing_scope",
        "needed": "chat:write",
        "provided": "users:read",
    }


def test_a_posted_message_is_in_the_channel_with_its_metadata(client: WebClient, slack: SlackSandbox) -> None:
    metadata = {"event_type": "countersign_card", "event_payload": {"key": "req_1"}}

    posted = client.chat_postMessage(channel="#model-approvals", text="hello", blocks=[a_section()], metadata=metadata)

    history = client.conversations_history(channel=posted["channel"], include_all_metadata=True)
    assert history["messages"][0]["metadata"] == metadata
    assert "metadata" not in client.conversations_history(channel=posted["channel"])["messages"][0]
    assert [message.text for message in slack.messages("model-approvals")] == ["hello"]


def test_history_comes_newest_first_in_pages_from_a_given_moment(client: WebClient) -> None:
    sent = [client.chat_postMessage(channel="general", text=f"number {number}")["ts"] for number in range(5)]
    channel = client.conversations_list()["channels"][2]["id"]

    pages = [page["messages"] for page in client.conversations_history(channel=channel, oldest=sent[0], limit=2)]

    assert [[message["ts"] for message in page] for page in pages] == [[sent[4], sent[3]], [sent[2], sent[1]]]


def test_replies_stay_in_their_thread_and_out_of_the_history(client: WebClient) -> None:
    parent = client.chat_postMessage(channel="general", text="a card")
    channel, thread = parent["channel"], parent["ts"]

    reply = client.chat_postMessage(channel=channel, thread_ts=thread, text="decided")

    assert [row["ts"] for row in client.conversations_replies(channel=channel, ts=thread)["messages"]] == [
        thread,
        reply["ts"],
    ]
    assert [row["reply_count"] for row in client.conversations_history(channel=channel)["messages"]] == [1]


def test_an_update_with_blocks_keeps_the_place_and_makes_no_edited_mark(client: WebClient, slack: SlackSandbox) -> None:
    posted = client.chat_postMessage(channel="general", text="asked", blocks=[a_section("asked")])

    client.chat_update(channel=posted["channel"], ts=posted["ts"], text="decided", blocks=[a_section("decided")])

    (message,) = slack.messages("general")
    assert (message.all_text, message.edited) == ("decided", "")


def test_an_update_with_text_alone_takes_the_blocks_away_and_marks_the_message(
    client: WebClient, slack: SlackSandbox
) -> None:
    posted = client.chat_postMessage(channel="general", text="asked", blocks=[a_section("asked")])

    client.chat_update(channel=posted["channel"], ts=posted["ts"], text="decided")

    (message,) = slack.messages("general")
    assert list(message.blocks) == []
    assert message.edited


def test_somebody_elses_message_cannot_be_changed(client: WebClient, slack: SlackSandbox) -> None:
    message = slack.say("ana", "general", "good morning")

    with pytest.raises(SlackApiError) as refused:
        client.chat_update(channel=message.channel, ts=message.ts, text="good night")

    assert error_of(refused) == "cant_update_message"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"channel": "C0NOWHERE", "text": "hello"}, "channel_not_found"),
        ({"channel": "general", "text": "x" * 40_001}, "msg_too_long"),
        ({"channel": "general", "text": ""}, "no_text"),
        ({"channel": "general", "text": "hello", "metadata": {"event_type": "x"}}, "invalid_metadata_format"),
    ],
)
def test_a_bad_message_is_refused_in_slacks_words(client: WebClient, arguments: dict[str, object], error: str) -> None:
    with pytest.raises(SlackApiError) as refused:
        client.api_call("chat.postMessage", json=arguments)

    assert error_of(refused) == error


def test_a_reply_to_a_deleted_message_comes_to_stand_at_the_root_and_slack_says_ok(client: WebClient) -> None:
    parent = client.chat_postMessage(channel="general", text="a card")
    client.chat_delete(channel=parent["channel"], ts=parent["ts"])

    reply = client.chat_postMessage(channel="general", text="a reply", thread_ts=parent["ts"])

    assert "thread_ts" not in reply["message"]
    (shown,) = client.conversations_history(channel=parent["channel"])["messages"]
    assert (shown["ts"], shown["text"]) == (reply["ts"], "a reply")


def test_a_deleted_message_with_replies_leaves_a_tombstone_until_the_last_of_them_is_deleted(client: WebClient) -> None:
    parent = client.chat_postMessage(channel="general", text="a card")
    reply = client.chat_postMessage(channel="general", text="a reply", thread_ts=parent["ts"])
    client.chat_delete(channel=parent["channel"], ts=parent["ts"])

    (left,) = client.conversations_history(channel=parent["channel"])["messages"]
    assert (left["ts"], left["subtype"], left["user"]) == (parent["ts"], "tombstone", "USLACKBOT")
    with pytest.raises(SlackApiError, match="message_not_found"):
        client.chat_update(channel=parent["channel"], ts=parent["ts"], text="another card")

    client.chat_delete(channel=parent["channel"], ts=reply["ts"])
    assert client.conversations_history(channel=parent["channel"])["messages"] == []


def test_a_channel_without_the_bot_is_closed_to_it_until_it_joins() -> None:
    slack = SlackSandbox(scopes=["chat:write", "channels:join"])
    channel = slack.workspace.add_channel("risk", bot_is_member=False)

    with serving(slack) as url:
        with pytest.raises(SlackApiError) as refused:
            a_client(url).chat_postMessage(channel=channel.id, text="hello")
        a_client(url).conversations_join(channel=channel.id)
        a_client(url).chat_postMessage(channel=channel.id, text="hello")

    assert error_of(refused) == "not_in_channel"
    assert [message.text for message in slack.messages("risk")] == ["hello"]


def test_the_second_message_in_a_second_waits_when_the_limit_is_on(client: WebClient, slack: SlackSandbox) -> None:
    slack.app.limit_posts = True
    client.chat_postMessage(channel="general", text="one")

    with pytest.raises(SlackApiError) as refused:
        client.chat_postMessage(channel="general", text="two")

    assert (refused.value.response.status_code, error_of(refused)) == (429, "ratelimited")
    assert refused.value.response.headers["retry-after"] == "1"


def test_a_fault_on_demand_cuts_the_line_after_the_message_was_written(client: WebClient, slack: SlackSandbox) -> None:
    slack.faults.add("cut", "chat.postMessage")

    with pytest.raises(OSError, match=r"closed|reset|aborted"):
        client.chat_postMessage(channel="general", text="hello")

    assert [message.text for message in slack.messages("general")] == ["hello"]


def test_people_are_found_by_email_and_only_while_they_are_active() -> None:
    gone = SandboxPerson("U0GONE00001", "eve", "Eve Gone", "eve@example.com", deleted=True)
    here = SandboxPerson(ANA, "ana", "Ana Ruiz", "ana@example.com")

    with serving(SlackSandbox(people=[here, gone])) as url:
        client = a_client(url)
        found = client.users_lookupByEmail(email="ANA@example.com")
        with pytest.raises(SlackApiError) as refused:
            client.users_lookupByEmail(email="eve@example.com")
        deleted = client.users_info(user="U0GONE00001")

    assert found["user"]["id"] == ANA
    assert error_of(refused) == "users_not_found"
    assert deleted["user"]["deleted"] is True


def test_how_many_a_user_group_has_is_counted_only_when_asked(client: WebClient) -> None:
    plain = client.usergroups_list()["usergroups"]
    counted = client.usergroups_list(include_count=True)["usergroups"]

    assert all("user_count" not in group for group in plain)
    assert {group["handle"]: group["user_count"] for group in counted}["ml-leads"] == 2


def test_a_user_group_lists_its_members(client: WebClient) -> None:
    groups = {group["handle"]: group["id"] for group in client.usergroups_list()["usergroups"]}

    members = client.usergroups_users_list(usergroup=groups["ml-leads"])

    assert members["users"] == [ANA, BEN]
    with pytest.raises(SlackApiError) as refused:
        client.usergroups_users_list(usergroup="S0NOBODY")
    assert error_of(refused) == "no_such_subteam"


def test_a_direct_message_reaches_one_person_only(client: WebClient, slack: SlackSandbox) -> None:
    channel = client.conversations_open(users=[ANA])["channel"]["id"]

    client.chat_postMessage(channel=channel, text="your version was approved")

    assert [message.text for message in slack.direct_messages("ana")] == ["your version was approved"]
    assert slack.direct_messages("ben") == []


def test_an_ephemeral_message_is_seen_by_one_person_and_by_no_history(client: WebClient, slack: SlackSandbox) -> None:
    channel = client.conversations_list()["channels"][0]["id"]

    client.chat_postEphemeral(channel=channel, user=ANA, text="only you")

    assert [message.text for message in slack.ephemerals("ana")] == ["only you"]
    assert slack.ephemerals("ben") == []
    assert client.conversations_history(channel=channel)["messages"] == []


def test_a_permalink_leads_to_the_page(client: WebClient, url: str) -> None:
    posted = client.chat_postMessage(channel="general", text="hello")

    link = client.chat_getPermalink(channel=posted["channel"], message_ts=posted["ts"])

    assert link["permalink"] == f"{url}/archives/{posted['channel']}/p{posted['ts'].replace('.', '')}"


def test_a_file_is_uploaded_in_three_steps_and_shared(client: WebClient, slack: SlackSandbox) -> None:
    channel = client.conversations_list()["channels"][1]["id"]

    uploaded = client.files_upload_v2(
        channel=channel, content="a,b\n1,2\n", filename="audit.csv", title="Audit", initial_comment="week 47"
    )

    (message,) = slack.messages("compliance")
    assert (message.text, message.files[0].title, message.files[0].content) == ("week 47", "Audit", b"a,b\n1,2\n")
    assert uploaded["file"]["id"] == message.files[0].id


def an_upload(client: WebClient, content: bytes = PNG, alt: str = "mae over versions") -> str:
    """Kept by Slack, shared nowhere."""
    ticket = client.files_getUploadURLExternal(filename="plot.png", length=len(content), alt_txt=alt)
    requests.post(ticket["upload_url"], data=content, timeout=5).raise_for_status()
    client.files_completeUploadExternal(files=[{"id": ticket["file_id"], "title": "plot"}])
    return str(ticket["file_id"])


def a_picture(file_id: str) -> list[dict[str, object]]:
    return [{"type": "image", "slack_file": {"id": file_id}, "alt_text": "mae over versions"}]


def test_a_file_that_is_shared_nowhere_can_be_shown_in_a_block(client: WebClient, slack: SlackSandbox) -> None:
    file_id = an_upload(client)

    client.chat_postMessage(channel="general", text="a plot", blocks=a_picture(file_id))

    file = client.files_info(file=file_id)["file"]
    assert (file["mimetype"], file["alt_txt"], file["title"]) == ("image/png", "mae over versions", "plot")
    assert [message.blocks[0]["slack_file"] for message in slack.messages("general")] == [{"id": file_id}]


def test_a_file_has_no_type_and_is_refused_in_blocks_until_it_was_looked_through(
    client: WebClient, slack: SlackSandbox
) -> None:
    slack.app.looks_at_files = 1
    file_id = an_upload(client)

    with pytest.raises(SlackApiError) as refused:
        client.chat_postMessage(channel="general", text="a plot", blocks=a_picture(file_id))
    types = [client.files_info(file=file_id)["file"]["mimetype"] for _ in range(2)]
    client.chat_postMessage(channel="general", text="a plot", blocks=a_picture(file_id))

    assert (error_of(refused), refused.value.response["errors"]) == ("invalid_blocks", [INVALID_FILE])
    assert types == ["", "image/png"]
    assert len(slack.messages("general")) == 1


def test_no_block_shows_a_file_that_is_not_complete_or_no_picture(client: WebClient) -> None:
    begun = str(client.files_getUploadURLExternal(filename="plot.png", length=len(PNG))["file_id"])
    table = an_upload(client, b"a,b")

    for file_id in (begun, table, "F0NOWHERE01"):
        with pytest.raises(SlackApiError) as refused:
            client.chat_postMessage(channel="general", text="a plot", blocks=a_picture(file_id))
        assert refused.value.response["errors"] == [INVALID_FILE]


def test_an_update_with_a_file_that_is_not_there_changes_nothing(client: WebClient, slack: SlackSandbox) -> None:
    posted = client.chat_postMessage(channel="general", text="asked", blocks=[a_section("asked")])

    with pytest.raises(SlackApiError) as refused:
        client.chat_update(channel=posted["channel"], ts=posted["ts"], text="x", blocks=a_picture("F0NOWHERE01"))

    assert error_of(refused) == "invalid_blocks"
    assert slack.messages("general")[0].all_text == "asked"


def test_a_file_that_is_not_there_and_words_that_are_too_long_are_refused(client: WebClient) -> None:
    with pytest.raises(SlackApiError) as unknown:
        client.files_info(file="F0NOWHERE01")
    with pytest.raises(SlackApiError) as too_long:
        client.files_getUploadURLExternal(filename="plot.png", length=1, alt_txt="x" * 1_001)

    assert (error_of(unknown), error_of(too_long)) == ("file_not_found", "alt_txt_too_large")


def test_a_form_is_understood_as_well_as_json(client: WebClient, slack: SlackSandbox) -> None:
    client.api_call("chat.postMessage", data={"channel": "general", "text": "hello", "blocks": '[{"type": "divider"}]'})

    (message,) = slack.messages("general")
    assert [block["type"] for block in message.blocks] == ["divider"]
