"""Asking in words: over HTTP and on the command line, also for what the registry asks for already."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from bot.domain.events import RequestOpened
from bot.domain.model import State
from tests.fixtures.command_line import Finished, countersign
from tests.fixtures.installation import API_TOKEN, Installation


def post(installation: Installation, token: str = API_TOKEN, **changes: object) -> requests.Response:
    wish = {"name": installation.model, "version": 1, "to": "alias:champion", "requester": "cy@example.com", **changes}
    return post_raw(installation, wish, token)


def post_raw(installation: Installation, body: object, token: str = API_TOKEN) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    sent: dict[str, Any] = {"data": body} if isinstance(body, bytes) else {"json": body}
    return requests.post(f"{installation.url}/api/requests", headers=headers, timeout=10, **sent)


def command_line(installation: Installation, *words: str, **environment: str) -> Finished:
    settings = {
        "DATABASE_URL": installation.settings.database_url.get_secret_value(),
        "MLFLOW_TRACKING_URI": installation.settings.mlflow_tracking_uri,
        "COUNTERSIGN_URL": "",
        "COUNTERSIGN_API_TOKEN": "",
    }
    return countersign("request-transition", "--name", installation.model, *words, **{**settings, **environment})


def test_the_api_opens_a_request_in_the_name_of_whoever_asks(installation: Installation) -> None:
    installation.register()

    answer = post(installation, comment="Ready.")
    installation.settle()

    assert answer.status_code == 201
    assert answer.json() == {
        "id": installation.request(1).id,
        "state": "collecting",
        "version": f"{installation.model} v1",
        "target": "alias:champion",
    }
    assert installation.request(1).state is State.PENDING
    assert "Requested by: Cy Lindqvist" in installation.card(installation.request(1)).all_text


@pytest.mark.parametrize("token", ["", "a-wrong-token", API_TOKEN[:-1], "ünïcode"])
def test_the_api_lets_nobody_in_without_its_token(installation: Installation, token: str) -> None:
    installation.register()

    answer = post_raw(installation, {"name": installation.model}, token)

    assert answer.status_code == 401
    assert "COUNTERSIGN_API_TOKEN" in answer.json()["error"]
    assert installation.requests() == []


def test_the_api_says_what_is_wrong_with_a_body_and_never_answers_500(installation: Installation) -> None:
    installation.register()
    bodies: list[tuple[object, int, str]] = [
        (b"", 400, "not JSON"),
        (b"{", 400, "not JSON"),
        (b"\xff\xfe", 400, "not JSON"),
        (b"[" * 15_000, 400, "not JSON"),
        ([], 400, "body"),
        ({"name": installation.model}, 400, "version"),
    ]
    changes: list[tuple[dict[str, Any], int, str]] = [
        ({"extra": 1}, 400, "extra"),
        ({"version": 0}, 400, "version"),
        ({"version": "latest"}, 400, "version"),
        ({"to": "champion"}, 400, "alias:NAME, stage:NAME or model:NAME"),
        ({"to": "alias:"}, 400, "alias:NAME, stage:NAME or model:NAME"),
        (
            {"to": "alias:nobody-speaks-of-me"},
            409,
            f"no rule for alias:nobody-speaks-of-me of {installation.model}, but for alias:",
        ),
        ({"requester": "cy"}, 400, "requester"),
        ({"requester": "cy\u0000@example.com"}, 400, "requester"),
        ({"comment": "\ud800"}, 400, "comment"),
        ({"comment": "x" * 2001}, 400, "comment"),
        ({"name": "no-such-model-anywhere"}, 409, "no version 1 of no-such-model-anywhere"),
        ({"version": 10**30}, 409, "no version"),
        ({"version": 2}, 409, f"no version 2 of {installation.model}"),
        ({"name": "a/b"}, 502, "MLflow"),
        ({"name": "a\u0000b"}, 409, "no version"),
    ]

    answers = [(post_raw(installation, body), status, words) for body, status, words in bodies]
    answers += [(post(installation, API_TOKEN, **change), status, words) for change, status, words in changes]
    answers += [(post_raw(installation, b" " * 20_000), 413, "larger than")]

    assert [
        (answer.status_code, answer.text)
        for answer, status, words in answers
        if answer.status_code != status or words not in answer.text
    ] == []
    assert installation.requests() == []


def test_who_holds_the_target_already_need_not_ask(installation: Installation) -> None:
    installation.approve(installation.asked())

    answer = post(installation)

    assert answer.status_code == 409
    assert f"{installation.model} v1 holds alias:champion already" in answer.json()["error"]


def test_the_command_line_asks_in_the_database_when_it_runs_beside_the_bot(installation: Installation) -> None:
    installation.register()
    words = ("--version", "1", "--to", "alias:champion", "--comment", "Please.", "--requester", "cy@example.com")

    done = command_line(installation, *words)
    installation.settle()

    assert (done.returncode, done.stderr) == (0, "")
    assert f"{installation.model} v1 asks for alias:champion" in done.stdout
    assert "Requested by: Cy Lindqvist, on the command line" in installation.details(installation.request(1))
    assert "Why: Please." in installation.card(installation.request(1)).all_text


@pytest.mark.parametrize(("who", "is_warned"), [("made.up@nowhere.example", True), ("ben@example.com", False)])
def test_who_asks_under_an_address_that_nobody_is_known_by_is_warned_at_once(
    installation: Installation, who: str, is_warned: bool
) -> None:
    installation.register()

    answer = post(installation, requester=who).json()
    done = command_line(installation, "--version", "1", "--to", "alias:champion", "--requester", who)

    assert done.returncode == 0, done.stderr
    said = f"the policy does not name {who}, and no Slack account is known for it yet"
    assert (said in answer.get("warning", ""), f"Warning: {said}" in done.stderr) == (is_warned, is_warned)


def test_the_command_line_asks_the_bot_when_it_knows_its_address(installation: Installation) -> None:
    installation.register()
    words = ("--version", "1", "--to", "alias:champion", "--requester", "cy@example.com")

    done = command_line(
        installation, *words, COUNTERSIGN_URL=installation.url, COUNTERSIGN_API_TOKEN=API_TOKEN, DATABASE_URL=""
    )
    installation.settle()

    assert (done.returncode, done.stderr) == (0, "")
    assert "Requested by: Cy Lindqvist, through the API" in installation.details(installation.request(1))


def test_the_command_line_says_what_is_wrong(installation: Installation) -> None:
    installation.register()
    words = ("--to", "alias:champion", "--requester", "cy@example.com")

    gone = command_line(installation, "--version", "7", *words)
    senseless = command_line(installation, "--version", "1", "--to", "champion", "--requester", "cy@example.com")
    not_a_number = command_line(installation, "--version", "one", *words)

    assert (gone.returncode, senseless.returncode, not_a_number.returncode) == (1, 2, 2)
    assert f"MLflow has no version 7 of {installation.model}" in gone.stderr
    assert '"champion" is not a target' in senseless.stderr
    assert "Traceback" not in gone.stderr + senseless.stderr + not_a_number.stderr


def test_the_same_wish_by_several_roads_is_one_request(installation: Installation) -> None:
    installation.ask(installation.register())
    installation.mlflow.set_model_version_tag(installation.model, "1", "countersign.ask", "yes")
    installation.sweep()

    again = post(installation)
    installation.sweep()

    assert again.status_code == 201
    assert [request.id for request in installation.requests()] == [again.json()["id"]]
    assert installation.happened(RequestOpened) == ["RequestOpened"]
    assert len(installation.cards()) == len(installation.jira.issues()) == 1


def test_whoever_joins_a_wish_in_words_may_not_decide_it(installation: Installation) -> None:
    request = installation.asked()

    post(installation, requester="ana@example.com", comment="I want it too.")
    installation.settle()
    installation.approve(request, "ana")

    assert "You asked for this transition" in installation.told_privately("ana")
    assert installation.champion() is None
    assert "Why: I want it too." in installation.card(request).all_text


def test_taking_the_alias_away_leaves_what_was_asked_in_words(installation: Installation) -> None:
    installation.register()
    post(installation)
    installation.ask(1)
    installation.sweep()

    installation.mlflow.delete_registered_model_alias(installation.model, "candidate")
    installation.sweep()

    assert installation.request(1).state is State.PENDING
