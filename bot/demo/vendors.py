"""The sandbox's Slack and Jira alone, for a bot of one's own beside them: `countersign sandbox`."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from bot.errors import Refused
from bot.sandbox.jira import JiraSandbox
from bot.sandbox.serving import serving
from bot.sandbox.slack import SlackSandbox


@dataclass(frozen=True)
class Vendors:
    slack: SlackSandbox
    jira: JiraSandbox
    slack_url: str
    jira_url: str

    @property
    def settings(self) -> Mapping[str, str]:
        """What `countersign init` and `countersign serve` need to know of them, by Socket Mode."""
        return {
            "SLACK_API_URL": f"{self.slack_url}/api/",
            "SLACK_BOT_TOKEN": self.slack.app.bot_token,
            "SLACK_APP_TOKEN": self.slack.app.app_token,
            "JIRA_URL": self.jira_url,
            "JIRA_EMAIL": self.jira.email,
            "JIRA_API_TOKEN": self.jira.api_token,
        }

    @property
    def people(self) -> list[str]:
        """Those who are in a user group, and so may approve, with their groups."""
        workspace = self.slack.workspace
        return [
            f"{workspace.person(member).real_name} ({name})"
            for name, members in workspace.groups.items()
            for member in members
        ]


@contextmanager
def local_vendors(slack_port: int, jira_port: int) -> Iterator[Vendors]:
    """On loopback; port 0 takes a free one. Raises Refused."""
    for option, port in (("--slack-port", slack_port), ("--jira-port", jira_port)):
        _check_free(option, port)
    slack, jira = SlackSandbox(), JiraSandbox()
    with serving(slack, slack_port) as slack_url, serving(jira, jira_port) as jira_url:
        yield Vendors(slack, jira, slack_url, jira_url)


def _check_free(option: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as taken:
            raise Refused(f"port {port} cannot be used: {taken.strerror}. Give another with {option}, or 0.") from None
