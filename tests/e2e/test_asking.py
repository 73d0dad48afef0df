"""The roads by which somebody asks: alias, tag, stage, a new version, HTTP, the command line. And how a wish ends without a decision."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests

from bot.domain.events import RequestOpened, RequestSuperseded, RequestWithdrawn
from bot.domain.model import State
from tests.fixtures.house import API_TOKEN, House

COUNTERSIGN = Path(sys.executable).with_name("countersign")
BY_STAGE = "[{stage: Staging}]"
BY_NEW_VERSION = "[{new_version: true}]"


def tag(house: House, version: int, value: str = "yes") -> None:
    house.mlflow.set_model_version_tag(house.model, str(version), "countersign.ask", value)


def post(house: House, token: str = API_TOKEN, **changes: object) -> requests.Response:
    wish = {"name": house.model, "version": 1, "to": "alias:champion", "requester": "cy@example.com", **changes}
    return post_raw(house, wish, token)


def post_raw(house: House, body: object, token: str = API_TOKEN) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    sent: dict[str, Any] = {"data": body} if isinstance(body, bytes) else {"json": body}
    return requests.post(f"{house.url}/api/requests", headers=headers, timeout=10, **sent)


def command_line(house: House, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    settings = {
        "DATABASE_URL": house.settings.database_url.get_secret_value(),
        "MLFLOW_TRACKING_URI": house.settings.mlflow_tracking_uri,
        "COUNTERSIGN_URL": "",
        "COUNTERSIGN_API_TOKEN": "",
    }
    return subprocess.run(
        [str(COUNTERSIGN), "request-transition", "--name", house.model, *words],
        env={**os.environ, **settings, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_tag_asks(house: House) -> None:
    tag(house, house.register())

    house.sweep()

    assert house.request(1).state is State.PENDING
    assert "by tag countersign.ask" in house.card(house.request(1)).all_text


def test_a_tag_whose_value_is_the_target_asks_for_it(house: House) -> None:
    tag(house, house.register(), "alias:champion")

    house.sweep()

    assert house.request(1).state is State.PENDING


def test_a_tag_that_names_another_target_asks_for_nothing_here(house: House) -> None:
    tag(house, house.register(), "alias:shadow")

    house.sweep()

    assert house.requests() == []


def test_a_stage_asks(house: House) -> None:
    house.use_policy(ask_on=BY_STAGE, target="{stage: Production}")
    house.stage(house.register(), "Staging")

    house.sweep()

    assert house.request(1, "stage:Production").state is State.PENDING
    assert "by stage Staging" in house.card(house.request(1, "stage:Production")).all_text


def test_every_new_version_asks_when_the_rule_says_so(house: House) -> None:
    house.use_policy(ask_on=BY_NEW_VERSION)
    house.register()

    house.sweep()
    house.sweep()

    assert [request.state for request in house.requests()] == [State.PENDING]
    assert "by creating the version" in house.card(house.request(1)).all_text


def test_the_api_opens_a_request_in_the_name_of_whoever_asks(house: House) -> None:
    house.register()

    answer = post(house, comment="Ready.")
    house.settle()

    assert answer.status_code == 201
    assert answer.json() == {
        "id": house.request(1).id,
        "state": "collecting",
        "version": f"{house.model} v1",
        "target": "alias:champion",
    }
    assert house.request(1).state is State.PENDING
    assert "by Cy Lindqvist" in house.card(house.request(1)).all_text


@pytest.mark.parametrize("token", ["", "a-wrong-token", API_TOKEN[:-1], "ünïcode"])
def test_the_api_lets_nobody_in_without_its_token(house: House, token: str) -> None:
    house.register()

    answer = post_raw(house, {"name": house.model}, token)

    assert answer.status_code == 401
    assert "COUNTERSIGN_API_TOKEN" in answer.json()["error"]
    assert house.requests() == []


def test_the_api_says_what_is_wrong_with_a_body_and_never_answers_500(house: House) -> None:
    house.register()
    bodies: list[tuple[object, int, str]] = [
        (b"", 400, "not JSON"),
        (b"{", 400, "not JSON"),
        (b"\xff\xfe", 400, "not JSON"),
        (b"[" * 15_000, 400, "not JSON"),
        ([], 400, "body"),
        ({"name": house.model}, 400, "version"),
    ]
    changes: list[tuple[dict[str, Any], int, str]] = [
        ({"extra": 1}, 400, "extra"),
        ({"version": 0}, 400, "version"),
        ({"version": "latest"}, 400, "version"),
        ({"to": "champion"}, 400, "alias:NAME, stage:NAME or model:NAME"),
        ({"to": "alias:"}, 400, "alias:NAME, stage:NAME or model:NAME"),
        ({"to": "alias:nobody-speaks-of-me"}, 409, "no rule in the policy speaks of alias:nobody-speaks-of-me"),
        ({"requester": "cy"}, 400, "requester"),
        ({"requester": "cy\u0000@example.com"}, 400, "requester"),
        ({"comment": "\ud800"}, 400, "comment"),
        ({"comment": "x" * 2001}, 400, "comment"),
        ({"name": "no-such-model-anywhere"}, 409, "no version 1 of no-such-model-anywhere"),
        ({"version": 10**30}, 409, "no version"),
        ({"version": 2}, 409, f"no version 2 of {house.model}"),
        ({"name": "a/b"}, 502, "MLflow"),
        ({"name": "a\u0000b"}, 409, "no version"),
    ]

    answers = [(post_raw(house, body), status, words) for body, status, words in bodies]
    answers += [(post(house, API_TOKEN, **change), status, words) for change, status, words in changes]
    answers += [(post_raw(house, b" " * 20_000), 413, "larger than")]

    assert [
        (answer.status_code, answer.text)
        for answer, status, words in answers
        if answer.status_code != status or words not in answer.text
    ] == []
    assert house.requests() == []


def test_who_holds_the_target_already_need_not_ask(house: House) -> None:
    house.approve(house.asked())

    answer = post(house)

    assert answer.status_code == 409
    assert f"{house.model} v1 holds alias:champion already" in answer.json()["error"]


def test_the_command_line_asks_in_the_database_when_it_runs_beside_the_bot(house: House) -> None:
    house.register()
    words = ("--version", "1", "--to", "alias:champion", "--comment", "Please.", "--requester", "cy@example.com")

    done = command_line(house, *words)
    house.settle()

    assert (done.returncode, done.stderr) == (0, "")
    assert f"{house.model} v1 asks for alias:champion" in done.stdout
    assert "on the command line, by Cy Lindqvist" in house.card(house.request(1)).all_text
    assert "Why: Please." in house.card(house.request(1)).all_text


def test_the_command_line_asks_the_bot_when_it_knows_its_address(house: House) -> None:
    house.register()
    words = ("--version", "1", "--to", "alias:champion", "--requester", "cy@example.com")

    done = command_line(house, *words, COUNTERSIGN_URL=house.url, COUNTERSIGN_API_TOKEN=API_TOKEN, DATABASE_URL="")
    house.settle()

    assert (done.returncode, done.stderr) == (0, "")
    assert "through the API, by Cy Lindqvist" in house.card(house.request(1)).all_text


def test_the_command_line_says_what_is_wrong(house: House) -> None:
    house.register()
    words = ("--to", "alias:champion", "--requester", "cy@example.com")

    gone = command_line(house, "--version", "7", *words)
    senseless = command_line(house, "--version", "1", "--to", "champion", "--requester", "cy@example.com")
    not_a_number = command_line(house, "--version", "one", *words)

    assert (gone.returncode, senseless.returncode, not_a_number.returncode) == (1, 1, 2)
    assert f"MLflow has no version 7 of {house.model}" in gone.stderr
    assert '"champion" is not a target' in senseless.stderr
    assert "Traceback" not in gone.stderr + senseless.stderr + not_a_number.stderr


def test_the_same_wish_by_several_roads_is_one_request(house: House) -> None:
    house.ask(house.register())
    tag(house, 1)
    house.sweep()

    again = post(house)
    house.sweep()

    assert again.status_code == 201
    assert [request.id for request in house.requests()] == [again.json()["id"]]
    assert house.happened(RequestOpened) == ["RequestOpened"]
    assert len(house.cards()) == len(house.jira.issues()) == 1


def test_taking_the_alias_away_withdraws(house: House) -> None:
    request = house.asked()

    house.mlflow.delete_registered_model_alias(house.model, "candidate")
    house.sweep()

    assert house.reread(request).state is State.WITHDRAWN
    assert f"Withdrawn: {request.version}" in house.card(request).all_text
    assert "no longer asks by alias candidate" in house.card(request).all_text
    assert not {"approve", "reject"} & set(house.card(request).buttons)
    assert house.ticket_status(request) == "Won't Do"


def test_a_wish_stands_as_long_as_anything_asks_for_it(house: House) -> None:
    request = house.asked()
    tag(house, 1)
    house.sweep()

    house.mlflow.delete_registered_model_alias(house.model, "candidate")
    house.sweep()
    with_the_tag = house.reread(request).state
    house.mlflow.delete_model_version_tag(house.model, "1", "countersign.ask")
    house.sweep()

    assert with_the_tag is State.PENDING
    assert house.reread(request).state is State.WITHDRAWN


def test_taking_the_alias_away_leaves_what_was_asked_in_words(house: House) -> None:
    house.register()
    post(house)
    house.ask(1)
    house.sweep()

    house.mlflow.delete_registered_model_alias(house.model, "candidate")
    house.sweep()

    assert house.request(1).state is State.PENDING


def test_a_newer_version_supersedes_the_older_one_that_waits(house: House) -> None:
    older = house.asked()

    newer = house.asked(house.register())

    assert house.reread(older).state is State.SUPERSEDED
    assert house.happened(RequestSuperseded, RequestWithdrawn) == ["RequestSuperseded"]
    assert f"{newer.version} asks for alias:champion too and is newer" in house.card(older).all_text
    assert not {"approve", "reject"} & set(house.card(older).buttons)
    assert house.ticket_status(older) == "Won't Do"
    assert newer.state is State.PENDING


def test_a_click_on_what_was_superseded_says_so(house: House) -> None:
    older = house.asked()
    late = house.slack.click_payload("ana", "model-approvals", house.card(older).ts, "approve")
    house.asked(house.register())

    house.slack.send(late)

    assert "already superseded" in house.whispered("ana")
    assert house.champion() is None


def test_an_older_version_that_asks_by_itself_never_supersedes_a_newer_one(house: House) -> None:
    house.register()
    newer = house.asked(house.register())

    tag(house, 1)
    house.sweep()

    assert house.reread(newer).state is State.PENDING
    assert house.request(1).state is State.SUPERSEDED
    assert len(house.cards()) == 1


def test_moving_the_asking_alias_back_to_an_older_version_asks_for_that_one(house: House) -> None:
    house.register()
    newer = house.asked(house.register())

    house.ask(1)
    house.sweep()

    assert house.reread(newer).state is State.WITHDRAWN
    assert house.request(1).state is State.PENDING


def test_an_approved_request_is_not_superseded(house: House) -> None:
    older = house.asked()
    house.click("ana", older, "approve")

    house.asked(house.register())

    assert house.reread(older).state is State.APPLIED
    assert house.champion() == 1


def test_after_a_rejection_taking_the_ask_away_and_setting_it_again_asks_again(house: House) -> None:
    first = house.asked()
    house.reject(first, "Not yet.")
    house.sweep()
    after_a_sweep = len(house.requests())

    house.mlflow.delete_registered_model_alias(house.model, "candidate")
    house.sweep()
    second = house.asked(1)

    assert after_a_sweep == 1
    assert second.id != first.id
    assert second.state is State.PENDING
    assert house.reread(first).state is State.REJECTED
    house.approve(second)
    assert house.champion() == 1


def test_a_tag_that_came_along_with_a_copy_asks_for_nothing(house: House) -> None:
    original = f"{house.model}-lab"
    house.register(model=original)
    house.mlflow.set_model_version_tag(original, "1", "countersign.ask", "yes")
    house.sweep()
    house.mlflow.copy_model_version(f"models:/{original}/1", house.model)

    house.sweep()
    after_the_copy = [request.version.model for request in house.requests()]
    house.ask(1)
    house.sweep()

    assert after_the_copy == [original]
    assert house.request(1).version.model == house.model
    assert house.request(1).state is State.PENDING


def test_what_nobody_decides_expires_and_can_be_asked_for_again(house: House) -> None:
    request = house.asked()

    house.clock.ahead = request.expires_at - house.clock.now() if request.expires_at else house.clock.ahead
    house.sweep("expire_requests")

    assert house.reread(request).state is State.EXPIRED
    assert "nobody decided in time" in house.card(request).all_text
    assert house.ticket_status(request) == "Won't Do"
