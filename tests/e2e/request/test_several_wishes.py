"""Several requests for one target: people who ask for the same, and an older version behind newer ones that wait."""

from __future__ import annotations

import pytest
import requests

from bot.domain.events import AskJoined, RequestSuperseded
from bot.domain.model import State
from tests.fixtures.installation import API_TOKEN, Installation


def ask_by_api(installation: Installation, version: int, requester: str, comment: str = "") -> None:
    wish = {
        "name": installation.model,
        "version": version,
        "to": "alias:champion",
        "requester": requester,
        "comment": comment,
    }
    headers = {"Authorization": f"Bearer {API_TOKEN}"}
    answer = requests.post(f"{installation.url}/api/requests", json=wish, headers=headers, timeout=10)
    assert answer.status_code == 201
    installation.settle()


@pytest.mark.proof
def test_who_asks_in_words_for_what_an_alias_asks_already_becomes_a_party_to_it(installation: Installation) -> None:
    request = installation.asked()

    ask_by_api(installation, 1, "ben@example.com", "Spring needs it.")
    joined = installation.card(request).all_text
    installation.approve(request, "ben")
    of_the_joiner = installation.reread(request).votes
    installation.mlflow.delete_registered_model_alias(installation.model, "candidate")
    installation.sweep()
    without_the_alias = installation.reread(request).state
    installation.approve(request, "ana")

    assert [one.id for one in installation.requests()] == [request.id]
    assert "Why: Spring needs it." in joined
    assert "Requested by: Ben Okafor" in joined
    assert of_the_joiner == ()
    assert "someone else must decide it" in installation.told_privately("ben")
    assert without_the_alias is State.PENDING
    assert installation.champion() == 1
    assert f"{installation.model} v1" in installation.told("ben")
    assert installation.happened(AskJoined) == ["AskJoined"]


@pytest.mark.proof
def test_an_older_version_that_asks_by_itself_below_two_that_wait_is_superseded_once(
    installation: Installation,
) -> None:
    older, middle = installation.register(), installation.register()
    newest = installation.asked(installation.register())
    ask_by_api(installation, middle, "cy@example.com")

    installation.mlflow.set_model_version_tag(installation.model, str(older), "countersign.ask", "yes")
    installation.sweep()
    installation.sweep()

    assert [(request.version.version, request.state) for request in installation.requests()] == [
        (newest.version.version, State.PENDING),
        (middle, State.PENDING),
        (older, State.SUPERSEDED),
    ]
    assert installation.happened(RequestSuperseded) == ["RequestSuperseded"]
    assert installation.request(older).outcome.startswith(str(newest.version))
