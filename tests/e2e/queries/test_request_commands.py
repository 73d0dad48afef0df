"""`countersign requests` and what else the command line says of a request, on a whole installation."""

from __future__ import annotations

import json
from typing import Any

from bot.domain.model import State
from tests.fixtures.command_line import Finished, countersign
from tests.fixtures.installation import Installation


def command_line(installation: Installation, *words: str) -> Finished:
    settings = {
        "DATABASE_URL": installation.settings.database_url.get_secret_value(),
        "MLFLOW_TRACKING_URI": installation.settings.mlflow_tracking_uri,
        "SLACK_BOT_TOKEN": installation.settings.slack_bot_token.get_secret_value(),
        "SLACK_API_URL": installation.settings.slack_api_url,
        "COUNTERSIGN_URL": "",
        "COUNTERSIGN_API_TOKEN": "",
    }
    return countersign(*words, **settings)


def listed(installation: Installation, *words: str) -> list[Any]:
    done = command_line(installation, "requests", "list", "--json", *words)
    assert done.returncode in (0, 4), done.stderr
    return [row["request_id"] for row in json.loads(done.stdout)]


def test_nobody_has_decided_what_still_waits_for_a_vote(installation: Installation) -> None:
    installation.use_policy(quorum=2)
    request = installation.asked()

    installation.click("ana", request, "approve")
    waiting = json.loads(command_line(installation, "requests", "list", "--json").stdout)
    installation.click("ben", request, "approve")
    installation.settle()
    decided = json.loads(command_line(installation, "requests", "list", "--json").stdout)

    assert [row["decided_by"] for row in (*waiting, *decided)] == [None, "Ana Ruiz, Ben Okafor"]


def test_requests_are_found_by_each_filter_and_read_in_pages(installation: Installation) -> None:
    first = installation.asked()
    installation.approve(first)
    second = installation.asked()
    name = installation.model

    def found(*words: str) -> list[str]:
        return ["12"[one == second.id] for one in listed(installation, *words)]

    assert {
        words: found(*words.split())
        for words in (
            "",
            "--open",
            "--state applied",
            f"--model {name} --to alias:champion",
            "--model another",
            "--to stage:Production",
            "--since 2020-01-01 --until 2020-12-31",
            "--limit 1",
            f"--limit 1 --after {second.id[:8]}",
            f"--after {first.id}",
            "--approver ana@example.com",
            "--requester ana@example.com",
        )
    } == {
        "": ["2", "1"],
        "--open": ["2"],
        "--state applied": ["1"],
        f"--model {name} --to alias:champion": ["2", "1"],
        "--model another": [],
        "--to stage:Production": [],
        "--since 2020-01-01 --until 2020-12-31": [],
        "--limit 1": ["2"],
        f"--limit 1 --after {second.id[:8]}": ["1"],
        f"--after {first.id}": [],
        "--approver ana@example.com": ["2"],
        "--requester ana@example.com": [],
    }


def test_everything_about_a_request_is_shown(installation: Installation) -> None:
    request = installation.asked()
    installation.approve(request)

    printed = command_line(installation, "requests", "show", request.short_id)
    shown = json.loads(command_line(installation, "requests", "show", request.id, "--json").stdout)

    ticket = installation.request(1).ticket
    assert ticket is not None
    assert printed.returncode == 0, printed.stderr
    assert {"Evidence", "Votes", "Ledger"} <= set(printed.stdout.splitlines())
    assert ticket.key in printed.stdout
    assert (shown["state"], shown["ticket"]) == (State.APPLIED, ticket.key)
    assert [(vote["person"], vote["verdict"]) for vote in shown["votes"]] == [("Ana Ruiz", "approve")]
    assert {"RequestOpened", "RequestApproved", "TargetMoved"} <= {entry["event"] for entry in shown["ledger"]}
    assert all(entry["at"].endswith("+00:00") for entry in shown["ledger"])


def test_a_stranger_who_takes_production_back_is_warned_and_asks_without_a_question(installation: Installation) -> None:
    for _ in range(2):
        installation.approve(installation.asked())
    back = ("--name", installation.model, "--to", "alias:champion", "--reason", "drift")

    done = command_line(installation, "rollback", *back, "--requester", "eve@example.com")

    assert done.returncode == 0, done.stderr
    assert "the policy names no one with the address eve@example.com" in done.stderr
    assert f"asked to go back to {installation.model} v1." in done.stdout
