"""What Slack refuses: a card appears all the same where it can, and each refusal says what to do next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from bot.clients.slack.blocks import blocks_of, plain_blocks_of
from bot.clients.slack.notifier import SlackNotifier
from bot.domain.card.card import Button, Called, Card, Confirm, Fact, Link, Mention, Table, Tone
from bot.domain.card.sample import sample_cards
from bot.domain.model import State
from bot.domain.policy.rules import Rule
from bot.domain.references import Image
from bot.errors import Permanent, Temporary
from bot.sandbox.serving import serving
from bot.sandbox.slack import SlackSandbox
from bot.sandbox.slack.block_kit.validation import checked_blocks
from handlers.notify.sample_notes import sample_notes
from tests.builders import NOON, a_policy, a_rule

CHANNEL = "#model-approvals"
CARD = Card(
    "bike-demand v2 asks for champion",
    "bike-demand v2 asks for alias:champion; asked by Ana Ruiz.",
    facts=(Fact("Model", "bike-demand v2"), Fact("Run", Link("fox-12", "https://mlflow.example.com/#/runs/1"))),
    tables=(Table("Metrics", ("metric", "v2"), (("mae", "38.2"),)),),
    paragraphs=("Trained on May.",),
    buttons=(
        Button("approve", "Approve", "r-1", Tone.PRIMARY, Confirm("Approve?", "It moves.", "Approve", "Not yet")),
        Button("reject", "Reject", "r-1", Tone.DANGER),
    ),
    footer="Request 1a2b3c4d",
)
GONE = Image("F0GONE00001", "mae over versions")
TOO_LONG, INVALID = "msg_blocks_too_long", "invalid_blocks"


@pytest.fixture
def slack() -> Iterator[SlackSandbox]:
    sandbox = SlackSandbox()
    with serving(sandbox) as url:
        sandbox.public_url = url
        yield sandbox


@pytest.fixture
def notifier(slack: SlackSandbox) -> SlackNotifier:
    return SlackNotifier(slack.app.bot_token, api_url=f"{slack.public_url}/api/", clock=lambda: 0.0)


class TestTheSecondTry:
    @pytest.mark.parametrize(
        ("code", "card"), [(TOO_LONG, CARD), (INVALID, CARD), (TOO_LONG, replace(CARD, image=GONE))]
    )
    def test_a_card_that_slack_refuses_is_posted_in_short_with_all_its_buttons(
        self, slack: SlackSandbox, notifier: SlackNotifier, code: str, card: Card
    ) -> None:
        slack.faults.add("refused", "/api/chat.postMessage", error=code, times=2 if card.image else 1)

        notifier.post(CHANNEL, card, "key-1")

        (message,) = slack.messages("model-approvals")
        assert list(message.buttons) == ["approve", "reject"]
        assert message.buttons["approve"]["value"] == "r-1"
        assert {str(block["type"]) for block in message.blocks} == {"header", "section", "context", "actions"}
        for said in (
            CARD.title,
            CARD.summary,
            "https://mlflow.example.com/#/runs/1",
            "in short",
            "countersign describe",
        ):
            assert said in message.all_text

    @pytest.mark.parametrize("code", [TOO_LONG, INVALID])
    def test_an_update_is_sent_in_short_and_whole_again_next_time(
        self, slack: SlackSandbox, notifier: SlackNotifier, code: str
    ) -> None:
        posted = notifier.post(CHANNEL, CARD, "key-1")
        slack.faults.add("refused", "/api/chat.update", error=code)

        assert notifier.update(posted, CARD) is False
        assert list(slack.messages("model-approvals")[0].buttons) == ["approve", "reject"]

        assert notifier.update(posted, CARD) is True
        assert "table" in {block["type"] for block in slack.messages("model-approvals")[0].blocks}

    def test_a_card_whose_picture_is_gone_is_whole_but_for_the_picture(
        self, slack: SlackSandbox, notifier: SlackNotifier
    ) -> None:
        notifier.post(CHANNEL, replace(CARD, image=GONE), "key-1")

        assert "table" in {block["type"] for block in slack.messages("model-approvals")[0].blocks}

    def test_what_slack_refuses_in_short_too_is_told(self, slack: SlackSandbox, notifier: SlackNotifier) -> None:
        slack.faults.add("refused", "/api/chat.postMessage", error=INVALID, times=2)

        with pytest.raises(Permanent, match="also in short"):
            notifier.post(CHANNEL, CARD, "key-1")

    def test_other_refusals_are_not_tried_again(self, slack: SlackSandbox, notifier: SlackNotifier) -> None:
        slack.faults.add("refused", "/api/chat.postMessage", error="is_archived")

        with pytest.raises(Permanent, match="is_archived"):
            notifier.post(CHANNEL, CARD, "key-1")
        assert slack.messages("model-approvals") == []


@pytest.mark.parametrize("rule", [None, a_rule()], ids=["no-rule", "a-rule"])
def test_the_sample_of_every_card_is_taken_whole_and_in_short(rule: Rule | None) -> None:
    samples = dict(sample_cards(rule, a_policy().groups, NOON))

    for card in [*samples.values(), *dict(sample_notes(a_policy())).values()]:
        assert checked_blocks(blocks_of(card))
        assert checked_blocks(plain_blocks_of(card))
    assert {f"the card of a request that is {state}" for state in State} <= set(samples)


@pytest.mark.parametrize("letter", ["a", "ü", "🚲", "👩‍🔬", "\U00020000"])
def test_cards_full_of_any_letters_are_as_long_as_slack_takes_by_its_own_count(letter: str) -> None:
    flood = Card(
        letter * 200,
        letter * 3_000,
        tuple(Fact(letter * 90, letter * 600) for _ in range(40)),
        (Table(letter * 9, (letter * 9, "v"), tuple((letter * 300, letter * 300) for _ in range(90))),) * 3,
        (letter * 4_000,) * 9,
        CARD.buttons,
        letter * 600,
        (Mention(Called.PERSON, "a@example.com", letter * 99),) * 30,
        Image("F0PLOT00001", letter * 3_000),
    )

    whole, short = checked_blocks(blocks_of(flood), {"F0PLOT00001"}), checked_blocks(plain_blocks_of(flood))

    assert whole[-1]["type"] == short[-1]["type"] == "actions"


@pytest.mark.parametrize(
    ("method", "code", "what_next"),
    [
        ("chat.update", "is_inactive", "frozen, archived or deleted"),
        ("chat.update", "edit_window_closed", "message editing to any time"),
        ("chat.postMessage", "messages_tab_disabled", "App Home, Messages Tab"),
        ("chat.postMessage", "message_limit_exceeded", "more messages than its plan"),
        ("chat.postMessage", "ekm_access_denied", "EKM"),
        ("chat.postMessage", "restricted_action", "limited who may post"),
        ("chat.postMessage", "restricted_action_read_only_channel", "read-only"),
        ("chat.postMessage", "restricted_action_thread_only_channel", "Only replies"),
        ("chat.postMessage", "restricted_action_non_threadable_channel", "No replies"),
        ("chat.postMessage", "restricted_action_thread_locked", "locked the thread"),
        ("files.getUploadURLExternal", "file_uploads_except_images_disabled", "pictures only"),
        ("files.getUploadURLExternal", "file_upload_size_restricted", "limit raised"),
        ("usergroups.list", "plan_upgrade_required", r"people: \[...\]` in place of `slack_group:"),
    ],
)
def test_a_refusal_says_what_to_do_next(
    slack: SlackSandbox, notifier: SlackNotifier, method: str, code: str, what_next: str
) -> None:
    deeds = {
        "chat.postMessage": lambda: notifier.post(CHANNEL, CARD, "key-2"),
        "chat.update": lambda: notifier.update(posted, CARD),
        "files.getUploadURLExternal": lambda: notifier.upload_image(b"\x89PNG\r\n\x1a\n", "plot.png", "mae"),
        "usergroups.list": lambda: notifier.members_of("ml-leads"),
    }
    posted = notifier.post(CHANNEL, CARD, "key-1")
    slack.faults.add("refused", method, error=code)

    with pytest.raises(Permanent, match=f"(?s){code}.*{what_next}"):
        deeds[method]()


def test_an_update_that_failed_inside_slack_is_tried_again(slack: SlackSandbox, notifier: SlackNotifier) -> None:
    posted = notifier.post(CHANNEL, CARD, "key-1")
    slack.faults.add("refused", "chat.update", error="update_failed")

    with pytest.raises(Temporary, match="tried again"):
        notifier.update(posted, CARD)


class TestUserGroups:
    def test_one_list_serves_all_groups_for_a_minute(self, slack: SlackSandbox, notifier: SlackNotifier) -> None:
        """Slack allows twenty such lists a minute, and a policy may have more groups."""
        slack.workspace.groups = {f"team-{number}": ("U0ANA000001",) for number in range(25)}
        notifier.members_of("team-0")
        slack.faults.add("status", "/api/usergroups.list", status=429, times=99)

        everyone = [notifier.members_of(f"@team-{number}") for number in range(25)]
        mentions = tuple(Mention(Called.GROUP, f"team-{number}", "a team") for number in range(20))
        notifier.post(CHANNEL, replace(CARD, mentions=mentions), "key-1")

        assert everyone == [{"U0ANA000001"}] * 25
        assert str(slack.messages("model-approvals")[0].blocks).count("usergroup_id") == 20

    def test_a_group_made_just_now_is_found_all_the_same(self, slack: SlackSandbox, notifier: SlackNotifier) -> None:
        notifier.members_of("ml-leads")
        slack.workspace.groups["new-team"] = ("U0BEN000002",)

        assert notifier.members_of("new-team") == {"U0BEN000002"}

    @pytest.mark.parametrize("is_listed_still", [True, False])
    def test_a_group_that_was_disabled_lets_no_one_vote_and_says_what_to_do(
        self, slack: SlackSandbox, notifier: SlackNotifier, *, is_listed_still: bool
    ) -> None:
        if is_listed_still:
            slack.workspace.groups["others"] = ("U0ANA000001",)
            notifier.members_of("others")
        slack.workspace.disabled_groups.add("ml-leads")

        with pytest.raises(Permanent, match=r"user group .*nable it again, or correct slack_group in the policy"):
            notifier.members_of("ml-leads")

    def test_the_free_plan_has_none_and_the_policy_can_list_people(
        self, slack: SlackSandbox, notifier: SlackNotifier
    ) -> None:
        slack.app.is_free_plan = True

        with pytest.raises(Permanent, match=r"Free plan.*people:"):
            notifier.members_of("ml-leads")
