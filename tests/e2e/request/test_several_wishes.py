"""Several wishes for one target: who asks for what is asked already, and an older version below newer ones that wait."""

from __future__ import annotations

import requests

from bot.domain.events import AskJoined, RequestSuperseded
from bot.domain.model import State
from tests.fixtures.installation import API_TOKEN, House


def ask_by_api(house: House, version: int, requester: str, comment: str = "") -> None:
    wish = {"name": house.model, "version": version, "to": "alias:champion", "requester": requester, "comment": comment}
    headers = {"Authorization": f"Bearer {API_TOKEN}"}
    answer = requests.post(f"{house.url}/api/requests", json=wish, headers=headers, timeout=10)
    assert answer.status_code == 201
    house.settle()


def test_who_asks_in_words_for_what_an_alias_asks_already_becomes_a_party_to_it(house: House) -> None:
    request = house.asked()

    ask_by_api(house, 1, "ben@example.com", "Spring needs it.")
    joined = house.card(request).all_text
    house.approve(request, "ben")
    of_the_joiner = house.reread(request).votes
    house.mlflow.delete_registered_model_alias(house.model, "candidate")
    house.sweep()
    without_the_alias = house.reread(request).state
    house.approve(request, "ana")

    assert [one.id for one in house.requests()] == [request.id]
    assert "Why: Spring needs it." in joined
    assert "by Ben Okafor" in joined
    assert of_the_joiner == ()
    assert "someone else must decide it" in house.whispered("ben")
    assert without_the_alias is State.PENDING
    assert house.champion() == 1
    assert f"{house.model} v1" in house.told("ben")
    assert house.happened(AskJoined) == ["AskJoined"]


def test_an_older_version_that_asks_by_itself_below_two_that_wait_is_superseded_once(house: House) -> None:
    older, middle = house.register(), house.register()
    newest = house.asked(house.register())
    ask_by_api(house, middle, "cy@example.com")

    house.mlflow.set_model_version_tag(house.model, str(older), "countersign.ask", "yes")
    house.sweep()
    house.sweep()

    assert [(request.version.version, request.state) for request in house.requests()] == [
        (newest.version.version, State.PENDING),
        (middle, State.PENDING),
        (older, State.SUPERSEDED),
    ]
    assert house.happened(RequestSuperseded) == ["RequestSuperseded"]
    assert house.request(older).outcome.startswith(str(newest.version))
