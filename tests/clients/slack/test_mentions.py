"""People whom a card mentions are notified, and a person who cannot be found does not stop a card."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from bot.clients.slack.notifier import SlackNotifier
from bot.domain.card.card import Called, Card, Mention
from bot.sandbox.serving import serving
from bot.sandbox.slack import SlackSandbox
from bot.sandbox.slack.wire import Json, every_object

CHANNEL = "#model-approvals"
LEADS = Mention(Called.GROUP, "ml-leads", "ml-leads")
GHOSTS = Mention(Called.GROUP, "ghosts", "the ghosts")
CY = Mention(Called.PERSON, "cy@example.com", "Cy Lindqvist")
ZOE = Mention(Called.PERSON, "zoe@example.com", "Zoe Quist")


@pytest.fixture
def slack() -> Iterator[SlackSandbox]:
    sandbox = SlackSandbox()
    with serving(sandbox) as url:
        sandbox.public_url = url
        yield sandbox


@pytest.fixture
def notifier(slack: SlackSandbox) -> SlackNotifier:
    return SlackNotifier(slack.app.bot_token, api_url=f"{slack.public_url}/api/", clock=lambda: 0.0)


def waiting_for(*mentions: Mention) -> Card:
    return Card("bike-demand v2 asks for champion", "bike-demand v2 asks for champion", mentions=mentions)


def elements_in(slack: SlackSandbox, kind: str) -> list[Json]:
    blocks = slack.messages("model-approvals")[-1].blocks
    return [part for part in every_object(list(blocks)) if part.get("type") == kind]


def test_a_group_and_a_person_are_notified_by_their_ids(slack: SlackSandbox, notifier: SlackNotifier) -> None:
    notifier.post(CHANNEL, waiting_for(LEADS, CY), "key-1")

    assert elements_in(slack, "usergroup") == [{"type": "usergroup", "usergroup_id": "S0MLLEADS00"}]
    assert elements_in(slack, "user") == [{"type": "user", "user_id": "U0CY0000003"}]


def test_an_update_mentions_as_well(slack: SlackSandbox, notifier: SlackNotifier) -> None:
    posted = notifier.post(CHANNEL, waiting_for(LEADS, CY), "key-1")

    notifier.update(posted, waiting_for(CY))

    assert elements_in(slack, "usergroup") == []
    assert elements_in(slack, "user") == [{"type": "user", "user_id": "U0CY0000003"}]


def test_whoever_is_not_found_is_printed_by_name_and_the_others_are_still_notified(
    slack: SlackSandbox, notifier: SlackNotifier
) -> None:
    with capture_logs() as logged:
        notifier.post(CHANNEL, waiting_for(GHOSTS, ZOE, CY), "key-1")

    assert slack.messages("model-approvals")[0].all_text.splitlines()[1:] == [
        "Waiting for: the ghosts, Zoe Quist, ",
    ]
    assert elements_in(slack, "user") == [{"type": "user", "user_id": "U0CY0000003"}]
    assert [(line["event"], line["who"]) for line in logged] == [("mention_not_found", "ghosts")]


@pytest.mark.parametrize("fault", ["down", "cut", "malformed"])
def test_a_look_up_that_fails_does_not_fail_the_post(slack: SlackSandbox, notifier: SlackNotifier, fault: str) -> None:
    slack.faults.add(fault, "/api/usergroups.list")

    with capture_logs() as logged:
        notifier.post(CHANNEL, waiting_for(LEADS, CY), "key-1")

    assert slack.messages("model-approvals")[0].all_text.endswith("Waiting for: ml-leads, Cy Lindqvist")
    assert [line["event"] for line in logged] == ["mentions_not_asked"]


def test_a_missing_scope_does_not_fail_the_post(slack: SlackSandbox, notifier: SlackNotifier) -> None:
    slack.app.scopes -= {"usergroups:read", "users:read.email"}

    notifier.post(CHANNEL, waiting_for(LEADS, CY), "key-1")

    assert len(slack.messages("model-approvals")) == 1


def test_the_same_people_are_not_asked_for_again_within_a_minute(slack: SlackSandbox, notifier: SlackNotifier) -> None:
    notifier.post(CHANNEL, waiting_for(LEADS, CY), "key-1")
    slack.faults.add("status", "/api/(usergroups|users)", status=500, times=9)

    notifier.post(CHANNEL, waiting_for(LEADS, CY), "key-2")

    assert elements_in(slack, "usergroup") == [{"type": "usergroup", "usergroup_id": "S0MLLEADS00"}]
    assert elements_in(slack, "user") == [{"type": "user", "user_id": "U0CY0000003"}]


def test_the_answer_to_a_command_prints_names_and_asks_nobody(notifier: SlackNotifier, slack: SlackSandbox) -> None:
    slack.faults.add("status", "/api/", status=500, times=9)

    reply = notifier.as_reply(waiting_for(LEADS))

    assert "ml-leads" in str(reply["blocks"])
    assert "usergroup_id" not in str(reply["blocks"])
