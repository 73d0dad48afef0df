"""A promotion while the outside misbehaves: once the fault is over all comes right, once each, and nothing is lost on the way."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
import requests

from bot.domain.events import ApprovalStale, RequestRejected, TargetMoved, TicketClosed
from bot.domain.model import State
from bot.engine.rows import JobStatus
from bot.ports import OutcomeUnknown
from bot.sandbox.faults import Faults
from handlers.attestation.signing import sign
from handlers.registry.apply import sync_target
from tests.fixtures.fault_proxy import fault_proxy
from tests.fixtures.installation import API_TOKEN, House
from tests.fixtures.outcomes import assert_promoted_once

FAULTS: dict[str, dict[str, object]] = {
    "down": {"kind": "down"},
    "slow": {"kind": "slow", "seconds": 0.2},
    "500": {"kind": "status", "status": 500},
    "503": {"kind": "status", "status": 503},
    "403": {"kind": "status", "status": 403},
    "429": {"kind": "status", "status": 429, "seconds": 1},
    "cut": {"kind": "cut"},
    "malformed": {"kind": "malformed"},
}
IN_SLACK = ("chat.postMessage", "chat.update", "conversations.history", "conversations.open", "users.lookupByEmail")
IN_JIRA = ("POST /issue", "POST /comment", "POST /transitions", "POST /remotelink", "/search/jql", "/comment/list")
IN_MLFLOW = (
    "GET /registered-models/get",
    "POST /registered-models/alias",
    "POST /model-versions/set-tag",
    "GET /model-versions/search",
    "GET /runs/get",
)


@pytest.fixture
def registry(mlflow_server: str) -> Iterator[tuple[str, Faults]]:
    """A way to the real MLflow that can be made to misbehave."""
    with fault_proxy(mlflow_server) as proxy:
        yield proxy


@pytest.fixture
def house(open_house: Callable[..., House], registry: tuple[str, Faults]) -> House:
    ready = open_house(registry_url=registry[0])
    ready.sweep()
    return ready


def misbehave(server: Faults, places: tuple[str, ...], fault: dict[str, object]) -> None:
    for place in places:
        method, _, path = place.rpartition(" ")
        server.add(path=f"{re.escape(path)}$", method=method, **fault)  # type: ignore[arg-type]


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault != "403"])  # which does not pass by itself
def test_a_promotion_comes_right_when_each_thing_fails_once(
    house: House, registry: tuple[str, Faults], fault: str
) -> None:
    version = house.register()
    house.ask(version)
    misbehave(house.slack.faults, IN_SLACK, FAULTS[fault])
    misbehave(house.jira.faults, IN_JIRA, FAULTS[fault])
    misbehave(registry[1], IN_MLFLOW, FAULTS[fault])

    house.sweep()
    house.settle_until(lambda: house.requests(State.PENDING) and house.cards())
    request = house.request(version)
    house.settle_all()
    house.click("ana", request, "approve")
    house.settle_all()

    assert_promoted_once(house, request)


@pytest.mark.parametrize("fault", ["down", "cut", "malformed"])
def test_a_promotion_comes_right_when_the_decision_meets_the_fault(
    house: House, registry: tuple[str, Faults], fault: str
) -> None:
    request = house.asked()
    for server, places in ((house.slack.faults, IN_SLACK), (house.jira.faults, IN_JIRA), (registry[1], IN_MLFLOW)):
        misbehave(server, places, {**FAULTS[fault], "times": 3})

    house.click("ana", request, "approve")
    house.settle_all()

    assert_promoted_once(house, request)


def test_the_ticket_system_is_down_while_the_card_goes_out(house: House) -> None:
    house.jira.faults.add("down", times=1_000)

    request = house.asked()
    without_ticket = house.card(request).all_text
    house.jira.faults.clear()
    house.settle_all()

    assert "being opened" in without_ticket
    assert "GOV-1" in house.card(request).all_text
    assert "being opened" not in house.card(request).all_text
    assert len(house.cards()) == len(house.jira.issues()) == 1
    assert [link.url for link in house.jira.remote_links("GOV-1")][-1] == house.reread(request).card.url  # type: ignore[union-attr]


def test_the_registry_is_down_while_the_vote_is_cast(house: House, registry: tuple[str, Faults]) -> None:
    request = house.asked()
    registry[1].add("down", times=1_000)

    house.approve(request)
    waiting = house.card(request).all_text
    registry[1].clear()
    house.settle_all()

    assert "Approved, waiting for the registry" in waiting
    assert_promoted_once(house, request)


def test_a_retry_leaves_alone_what_somebody_moved_since_the_answer_was_lost(
    house: House, registry: tuple[str, Faults]
) -> None:
    other, request = house.register(), house.asked()
    house.click("ana", request, "approve")
    sign(request.id, house.s)
    registry[1].add("cut", path="registered-models/alias$", method="POST")
    with pytest.raises(OutcomeUnknown):
        sync_target(request.id, house.s)
    lost = house.champion()

    house.mlflow.set_registered_model_alias(house.model, "champion", str(other))
    house.settle_all()

    assert (lost, house.champion()) == (request.version.version, other)
    assert house.reread(request).state is State.STALE
    assert house.happened(TargetMoved, ApprovalStale) == ["ApprovalStale"]
    assert [again.follows for again in house.requests(State.PENDING)] == [request.id]


def test_a_vendor_that_says_how_long_to_wait_is_not_asked_before(house: House) -> None:
    house.slack.faults.add("status", path="chat.postMessage", status=429, seconds=30)
    house.jira.faults.add("status", path="/issue$", method="POST", status=429, seconds=40)

    house.ask(house.register())
    house.sweep()

    waits = {job.name: job.scheduled_at - job.errors[-1].at for job in house.unfinished() if job.scheduled_at}
    assert waits["sync_card"] >= timedelta(seconds=29)
    assert waits["sync_ticket"] >= timedelta(seconds=39)


def test_a_revoked_token_parks_the_card_with_a_sentence_and_a_replay_posts_it(house: House) -> None:
    house.slack.app.revoked = True
    house.ask(house.register())
    house.sweep()
    house.settle_all()
    parked = house.s.store.jobs.listing(JobStatus.PARKED)

    house.slack.app.revoked = False
    assert house.s.store.jobs.replay_all() == len(parked)
    house.settle_all()

    assert {job.name for job in parked} == {"sync_card"}
    assert "SLACK_BOT_TOKEN" in parked[0].errors[-1].error
    assert len(house.cards()) == len(house.jira.issues()) == 1
    assert house.unfinished() == []


def test_a_transition_that_jira_does_not_have_parks_the_ticket_and_lists_the_roads(
    open_house: Callable[..., House],
) -> None:
    house = open_house(approved="Ship it")
    house.sweep()
    request = house.asked()
    house.approve(request)
    parked = house.s.store.jobs.listing(JobStatus.PARKED)

    house.use_policy(approved="Approve")
    house.s.store.jobs.replay_all()
    house.settle_all()

    assert {job.name for job in parked} == {"sync_ticket"}
    for road in ('"Start review" (id 11)', '"Approve" (id 21)', '"Decline" (id 31)'):
        assert road in parked[0].errors[-1].error
    assert house.ticket_status(request) == "Done"
    assert house.unfinished() == []


@pytest.mark.parametrize(("fault", "status"), [("down", 503), ("403", 502)])
def test_asking_by_the_api_while_the_registry_does_not_answer_says_so(
    house: House, registry: tuple[str, Faults], fault: str, status: int
) -> None:
    wish = {"name": house.model, "version": house.register(), "to": "alias:champion", "requester": "cy@example.com"}
    token = {"Authorization": f"Bearer {API_TOKEN}"}
    registry[1].add(**FAULTS[fault])  # type: ignore[arg-type]

    failed, asked = (requests.post(f"{house.url}/api/requests", json=wish, headers=token, timeout=30) for _ in range(2))

    assert (failed.status_code, asked.status_code) == (status, 201)
    assert f'while reading model "{house.model}"' in failed.json()["error"] or "refused" in failed.json()["error"]
    assert len(house.requests()) == 1


def test_a_rejection_comes_right_when_each_thing_fails_once(house: House, registry: tuple[str, Faults]) -> None:
    request = house.asked()
    house.click("ana", request, "reject")
    misbehave(house.slack.faults, IN_SLACK, FAULTS["cut"])
    misbehave(house.jira.faults, IN_JIRA, FAULTS["cut"])

    house.slack.submit_view("ana", {"reason": "worse on Sundays"})
    house.settle_all()

    assert house.champion() is None
    assert house.ticket_status(request) == "Won't Do"
    assert (len(house.jira.comments("GOV-1")), len(house.cards())) == (2, 1)  # the decision, and the checkpoint over it
    assert house.happened(RequestRejected, TicketClosed) == ["RequestRejected", "TicketClosed"]
    assert len(house.slack.direct_messages("bea")) == 1
