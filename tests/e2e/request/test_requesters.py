"""Who asks and who trained: known, unknown, or spelled in another way. Separation of duties hangs on it."""

from __future__ import annotations

import pytest
import requests

from bot.domain.model import Ask, AskKind, State, Target, TransitionRequest
from bot.errors import Refused
from handlers.request import asking
from tests.fixtures.installation import API_TOKEN, Installation

CHAMPION = Target.parse("alias:champion")
NONSENSE = ["", "ben", "@", "ben@", "ben okafor@example.com", "ben@example.com, cy@example.com", "x" * 320 + "@e.com"]


def post(installation: Installation, requester: str) -> requests.Response:
    wish = {"name": installation.model, "version": 1, "to": "alias:champion", "requester": requester}
    headers = {"Authorization": f"Bearer {API_TOKEN}"}
    return requests.post(f"{installation.url}/api/requests", json=wish, headers=headers, timeout=10)


def ask_in_words(installation: Installation, requester: str) -> TransitionRequest:
    """What `countersign request-transition` does beside the bot."""
    return asking.request_transition(
        installation.model, 1, CHAMPION, requester, "", Ask(AskKind.COMMAND), installation.s
    )


@pytest.mark.parametrize("road", ["api", "command line"])
def test_however_an_address_is_spelled_it_is_the_same_person_who_may_not_decide(
    installation: Installation, road: str
) -> None:
    installation.register()

    if road == "api":
        assert post(installation, " Ben@Example.com ").status_code == 201
    else:
        ask_in_words(installation, " Ben@Example.com ")
    installation.settle()
    installation.approve(installation.request(1), "ben")

    assert "Requested by: Ben Okafor" in installation.card(installation.request(1)).all_text
    assert "someone else must decide it" in installation.told_privately("ben")
    assert installation.request(1).state is State.PENDING


def test_an_address_that_is_none_is_refused_with_a_sentence(installation: Installation) -> None:
    installation.register()

    answers = [post(installation, nonsense) for nonsense in NONSENSE]
    for nonsense in NONSENSE:
        with pytest.raises(Refused, match=r"is no e-mail address\. Name the one who asks"):
            ask_in_words(installation, nonsense)

    assert [answer.status_code for answer in answers] == [400] * len(NONSENSE)
    for answer in answers:
        assert "is no e-mail address. Name the one who asks by the address that Slack knows" in answer.json()["error"]
    assert installation.requests() == []


def test_an_author_whom_nobody_can_name_costs_one_more_vote_where_only_the_author_matters(
    installation: Installation,
) -> None:
    installation.use_policy(unknown_requester="author_only")
    request = installation.asked(installation.register(user="somebody"))

    installation.approve(request, "ana")
    after_one = installation.reread(request).state, installation.card(request).all_text
    installation.approve(request, "ben")

    assert after_one[0] is State.PENDING
    assert "Needs 1 more approval: 1 more because the author is unknown" in after_one[1]
    assert installation.champion() == 1


def test_what_nobody_known_asks_for_cannot_be_approved_but_can_be_rejected(installation: Installation) -> None:
    installation.use_policy(unknown_requester="refuse")
    request = installation.asked()

    installation.approve(request)
    refused = installation.reread(request).state, installation.told_privately("ana")
    installation.reject(request, "Nobody knows who wants it.")

    assert refused[0] is State.PENDING
    assert "the policy refuses to approve that" in refused[1]
    assert installation.reread(request).state is State.REJECTED
    assert installation.ticket_status(request) == "Won't Do"


@pytest.mark.proof
def test_what_nobody_known_trained_cannot_be_ratified_but_can_be_put_back(installation: Installation) -> None:
    installation.use_policy(unknown_requester="refuse")
    installation.register(user="somebody")
    installation.move(1)

    installation.approve(installation.request(1))
    refused = installation.request(1).state, installation.told_privately("ana")
    installation.reject(installation.request(1), "Nobody knows who trained it.")

    assert refused[0] is State.PENDING
    assert "the policy refuses to approve that" in refused[1]
    assert installation.champion() is None
    assert "champion is unassigned again" in installation.card(installation.request(1)).all_text
