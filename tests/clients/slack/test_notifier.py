"""The Notifier against the sandbox's Slack, over HTTP, with the faults that real networks have."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.clients.slack.notifier import SlackNotifier
from bot.domain.card.card import Button, Card, Fact
from bot.errors import MessageGone, OutcomeUnknown, Permanent, Temporary
from bot.ports import AccountKind, Click, Notifier
from bot.sandbox.serving import serving
from bot.sandbox.slack import SandboxPerson, SlackSandbox

ANA, BEN, CY, GIL = "U0ANA000001", "U0BEN000002", "U0CY0000003", "U0GUEST0005"
CHANNEL = "#model-approvals"
CARD = Card(
    title="bike-demand v2 asks for champion",
    summary="bike-demand v2 asks for <champion>",
    facts=(Fact("Asked by", "<!channel> Ana"),),
    buttons=(Button("approve", "Approve", "r-1"), Button("reject", "Reject", "r-1")),
)
DECIDED = Card(title="bike-demand v2 is champion", summary="Approved by Cy.", facts=(Fact("Approved by", "Cy"),))


@dataclass
class Seconds:
    """A clock that a test moves."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Bench:
    slack: SlackSandbox
    api_url: str
    clock: Seconds = field(default_factory=Seconds)

    def notifier(self, token: str = "xoxb-sandbox", timeout: float = 10.0) -> SlackNotifier:
        return SlackNotifier(token, api_url=self.api_url, timeout=timeout, clock=self.clock)

    def shown(self, channel: str = "model-approvals") -> list[str]:
        return [message.text for message in self.slack.messages(channel)]


@pytest.fixture
def bench() -> Iterator[Bench]:
    slack = SlackSandbox()
    with serving(slack) as url:
        yield Bench(slack, f"{url}/api/")


@pytest.fixture
def notifier(bench: Bench) -> Notifier:
    return bench.notifier()


def an_hour_ago() -> datetime:
    return datetime.now(UTC) - timedelta(hours=1)


class TestPosting:
    def test_a_posted_card_tells_team_app_channel_message_and_link(self, bench: Bench, notifier: Notifier) -> None:
        posted = notifier.post(CHANNEL, CARD, "key-1")

        message = bench.slack.messages("model-approvals")[0]
        assert (posted.team, posted.app) == (bench.slack.team_id, bench.slack.app_id)
        assert (posted.channel, posted.message) == (message.channel, message.ts)
        assert posted.url.endswith(f"/archives/{message.channel}/p{message.ts.replace('.', '')}")

    def test_the_message_carries_the_key_and_nothing_live(self, bench: Bench, notifier: Notifier) -> None:
        notifier.post(CHANNEL, CARD, "key-1")

        message = bench.slack.messages("model-approvals")[0]
        assert message.metadata == {"event_type": "countersign", "event_payload": {"key": "key-1"}}
        assert message.text == "bike-demand v2 asks for &lt;champion&gt;"
        assert message.unfurl is False
        assert "<!channel> Ana" in message.all_text
        assert list(message.buttons) == ["approve", "reject"]

    def test_an_account_gets_a_direct_message(self, bench: Bench, notifier: Notifier) -> None:
        posted = notifier.post(ANA, DECIDED, "key-1")

        assert [message.ts for message in bench.slack.direct_messages("ana")] == [posted.message]
        assert posted.channel.startswith("D")

    def test_a_reply_stands_in_its_thread_and_its_link_says_so(self, bench: Bench, notifier: Notifier) -> None:
        card = notifier.post(CHANNEL, CARD, "key-1")

        reply = notifier.post(card.channel, DECIDED, "key-2", thread=card.message)

        assert bench.slack.messages("model-approvals")[1].thread_ts == card.message
        assert f"thread_ts={card.message}" in reply.url

    @pytest.mark.parametrize("fault", ["down", "slow", "status", "cut"])
    def test_a_post_asks_nothing_after_the_message_is_visible(
        self, bench: Bench, notifier: Notifier, fault: str
    ) -> None:
        """Until it is recorded where the card is, no press on it counts."""
        link = notifier.post(CHANNEL, CARD, "key-1").url
        bench.slack.faults.add(fault, "getPermalink|conversations|auth|bots", times=9, seconds=30)

        posted = notifier.post(CHANNEL, CARD, "key-2")

        assert posted.url == link.replace(link.rpartition("p")[2], posted.message.replace(".", ""))

    def test_a_token_that_names_nobody_posts_nothing(self, bench: Bench) -> None:
        with pytest.raises(Permanent, match="SLACK_BOT_TOKEN"):
            bench.notifier(token="xoxb-wrong").post(CHANNEL, CARD, "key-1")

        assert bench.shown() == []


