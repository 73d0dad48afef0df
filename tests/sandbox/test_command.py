"""`countersign sandbox`: what it prints is all that a bot and a person need of it."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import requests
from jira import JIRA
from slack_sdk import WebClient

from bot.supervisor import COUNTERSIGN

LINE = re.compile(r"export ([A-Z_]+)=(\S+)")


@contextmanager
def running() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process, and what it printed until it was ready."""
    command = [*COUNTERSIGN, "sandbox", "--slack-port", "0", "--jira-port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            printed = ""
            while "Ctrl-C" not in printed:
                line = process.stdout.readline()
                assert line, printed
                printed += line
            yield process, printed
        finally:
            process.kill()


def test_the_printed_settings_and_addresses_work_and_ctrl_c_ends_both() -> None:
    with running() as (process, printed):
        given = dict(LINE.findall(printed))
        slack = WebClient(given["SLACK_BOT_TOKEN"], base_url=given["SLACK_API_URL"])
        jira = JIRA(given["JIRA_URL"], basic_auth=(given["JIRA_EMAIL"], given["JIRA_API_TOKEN"]))

        assert slack.auth_test()["ok"]
        assert slack.apps_connections_open(app_token=given["SLACK_APP_TOKEN"])["url"].startswith("ws://127.0.0.1:")
        assert [project.key for project in jira.projects()] == ["GOV"]
        for page in re.findall(r"^  (?:Slack|Jira)  (\S+)", printed, re.MULTILINE):
            assert requests.get(page, timeout=10).ok
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=30)

    assert (process.returncode, rest) == (0, "stopped; nothing is left running\n")


def test_a_port_that_is_taken_is_named_with_the_option_for_another() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        done = subprocess.run(
            [*COUNTERSIGN, "sandbox", "--jira-port", port], capture_output=True, text=True, check=False
        )

    assert done.returncode == 2
    assert f"port {port} cannot be used: Address already in use. Give another with --jira-port" in done.stderr
