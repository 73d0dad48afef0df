"""Rollbacks on the command line and over HTTP: what is refused, and the answer about what comes next."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from bot.domain.model import Kind, State, TransitionRequest
from tests.fixtures.command_line import Finished, countersign
from tests.fixtures.installation import API_TOKEN, Installation

pytestmark = pytest.mark.proof

DRIFT = "predictions drifted"


def post(installation: Installation, token: str = API_TOKEN, **changes: object) -> requests.Response:
    wish = {
        "name": installation.model,
        "to": "alias:champion",
        "reason": DRIFT,
        "requester": "cy@example.com",
        **changes,
    }
    headers = {"Authorization": f"Bearer {token}"}
    return requests.post(f"{installation.url}/api/rollbacks", json=wish, headers=headers, timeout=10)


def command_line(installation: Installation, *words: str, **environment: str) -> Finished:
    settings = {
        "DATABASE_URL": installation.settings.database_url.get_secret_value(),
        "MLFLOW_TRACKING_URI": installation.settings.mlflow_tracking_uri,
        "COUNTERSIGN_URL": "",
        "COUNTERSIGN_API_TOKEN": "",
    }
    named = ("--name", installation.model, "--to", "alias:champion", "--requester", "cy@example.com")
    return countersign("rollback", *named, *words, **{**settings, **environment})


def two_champions(installation: Installation) -> TransitionRequest:
    """v1, then v2; the request of v2."""
    for _ in range(2):
        installation.approve(installation.asked())
    return installation.request(2)


def the_rollback(installation: Installation) -> TransitionRequest:
    (back,) = (request for request in installation.requests() if request.kind is Kind.ROLLBACK)
    return back


def test_the_api_takes_the_target_back_and_says_so(installation: Installation) -> None:
    second = two_champions(installation)

    answer = post(installation)
    installation.settle()

    back = the_rollback(installation)
    assert answer.status_code == 201
    assert answer.json() == {
        "id": back.id,
        "state": "collecting",
        "version": f"{installation.model} v1",
        "target": "alias:champion",
        "next": f"{installation.model} v1 was approved for champion before, so it goes back at once, if it is still what was approved. "
        "Its card comes to #model-approvals.",
    }
    assert (back.state, back.follows) == (State.APPLIED, second.id)
    assert "Cy Lindqvist" in installation.card(back).all_text
    assert installation.champion() == 1


def test_a_version_that_nobody_has_approved_yet_needs_the_votes(installation: Installation) -> None:
    two_champions(installation)
    installation.register()

    answer = post(installation, version=3)
    installation.settle()
    again = post(installation, version=3)

    assert (
        f"{installation.model} v3 was never approved for champion, so it needs votes: 1 of ml-leads."
        in answer.json()["next"]
    )
    assert the_rollback(installation).state is State.PENDING
    card = the_rollback(installation).card
    assert card is not None
    assert again.status_code == 409
    assert again.json()["error"].endswith(
        f"is being taken back to {installation.model} v3 already. Its card: {card.url}"
    )


def test_a_version_that_failed_itself_is_gone_back_to_by_votes_and_only_when_it_is_named(
    installation: Installation,
) -> None:
    two_champions(installation)
    post(installation)
    installation.settle()

    by_itself = post(installation)
    named = post(installation, version=2, requester="ben@example.com")
    installation.settle()

    assert by_itself.status_code == 409
    assert "there is nothing to go back to" in by_itself.json()["error"]
    assert f"{installation.model} v2 was rolled back from champion on " in named.json()["next"]
    assert installation.champion() == 1
    assert installation.request(2).state is State.PENDING
    assert installation.request(2).failed_before


def test_what_cannot_be_gone_back_from_or_to_is_refused_with_a_sentence(installation: Installation) -> None:
    installation.register()
    nobody = post(installation)
    installation.approve(installation.asked(1))
    changes: list[tuple[dict[str, Any], int, str]] = [
        ({}, 409, "there is nothing to go back to"),
        ({"version": 1}, 409, f"{installation.model} v1 is the one that holds alias:champion now"),
        ({"version": 9}, 409, f"MLflow has no version 9 of {installation.model}"),
        ({"name": "no-such-model-anywhere"}, 409, "MLflow has no registered model no-such-model-anywhere"),
        ({"to": "alias:other"}, 409, "the policy has no rule for alias:other"),
        ({"reason": "  "}, 409, "say in a sentence why"),
        ({"reason": ""}, 400, "reason"),
        ({"reason": "x" * 2001}, 400, "reason"),
        ({"requester": "cy"}, 400, "requester"),
        ({"to": "champion"}, 400, "alias:NAME, stage:NAME or model:NAME"),
        ({"version": 0}, 400, "version"),
        ({"comment": "why"}, 400, "comment"),
    ]

    answers = [(post(installation, **change), status, words) for change, status, words in changes]

    assert nobody.status_code == 409
    assert f"nobody holds alias:champion of {installation.model}" in nobody.json()["error"]
    assert [
        (answer.status_code, answer.text)
        for answer, status, words in answers
        if answer.status_code != status or words not in answer.text
    ] == []
    assert [request.kind for request in installation.requests()] == [Kind.PROMOTION]


def test_nobody_goes_back_over_http_without_the_token(installation: Installation) -> None:
    two_champions(installation)

    answer = post(installation, token="a-wrong-token")

    assert answer.status_code == 401
    assert len(installation.requests()) == 2


@pytest.mark.parametrize("road", ["beside the bot", "over http"])
def test_the_command_line_goes_back_by_both_roads(installation: Installation, road: str) -> None:
    two_champions(installation)
    known = {"COUNTERSIGN_URL": installation.url, "COUNTERSIGN_API_TOKEN": API_TOKEN, "DATABASE_URL": ""}

    done = command_line(installation, "--reason", DRIFT, **(known if road == "over http" else {}))
    installation.settle()

    assert (done.returncode, done.stderr) == (0, "")
    assert f"alias:champion of {installation.model} is asked to go back to {installation.model} v1." in done.stdout
    assert "so it goes back at once" in done.stdout
    assert installation.champion() == 1


def test_the_command_line_says_what_is_wrong(installation: Installation) -> None:
    installation.approve(installation.asked())

    without_a_reason = command_line(installation)
    nowhere_to_go = command_line(installation, "--reason", DRIFT)
    too_long = command_line(installation, "--reason", "x" * 2001)

    assert (without_a_reason.returncode, nowhere_to_go.returncode, too_long.returncode) == (2, 1, 1)
    assert "--reason" in without_a_reason.stderr
    assert f"countersign rollback --name {installation.model} --to alias:champion --version V" in nowhere_to_go.stderr
    assert "the reason has 2,001 characters; 2,000 fit on a card" in too_long.stderr
