"""What a person at a terminal reads, where a machine gets JSON lines."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping

import pytest
import structlog

from bot.logs import write_logs
from bot.plain_logs import PARKED, RECOVERED, RETRIED, PlainLines

SLACK = "Slack did not answer chat.postMessage (URLError). It will be tried again."
JIRA = "Jira refused connecting (HTTP 503)."


def lines(*events: Mapping[str, object]) -> list[str]:
    """Without the time."""
    plain, shown = PlainLines(), []
    for event in events:
        try:
            shown.append(plain(None, "info", dict(event)))
        except structlog.DropEvent:
            continue
    assert all(re.match(r"\d\d:\d\d:\d\d  ", line) for line in shown)
    return [line[10:] for line in shown]


def failed(error: str, effect: str = "post_card") -> dict[str, object]:
    return {"event": RETRIED, "error": error, "effect": effect, "level": "info", "at": "2026-01-01T00:00:00"}


def recovered(error: str, effect: str = "post_card") -> dict[str, object]:
    return {"event": RECOVERED, "error": error, "effect": effect, "level": "info"}


def test_an_outage_is_one_line_for_each_vendor_and_its_end_another() -> None:
    shown = lines(
        failed(SLACK),
        failed(SLACK, "update_card"),
        failed(JIRA),
        recovered(SLACK),
        recovered(SLACK, "update_card"),
        failed(SLACK),
    )

    assert [line.partition(":")[0] for line in shown] == [
        "Slack does not work",
        "Jira does not work",
        "Slack works again",
        "Slack does not work",
    ]


def test_what_fails_for_another_reason_is_named_by_its_effect() -> None:
    shown = lines(failed("OperationalError: gone", "sweep_models"), recovered("OperationalError: gone", "sweep_models"))

    assert shown == [
        "sweep_models does not work: OperationalError: gone. Trying again until it does",
        "sweep_models works again",
    ]


def test_what_is_tried_again_is_said_once_and_every_sentence_ends() -> None:
    assert lines(failed(SLACK)) == [
        "Slack does not work: Slack did not answer chat.postMessage (URLError). Trying again until it does"
    ]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("Slack refused: no_scope. Add it. Then replay the job.", "Slack refused: no_scope. Add it."),
        ("No key. Name it, restart the worker, then replay this job", "No key. Name it, restart the worker."),
        (
            "The token is old: make a new one, restart, and replay the job.",
            "The token is old: make a new one, restart.",
        ),
        ("SMTP_URL is not set", "SMTP_URL is not set."),
    ],
)
def test_a_parked_job_says_once_how_it_is_replayed(error: str, said: str) -> None:
    next_ = "fix the cause, then: countersign jobs replay 241"

    assert lines({"event": PARKED, "effect": "sign", "error": error, "next": next_, "level": "warning"}) == [
        f"! parked sign: {said} Next: {next_}"
    ]


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (
            {"event": "serving", "url": "http://h:1", "policy": "p", "rules": "2 rules"},
            "listening on http://h:1, policy p with 2 rules;",
        ),
        (
            {"event": "process_died", "process": "web", "code": 1, "restart_in": "1 s", "level": "error"},
            "!! the process web ended",
        ),
        ({"event": "some_new_thing", "level": "warning", "a": 1, "b": None}, "! some new thing: a 1"),
        ({"event": "quiet"}, "quiet"),
        ({"event": "forged", "name": "a\n12:00:00  listening\x1b[2J"}, "forged: name a 12:00:00  listening [2J"),
    ],
)
def test_every_event_is_one_line(event: dict[str, object], line: str) -> None:
    (shown,) = lines(event)

    assert shown.startswith(line)
    assert "\n" not in shown


def test_an_error_of_ours_keeps_its_traceback() -> None:
    (shown,) = lines(
        {"event": "effect has a bug", "effect": "post_card", "level": "error", "exception": "Traceback\n  line"}
    )

    assert shown == "!! post_card failed, which is a fault of Countersign\nTraceback\n  line"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("to", "chosen", "plain"),
    [(Terminal(), "", True), (io.StringIO(), "", False), (Terminal(), "json", False), (io.StringIO(), "text", True)],
)
def test_a_terminal_gets_plain_lines_and_a_pipe_json_unless_the_setting_says_otherwise(
    to: io.StringIO, chosen: str, plain: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COUNTERSIGN_LOG_FORMAT", chosen)
    before = structlog.get_config()
    try:
        write_logs(to)
        structlog.get_logger().info("process_died", process="web", code=1, restart_in="1 s")
    finally:
        structlog.configure(**before)

    shown = to.getvalue()
    assert ("the process web ended" in shown) is plain
    assert plain or json.loads(shown)["process"] == "web"
