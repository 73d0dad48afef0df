"""Other plans than a paid workspace's: Slack's Free plan, and an app of a whole organisation (Enterprise Grid)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot.sandbox.serving import serving
from bot.sandbox.slack import SlackSandbox


@pytest.fixture
def slack() -> SlackSandbox:
    return SlackSandbox()


@pytest.fixture
def client(slack: SlackSandbox) -> Iterator[WebClient]:
    with serving(slack) as url:
        yield WebClient("xoxb-sandbox", base_url=f"{url}/api/", retry_handlers=[], timeout=5)


def test_the_free_plan_has_no_user_groups_and_everything_else(slack: SlackSandbox, client: WebClient) -> None:
    slack.app.is_free_plan = True

    with pytest.raises(SlackApiError, match="plan_upgrade_required"):
        client.usergroups_list()
    with pytest.raises(SlackApiError, match="plan_upgrade_required"):
        client.usergroups_users_list(usergroup="S1")
    assert client.auth_test()["ok"]


def test_an_app_of_a_whole_organisation_says_which_workspace_it_asks_about(
    slack: SlackSandbox, client: WebClient
) -> None:
    slack.app.enterprise = "E0ORG"

    with pytest.raises(SlackApiError):
        client.usergroups_list()
    (team,) = client.auth_teams_list()["teams"]

    assert client.usergroups_list(team_id=team["id"])["ok"]
    assert client.auth_test()["is_enterprise_install"] is True