class TestLostAnswers:
    @pytest.mark.parametrize("fault", ["cut", "malformed"])
    def test_a_lost_answer_is_looked_up_and_there_is_one_message(
        self, bench: Bench, notifier: Notifier, fault: str
    ) -> None:
        bench.slack.faults.add(fault, "/api/chat.postMessage")

        with pytest.raises(OutcomeUnknown):
            notifier.post(CHANNEL, CARD, "key-1")
        found = notifier.find_post(CHANNEL, "key-1", an_hour_ago())

        assert found is not None
        assert [message.ts for message in bench.slack.messages("model-approvals")] == [found.message]

    def test_a_slow_answer_is_unknown_and_found_later(self, bench: Bench) -> None:
        impatient = bench.notifier(timeout=1.5)
        impatient.post(CHANNEL, DECIDED, "key-0")
        bench.slack.faults.add("slow", "/api/chat.postMessage", seconds=3.0)

        with pytest.raises(OutcomeUnknown):
            impatient.post(CHANNEL, CARD, "key-1")
        wait_until(lambda: len(bench.shown()) == 2)
        found = impatient.find_post(CHANNEL, "key-1", an_hour_ago())

        assert found is not None
        assert found.message == bench.slack.messages("model-approvals")[1].ts

    def test_a_lost_reply_is_found_in_its_thread(self, bench: Bench, notifier: Notifier) -> None:
        card = notifier.post(CHANNEL, CARD, "key-1")
        bench.slack.faults.add("cut", "/api/chat.postMessage")

        with pytest.raises(OutcomeUnknown):
            notifier.post(CHANNEL, DECIDED, "key-2", thread=card.message)
        found = bench.notifier().find_post(CHANNEL, "key-2", an_hour_ago(), thread=card.message)

        assert found is not None
        assert found.message == bench.slack.messages("model-approvals")[1].ts

    def test_a_lost_direct_message_is_found(self, bench: Bench, notifier: Notifier) -> None:
        bench.slack.faults.add("cut", "/api/chat.postMessage")

        with pytest.raises(OutcomeUnknown):
            notifier.post(ANA, DECIDED, "key-1")
        found = notifier.find_post(ANA, "key-1", an_hour_ago())

        assert found is not None
        assert [message.ts for message in bench.slack.direct_messages("ana")] == [found.message]

    def test_what_was_never_posted_is_not_found(self, notifier: Notifier) -> None:
        notifier.post(CHANNEL, CARD, "key-1")

        assert notifier.find_post(CHANNEL, "key-2", an_hour_ago()) is None

    def test_what_was_posted_long_before_is_not_looked_at(self, notifier: Notifier) -> None:
        notifier.post(CHANNEL, CARD, "key-1")

        assert notifier.find_post(CHANNEL, "key-1", datetime.now(UTC) + timedelta(minutes=15)) is None

    def test_a_message_of_somebody_else_with_our_key_is_not_ours(self, bench: Bench, notifier: Notifier) -> None:
        posted = notifier.post(CHANNEL, CARD, "key-1")
        message = bench.slack.messages("model-approvals")[0]
        bench.slack.workspace.put(replace(message, author=ANA))

        assert notifier.find_post(posted.channel, "key-1", an_hour_ago()) is None

    def test_the_key_is_found_on_a_later_page(self, bench: Bench, notifier: Notifier) -> None:
        posted = notifier.post(CHANNEL, CARD, "key-1")
        for number in range(205):
            bench.slack.say("ana", "model-approvals", f"chatter {number}")

        found = notifier.find_post(CHANNEL, "key-1", an_hour_ago())

        assert found == posted

    def test_a_look_up_that_fails_is_temporary(self, bench: Bench, notifier: Notifier) -> None:
        notifier.post(CHANNEL, CARD, "key-1")
        bench.slack.faults.add("cut", "/api/conversations.history")

        with pytest.raises(Temporary):
            notifier.find_post(CHANNEL, "key-1", an_hour_ago())


