"""Who asks and who trained: known, unknown, or spelled in another way. Separation of duties hangs on it."""

from __future__ import annotations

import pytest
import requests

from bot.domain.model import Ask, AskKind, Refused, State, Target, TransitionRequest
from handlers.request import asking
from tests.fixtures.installation import API_TOKEN, House

CHAMPION = Target.parse("alias:champion")
NONSENSE = ["", "ben", "@", "ben@", "ben okafor@example.com", "ben@example.com, cy@example.com", "x" * 320 + "@e.com"]


def post(house: House, requester: str) -> requests.Response:
    wish = {"name": house.model, "version": 1, "to": "alias:champion", "requester": requester}
    headers = {"Authorization": f"Bearer {API_TOKEN}"}
    return requests.post(f"{house.url}/api/requests", json=wish, headers=headers, timeout=10)


def ask_in_words(house: House, requester: str) -> TransitionRequest:
    """What `countersign request-transition` does beside the bot."""
    return asking.request_transition(house.model, 1, CHAMPION, requester, "", Ask(AskKind.COMMAND), house.s)


@pytest.mark.parametrize("road", ["api", "command line"])
def test_however_an_address_is_spelled_it_is_the_same_person_who_may_not_decide(house: House, road: str) -> None:
    house.register()

    if road == "api":
        assert post(house, " Ben@Example.com ").status_code == 201
    else:
        ask_in_words(house, " Ben@Example.com ")
    house.settle()
    house.approve(house.request(1), "ben")

    assert "by Ben Okafor" in house.card(house.request(1)).all_text
    assert "someone else must decide it" in house.whispered("ben")
    assert house.request(1).state is State.PENDING


def test_an_address_that_is_none_is_refused_with_a_sentence(house: House) -> None:
    house.register()

    answers = [post(house, nonsense) for nonsense in NONSENSE]
    for nonsense in NONSENSE:
        with pytest.raises(Refused, match=r"is no e-mail address\. Name the one who asks"):
            ask_in_words(house, nonsense)

    assert [answer.status_code for answer in answers] == [400] * len(NONSENSE)
    for answer in answers:
        assert "is no e-mail address. Name the one who asks by the address that Slack knows" in answer.json()["error"]
    assert house.requests() == []


def test_an_author_whom_nobody_can_name_costs_one_more_vote_where_only_the_author_matters(house: House) -> None:
    house.use_policy(unknown_requester="author_only")
    request = house.asked(house.register(user="somebody"))

    house.approve(request, "ana")
    after_one = house.reread(request).state, house.card(request).all_text
    house.approve(request, "ben")

    assert after_one[0] is State.PENDING
    assert "Waiting for one of any group that decides" in after_one[1]
    assert house.champion() == 1


def test_what_nobody_known_asks_for_cannot_be_approved_but_can_be_rejected(house: House) -> None:
    house.use_policy(unknown_requester="refuse")
    request = house.asked()

    house.approve(request)
    refused = house.reread(request).state, house.whispered("ana")
    house.reject(request, "Nobody knows who wants it.")

    assert refused[0] is State.PENDING
    assert "the policy refuses to approve that" in refused[1]
    assert house.reread(request).state is State.REJECTED
    assert house.ticket_status(request) == "Won't Do"


def test_what_nobody_known_trained_cannot_be_ratified_but_can_be_put_back(house: House) -> None:
    house.use_policy(unknown_requester="refuse")
    house.register(user="somebody")
    house.move(1)

    house.approve(house.request(1))
    refused = house.request(1).state, house.whispered("ana")
    house.reject(house.request(1), "Nobody knows who trained it.")

    assert refused[0] is State.PENDING
    assert "the policy refuses to approve that" in refused[1]
    assert house.champion() is None
    assert "champion went back to nobody" in house.card(house.request(1)).all_text
