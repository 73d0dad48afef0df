"""Files in the local Slack and on the local Jira: refused as the vendors refuse them, shown on the pages, and given back byte for byte."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

import pytest
import requests
from playwright.sync_api import Page, expect
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot.sandbox.jira import JiraSandbox
from bot.sandbox.serving import serving
from bot.sandbox.slack import SlackSandbox

NAME = "countersign-2026-W47.csv"
CONTENT = "seq,at\n1,Zürich\n".encode()
NO_CHECK = {"X-Atlassian-Token": "no-check"}


class TestJira:
    @pytest.fixture
    def jira(self) -> JiraSandbox:
        return JiraSandbox()

    @pytest.fixture
    def url(self, jira: JiraSandbox) -> Iterator[str]:
        with serving(jira) as address:
            made = self.post(jira, f"{address}/rest/api/2/issue", json=ISSUE)
            assert made.status_code == 201
            yield address

    def post(self, jira: JiraSandbox, address: str, **sent: object) -> requests.Response:
        return requests.post(address, auth=(jira.email, jira.api_token), timeout=5, **sent)  # type: ignore[arg-type]

    def attach(self, jira: JiraSandbox, url: str, headers: dict[str, str] = NO_CHECK) -> requests.Response:
        address = f"{url}/rest/api/2/issue/GOV-1/attachments"
        return self.post(jira, address, headers=headers, files={"file": (NAME, CONTENT, "text/csv")})

    def test_an_attachment_is_listed_and_given_back(self, jira: JiraSandbox, url: str) -> None:
        self.attach(jira, url)

        me = (jira.email, jira.api_token)
        fields = requests.get(f"{url}/rest/api/2/issue/GOV-1?fields=attachment", auth=me, timeout=5).json()["fields"]
        (listed,) = fields["attachment"]
        answer = requests.get(listed["content"], auth=me, timeout=5)
        assert (listed["filename"], listed["mimeType"], listed["size"]) == (NAME, "text/csv", len(CONTENT))
        assert answer.content == CONTENT
        assert answer.headers["Content-Disposition"].startswith("attachment")

    def test_without_the_header_against_forgery_nothing_is_attached(self, jira: JiraSandbox, url: str) -> None:
        refused = self.attach(jira, url, headers={})

        assert refused.status_code == 403
        assert jira.issue("GOV-1").attachments == ()

    def test_what_is_larger_than_the_limit_is_refused_and_the_limit_is_told(self, jira: JiraSandbox, url: str) -> None:
        jira.attachment_limit = len(CONTENT) - 1

        refused = self.attach(jira, url)

        told = requests.get(f"{url}/rest/api/2/attachment/meta", auth=(jira.email, jira.api_token), timeout=5).json()
        assert refused.status_code == 413
        assert NAME in refused.json()["errorMessages"][0]
        assert told == {"enabled": True, "uploadLimit": len(CONTENT) - 1}
        assert jira.issue("GOV-1").attachments == ()

    def test_the_ticket_s_page_has_a_link_to_the_bytes(self, jira: JiraSandbox, url: str) -> None:
        self.attach(jira, url)

        page = requests.get(f"{url}/browse/GOV-1", timeout=5).text
        link = re.search(rf'href="([^"]+)" download>{re.escape(NAME)}<', page)
        assert link is not None
        answer = requests.get(f"{url}{unescape(link[1])}", timeout=5)
        assert answer.content == CONTENT
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


ISSUE = {"fields": {"project": {"key": "GOV"}, "issuetype": {"name": "Task"}, "summary": "Week 47"}}


class TestSlack:
    @pytest.fixture
    def slack(self) -> SlackSandbox:
        return SlackSandbox()

    @pytest.fixture
    def url(self, slack: SlackSandbox) -> Iterator[str]:
        with serving(slack) as address:
            yield address

    @pytest.fixture
    def client(self, slack: SlackSandbox, url: str) -> WebClient:
        return WebClient(slack.app.bot_token, base_url=f"{url}/api/", retry_handlers=[])

    def share(self, slack: SlackSandbox, client: WebClient, thread_ts: str) -> None:
        ticket = client.files_getUploadURLExternal(filename=NAME, length=len(CONTENT))
        requests.post(str(ticket["upload_url"]), data=CONTENT, timeout=5).raise_for_status()
        client.files_completeUploadExternal(
            files=[{"id": ticket["file_id"]}],
            channel_id=slack.workspace.channel("compliance").id,
            thread_ts=thread_ts,
        )

    def test_a_file_that_is_shared_in_a_thread_is_one_of_its_replies(
        self, slack: SlackSandbox, client: WebClient
    ) -> None:
        card = str(client.chat_postMessage(channel="compliance", text="week 47")["ts"])

        self.share(slack, client, card)

        thread = client.conversations_replies(channel=slack.workspace.channel("compliance").id, ts=card)["messages"]
        assert [[file["name"] for file in message.get("files", [])] for message in thread] == [[], [NAME]]
        assert thread[1]["thread_ts"] == card

    def test_a_file_is_not_shared_in_an_archived_channel(self, slack: SlackSandbox, client: WebClient) -> None:
        slack.workspace.channel("compliance").is_archived = True

        with pytest.raises(SlackApiError, match="is_archived"):
            self.share(slack, client, "1700000000.000100")

        assert slack.messages("compliance") == []

    def test_a_file_for_a_deleted_message_comes_to_stand_at_the_root(
        self, slack: SlackSandbox, client: WebClient
    ) -> None:
        self.share(slack, client, "1700000000.000100")

        (message,) = slack.messages("compliance")
        assert (message.files[0].name, message.thread_ts) == (NAME, "")

    @pytest.mark.xdist_group("browser")
    def test_the_page_shows_a_thread_s_file_with_a_link_to_the_bytes(
        self, page: Page, slack: SlackSandbox, client: WebClient, url: str
    ) -> None:
        card = str(client.chat_postMessage(channel="compliance", text="week 47")["ts"])
        self.share(slack, client, card)

        channel = slack.workspace.channel("compliance").id
        page.goto(f"{url}/archives/{channel}/p{card.replace('.', '')}?as=ana")
        page.get_by_role("button", name="1 reply").click()

        link = page.get_by_role("link", name=NAME)
        expect(link).to_be_visible()
        assert requests.get(f"{url}{link.get_attribute('href')}", timeout=5).content == CONTENT
