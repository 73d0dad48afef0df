"""What is said of an answer that did not come: of a read it is not in doubt, and a command that runs once waits for nothing."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import requests
from jira import JIRAError
from slack_sdk.errors import SlackApiError

from bot.clients.jira.calls import JiraCalls
from bot.clients.slack.calls import _as_outside_error
from bot.errors import OutcomeUnknown, OutsideError, Temporary, without_retries


def slack(status: int, in_doubt: type[OutsideError]) -> OutsideError:
    answer = SimpleNamespace(status_code=status, data={}, headers={"Retry-After": "30"})
    return _as_outside_error("users.info", SlackApiError("refused", answer), {}, in_doubt)


def jira(status: int, in_doubt: type[OutsideError]) -> OutsideError:
    calls = JiraCalls.__new__(JiraCalls)
    response = requests.Response()
    response.headers["Retry-After"] = "30"
    return calls._as_outside_error("reading projects", JIRAError("refused", status, response=response), in_doubt)


@pytest.mark.parametrize("vendor", [slack, jira])
def test_a_read_without_an_answer_is_not_in_doubt_and_a_write_is(vendor: type) -> None:
    read, write = vendor(500, Temporary), vendor(500, OutcomeUnknown)

    assert "may or may not" not in str(read)
    assert str(read).endswith("(HTTP 500). It is tried again.") or str(read).endswith(": HTTP 500). It is tried again.")
    assert without_retries(str(read)).endswith("HTTP 500).")
    assert "may or may not have taken effect" in str(write)


@pytest.mark.parametrize("vendor", [slack, jira])
def test_a_command_that_runs_once_does_not_say_that_it_waits(vendor: type) -> None:
    said = str(vendor(429, Temporary))

    assert said.endswith("; waiting as long as it asked.")
    assert "waiting" not in without_retries(said)