class TestFailures:
    def test_too_many_messages_wait_as_long_as_slack_asked(self, bench: Bench, notifier: Notifier) -> None:
        bench.slack.faults.add("status", "/api/chat.postMessage", status=429, seconds=7)

        with pytest.raises(Temporary) as trouble:
            notifier.post(CHANNEL, CARD, "key-1")

        assert trouble.value.retry_after == 7
        assert bench.shown() == []

    def test_the_one_message_a_second_is_respected(self, bench: Bench, notifier: Notifier) -> None:
        bench.slack.app.limit_posts = True
        notifier.post(CHANNEL, CARD, "key-1")

        with pytest.raises(Temporary) as trouble:
            notifier.post(CHANNEL, CARD, "key-2")

        assert trouble.value.retry_after >= 1

    def test_a_server_error_on_a_post_is_unknown(self, bench: Bench, notifier: Notifier) -> None:
        bench.slack.faults.add("status", "/api/chat.postMessage", status=503)

        with pytest.raises(OutcomeUnknown, match="503"):
            notifier.post(CHANNEL, CARD, "key-1")

    def test_a_server_error_on_an_update_is_temporary(self, bench: Bench, notifier: Notifier) -> None:
        posted = notifier.post(CHANNEL, CARD, "key-1")
        bench.slack.faults.add("status", "/api/chat.update", status=500)

        with pytest.raises(Temporary):
            notifier.update(posted, DECIDED)

    def test_a_refused_connection_is_temporary_because_nothing_was_sent(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            nobody = SlackNotifier("xoxb-1", api_url=f"http://127.0.0.1:{taken.getsockname()[1]}/api/")

            with pytest.raises(Temporary, match="cannot be reached"):
                nobody.post(CHANNEL, CARD, "key-1")

    def test_a_channel_without_the_bot_says_how_to_invite_it(self, bench: Bench, notifier: Notifier) -> None:
        bench.slack.workspace.add_channel("quiet", bot_is_member=False)
        bench.slack.app.scopes -= {"chat:write.public"}

        with pytest.raises(Permanent, match=r"for #quiet: not_in_channel.*/invite @Countersign"):
            notifier.post("#quiet", CARD, "key-1")

    def test_an_unknown_channel_is_named(self, notifier: Notifier) -> None:
        with pytest.raises(Permanent, match="#nowhere: channel_not_found"):
            notifier.post("#nowhere", CARD, "key-1")
        with pytest.raises(Permanent, match="no channel #nowhere"):
            notifier.find_post("#nowhere", "key-1", an_hour_ago())

    def test_a_missing_scope_is_named(self, bench: Bench, notifier: Notifier) -> None:
        bench.slack.app.scopes -= {"chat:write"}

        with pytest.raises(Permanent, match=r"lacks the scope chat:write.*reinstall"):
            notifier.post(CHANNEL, CARD, "key-1")

    def test_a_revoked_token_says_what_to_do(self, bench: Bench, notifier: Notifier) -> None:
        bench.slack.app.revoked = True

        with pytest.raises(Permanent, match=r"token_revoked.*SLACK_BOT_TOKEN"):
            notifier.post(CHANNEL, CARD, "key-1")

    def test_a_wrong_address_says_which_setting(self, bench: Bench) -> None:
        lost = SlackNotifier("xoxb-sandbox", api_url=bench.api_url.replace("/api/", "/nothing/"))

        with pytest.raises(Permanent, match="SLACK_API_URL"):
            lost.post(CHANNEL, CARD, "key-1")

    def test_a_proxy_is_not_asked_for_addresses_in_no_proxy(
        self, bench: Bench, notifier: Notifier, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
        monkeypatch.setenv("no_proxy", "127.0.0.1")

        notifier.post(CHANNEL, CARD, "key-1")

        assert len(bench.shown()) == 1

    def test_no_failure_shows_the_token(self, bench: Bench) -> None:
        with pytest.raises(Permanent) as trouble:
            bench.notifier(token="xoxb-canary").post(CHANNEL, CARD, "key-1")

        assert "canary" not in f"{trouble.value!r} {trouble.value.__cause__!r}"


class TestUpdating:
    def test_an_update_replaces_the_card_and_drops_its_buttons(self, bench: Bench, notifier: Notifier) -> None:
        posted = notifier.post(CHANNEL, CARD, "key-1")

        notifier.update(posted, DECIDED)
        notifier.update(posted, DECIDED)

        message = bench.slack.messages("model-approvals")[0]
        assert message.buttons == {}
        assert "Approved by: " in message.all_text
        assert message.text == "Approved by Cy."

    def test_an_updated_message_is_still_found_by_its_key(self, notifier: Notifier) -> None:
        posted = notifier.post(CHANNEL, CARD, "key-1")

        notifier.update(posted, DECIDED)

        assert notifier.find_post(CHANNEL, "key-1", an_hour_ago()) == posted

    def test_a_reply_to_a_card_that_is_gone_says_so_and_is_taken_back(self, bench: Bench, notifier: Notifier) -> None:
        posted = notifier.post(CHANNEL, CARD, "key-1")
        bench.slack.workspace.remove(bench.slack.messages("model-approvals")[0])

        with pytest.raises(MessageGone, match="was deleted in Slack"):
            notifier.post(CHANNEL, DECIDED, "key-2", thread=posted.message)
        with pytest.raises(MessageGone, match="was deleted in Slack"):
            notifier.find_post(CHANNEL, "key-2", an_hour_ago(), thread=posted.message)

        assert bench.shown() == []

    @pytest.mark.parametrize("fault", ["down", "cut", "malformed"])
    def test_a_stray_that_could_not_be_deleted_is_deleted_at_the_next_look(
        self, bench: Bench, notifier: Notifier, fault: str
    ) -> None:
        posted = notifier.post(CHANNEL, CARD, "key-1")
        bench.slack.workspace.remove(bench.slack.messages("model-approvals")[0])
        bench.slack.faults.add(fault, "/api/chat.delete")

        with pytest.raises(OutcomeUnknown, match="deleted later"):
            notifier.post(CHANNEL, DECIDED, "key-2", thread=posted.message)
        with pytest.raises(MessageGone):
            notifier.find_post(CHANNEL, "key-2", an_hour_ago(), thread=posted.message)

        assert bench.shown() == []

    def test_a_stray_whose_answer_was_lost_is_deleted_at_the_next_look(self, bench: Bench, notifier: Notifier) -> None:
        posted = notifier.post(CHANNEL, CARD, "key-1")
        bench.slack.workspace.remove(bench.slack.messages("model-approvals")[0])
        bench.slack.faults.add("cut", "/api/chat.postMessage")

        with pytest.raises(OutcomeUnknown):
            notifier.post(CHANNEL, DECIDED, "key-2", thread=posted.message)
        with pytest.raises(MessageGone):
            notifier.find_post(CHANNEL, "key-2", an_hour_ago(), thread=posted.message)

        assert bench.shown() == []

    @pytest.mark.parametrize("has_replies", [False, True])
    def test_a_message_that_is_gone_says_so(self, bench: Bench, notifier: Notifier, has_replies: bool) -> None:
        posted = notifier.post(CHANNEL, CARD, "key-1")
        assert notifier.is_there(posted)
        if has_replies:
            bench.slack.say("ana", "model-approvals", "well?", thread_ts=posted.message)
        bench.slack.workspace.remove(bench.slack.messages("model-approvals")[0])

        assert not notifier.is_there(posted)
        with pytest.raises(MessageGone, match="was deleted in Slack"):
            notifier.update(posted, DECIDED)

    def test_a_message_that_slack_shows_is_not_gone_though_an_update_says_so(
        self, bench: Bench, notifier: Notifier
    ) -> None:
        posted = notifier.post(CHANNEL, CARD, "key-1")
        bench.slack.faults.add("refused", "/api/chat.update", error="message_not_found")

        with pytest.raises(Temporary, match="could not find it") as trouble:
            notifier.update(posted, DECIDED)

        assert not isinstance(trouble.value, MessageGone)


class TestPeople:
    @pytest.mark.parametrize(
        ("change", "kind"),
        [
            ({}, AccountKind.MEMBER),
            ({"is_restricted": True}, AccountKind.GUEST),
            ({"is_email_confirmed": False}, AccountKind.UNCONFIRMED),
            ({"is_email_confirmed": True}, AccountKind.MEMBER),
            ({"is_bot": True}, AccountKind.BOT),
            ({"team_id": "T0ELSEWHERE"}, AccountKind.FOREIGN),
            ({"team_id": ""}, AccountKind.FOREIGN),
            ({"deleted": True, "is_restricted": True}, AccountKind.DEACTIVATED),
        ],
    )
    def test_accounts_are_of_a_kind(
        self, bench: Bench, notifier: Notifier, change: dict[str, str | bool], kind: AccountKind
    ) -> None:
        person = bench.slack.workspace.person("ana")
        bench.slack.workspace.people[ANA] = SandboxPerson(**{**vars(person), **change})

        account = notifier.account(ANA)

        assert (account.id, account.name, account.kind) == (ANA, "Ana Ruiz", kind)

    def test_a_member_has_an_email(self, notifier: Notifier) -> None:
        assert notifier.account(ANA).email == "ana@example.com"

    def test_an_account_is_found_by_its_email_or_not_at_all(self, notifier: Notifier) -> None:
        known, unknown = notifier.find_account("ana@example.com"), notifier.find_account("nobody@example.com")

        assert known is not None
        assert known.id == ANA
        assert unknown is None

    def test_an_unknown_account_is_refused(self, notifier: Notifier) -> None:
        with pytest.raises(Permanent, match="U0NOBODY000"):
            notifier.account("U0NOBODY000")

    def test_an_account_is_remembered_for_a_minute_and_no_longer(self, bench: Bench, notifier: Notifier) -> None:
        notifier.account(ANA)
        bench.slack.workspace.people[ANA] = replace(bench.slack.workspace.person("ana"), deleted=True)

        bench.clock.now = 59.9
        remembered = notifier.account(ANA).kind
        bench.clock.now = 60.0
        fresh = notifier.account(ANA).kind

        assert (remembered, fresh) == (AccountKind.MEMBER, AccountKind.DEACTIVATED)

    def test_a_failed_look_up_is_not_remembered_and_an_old_answer_not_reused(
        self, bench: Bench, notifier: Notifier
    ) -> None:
        notifier.account(ANA)
        bench.clock.now = 61.0
        bench.slack.faults.add("status", "/api/users.info", status=500)

        with pytest.raises(Temporary):
            notifier.account(ANA)

        assert notifier.account(ANA).kind is AccountKind.MEMBER

    def test_a_slow_answer_about_a_person_is_given_up(self, bench: Bench, notifier: Notifier) -> None:
        bench.slack.faults.add("slow", "/api/users.info", seconds=2.5)

        with pytest.raises(Temporary):
            notifier.account(ANA)

    @pytest.mark.parametrize("handle", ["ml-leads", "@ml-leads"])
    def test_a_group_has_its_active_members(self, bench: Bench, notifier: Notifier, handle: str) -> None:
        bench.slack.workspace.people[BEN] = replace(bench.slack.workspace.person("ben"), deleted=True)

        assert notifier.members_of(handle) == {ANA}

    def test_a_removed_member_is_gone_within_a_minute(self, bench: Bench, notifier: Notifier) -> None:
        notifier.members_of("ml-leads")
        bench.slack.workspace.groups["ml-leads"] = (BEN,)

        bench.clock.now = 60.0

        assert notifier.members_of("ml-leads") == {BEN}

    def test_an_unknown_group_is_named_with_those_there_are(self, notifier: Notifier) -> None:
        with pytest.raises(Permanent, match=r"@ghosts.*@ml-leads, @risk"):
            notifier.members_of("ghosts")

    def test_a_group_that_cannot_be_looked_up_is_temporary(self, bench: Bench, notifier: Notifier) -> None:
        bench.slack.faults.add("cut", "/api/usergroups.users.list")

        with pytest.raises(Temporary):
            notifier.members_of("risk")

    def test_many_threads_may_ask_at_once(self, notifier: Notifier) -> None:
        kinds: list[AccountKind] = []
        ids = [ANA, BEN, CY, GIL] * 3
        threads = [threading.Thread(target=lambda id_=id_: kinds.append(notifier.account(id_).kind)) for id_ in ids]

        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sorted(kinds) == [AccountKind.GUEST] * 3 + [AccountKind.MEMBER] * 9


class TestClicks:
    def click(self, bench: Bench, notifier: Notifier) -> Click:
        posted = notifier.post(CHANNEL, CARD, "key-1")
        return notifier.read_click(bench.slack.click_payload("cy", "model-approvals", posted.message, "reject"))

    def test_a_click_says_from_where_and_by_whom(self, bench: Bench, notifier: Notifier) -> None:
        posted = notifier.post(CHANNEL, CARD, "key-1")

        click = notifier.read_click(bench.slack.click_payload("cy", "model-approvals", posted.message, "approve"))

        assert (click.team, click.app, click.channel, click.message) == (
            posted.team, posted.app, posted.channel, posted.message,
        )  # fmt: skip
        assert (click.account, click.action, click.value) == (CY, "approve", "r-1")

    def test_the_reason_form_comes_back_as_the_same_click_with_a_reason(self, bench: Bench, notifier: Notifier) -> None:
        click = self.click(bench, notifier)

        notifier.ask_reason(click, "Reject bike-demand v2", "Why?")
        view = bench.slack.open_view_of("cy")

        assert view is not None
        sent = {"reason": {"reason": {"value": " drifts in May "}}}
        body = {
            "type": "view_submission",
            "team": {"id": click.team},
            "user": {"id": CY},
            "api_app_id": click.app,
            "trigger_id": "tr",
            "view": {**view.content, "state": {"values": sent}},
        }
        assert notifier.read_click(body) == replace(click, trigger="tr", reason="drifts in May", is_form=True)

    def test_a_form_that_comes_too_late_asks_for_another_press(self, bench: Bench, notifier: Notifier) -> None:
        click = replace(self.click(bench, notifier), trigger="1.2.gone")

        with pytest.raises(Permanent, match="Press the button again"):
            notifier.ask_reason(click, "Reject", "Why?")


def wait_until(happened: object, seconds: float = 5.0) -> None:
    assert callable(happened)
    ends = time.monotonic() + seconds
    while not happened() and time.monotonic() < ends:
        time.sleep(0.02)
