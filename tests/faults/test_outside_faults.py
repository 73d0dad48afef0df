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
from bot.errors import OutcomeUnknown
from bot.sandbox.faults import Faults
from handlers.attestation.signing import sign
from handlers.registry.apply import sync_target
from tests.fixtures.fault_proxy import fault_proxy
from tests.fixtures.installation import API_TOKEN, Installation
from tests.fixtures.outcomes import assert_promoted_once

pytestmark = pytest.mark.proof

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
def installation(open_installation: Callable[..., Installation], registry: tuple[str, Faults]) -> Installation:
    ready = open_installation(registry_url=registry[0])
    ready.sweep()
    return ready


def misbehave(server: Faults, places: tuple[str, ...], fault: dict[str, object]) -> None:
    for place in places:
        method, _, path = place.rpartition(" ")
        server.add(path=f"{re.escape(path)}$", method=method, **fault)  # type: ignore[arg-type]


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault != "403"])  # which does not pass by itself
def test_a_promotion_comes_right_when_each_thing_fails_once(
    installation: Installation, registry: tuple[str, Faults], fault: str
) -> None:
    version = installation.register()
    installation.ask(version)
    misbehave(installation.slack.faults, IN_SLACK, FAULTS[fault])
    misbehave(installation.jira.faults, IN_JIRA, FAULTS[fault])
    misbehave(registry[1], IN_MLFLOW, FAULTS[fault])

    installation.sweep()
    installation.settle_until(lambda: installation.requests(State.PENDING) and installation.cards())
    request = installation.request(version)
    installation.settle_all()
    installation.click("ana", request, "approve")
    installation.settle_all()

    assert_promoted_once(installation, request)


@pytest.mark.parametrize("fault", ["down", "cut", "malformed"])
def test_a_promotion_comes_right_when_the_decision_meets_the_fault(
    installation: Installation, registry: tuple[str, Faults], fault: str
) -> None:
    request = installation.asked()
    for server, places in (
        (installation.slack.faults, IN_SLACK),
        (installation.jira.faults, IN_JIRA),
        (registry[1], IN_MLFLOW),
    ):
        misbehave(server, places, {**FAULTS[fault], "times": 3})

    installation.click("ana", request, "approve")
    installation.settle_all()

    assert_promoted_once(installation, request)


def test_the_ticket_system_is_down_while_the_card_goes_out(installation: Installation) -> None:
    installation.jira.faults.add("down", times=1_000)

    request = installation.asked()
    without_ticket = installation.card(request).all_text
    installation.jira.faults.clear()
    installation.settle_all()

    assert "GOV-1" not in without_ticket
    assert "GOV-1" in installation.card(request).all_text
    assert len(installation.cards()) == len(installation.jira.issues()) == 1
    assert [link.url for link in installation.jira.remote_links("GOV-1")][-1] == installation.reread(request).card.url  # type: ignore[union-attr]


def test_the_registry_takes_no_calls_while_the_vote_is_cast(
    installation: Installation, registry: tuple[str, Faults]
) -> None:
    request = installation.asked()
    registry[1].add("status", status=429, seconds=2, times=1_000)

    installation.approve(request)
    waiting = installation.card(request).all_text
    registry[1].clear()
    installation.settle_all()

    assert "Approved, waiting for the registry" in waiting
    assert_promoted_once(installation, request)


def test_a_retry_leaves_alone_what_somebody_moved_since_the_answer_was_lost(
    installation: Installation, registry: tuple[str, Faults]
) -> None:
    other, request = installation.register(), installation.asked()
    installation.click("ana", request, "approve")
    sign(request.id, installation.s)
    registry[1].add("cut", path="registered-models/alias$", method="POST")
    with pytest.raises(OutcomeUnknown):
        sync_target(request.id, installation.s)
    lost = installation.champion()

    installation.mlflow.set_registered_model_alias(installation.model, "champion", str(other))
    installation.settle_all()

    assert (lost, installation.champion()) == (request.version.version, other)
    assert installation.reread(request).state is State.STALE
    assert installation.happened(TargetMoved, ApprovalStale) == ["ApprovalStale"]
    assert [again.follows for again in installation.requests(State.PENDING)] == [request.id]


def test_a_vendor_that_says_how_long_to_wait_is_not_asked_before(installation: Installation) -> None:
    installation.slack.faults.add("status", path="chat.postMessage", status=429, seconds=30)
    installation.jira.faults.add("status", path="/issue$", method="POST", status=429, seconds=40)

    installation.ask(installation.register())
    installation.sweep()

    waits = {job.name: job.scheduled_at - job.errors[-1].at for job in installation.unfinished() if job.scheduled_at}
    assert waits["sync_card"] >= timedelta(seconds=29)
    assert waits["sync_ticket"] >= timedelta(seconds=39)


def test_a_revoked_token_parks_the_card_with_a_sentence_and_a_replay_posts_it(installation: Installation) -> None:
    installation.slack.app.revoked = True
    installation.ask(installation.register())
    installation.sweep()
    installation.settle_all()
    parked = installation.s.store.jobs.listing(JobStatus.PARKED)

    installation.slack.app.revoked = False
    assert installation.s.store.jobs.replay_all() == len(parked)
    installation.settle_all()

    assert {job.name for job in parked} == {"sync_card"}
    assert "SLACK_BOT_TOKEN" in parked[0].errors[-1].error
    assert len(installation.cards()) == len(installation.jira.issues()) == 1
    assert installation.unfinished() == []


def test_a_transition_that_jira_does_not_have_parks_the_ticket_and_lists_the_roads(
    open_installation: Callable[..., Installation],
) -> None:
    installation = open_installation(approved="Ship it")
    installation.sweep()
    request = installation.asked()
    installation.approve(request)
    parked = installation.s.store.jobs.listing(JobStatus.PARKED)

    installation.use_policy(approved="Approve")
    installation.s.store.jobs.replay_all()
    installation.settle_all()

    assert {job.name for job in parked} == {"sync_ticket"}
    for road in ('"Start review" (id 11)', '"Approve" (id 21)', '"Decline" (id 31)'):
        assert road in parked[0].errors[-1].error
    assert installation.ticket_status(request) == "Done"
    assert installation.unfinished() == []


@pytest.mark.parametrize(("fault", "status"), [("down", 503), ("403", 502)])
def test_asking_by_the_api_while_the_registry_does_not_answer_says_so(
    installation: Installation, registry: tuple[str, Faults], fault: str, status: int
) -> None:
    wish = {
        "name": installation.model,
        "version": installation.register(),
        "to": "alias:champion",
        "requester": "cy@example.com",
    }
    token = {"Authorization": f"Bearer {API_TOKEN}"}
    registry[1].add(**FAULTS[fault])  # type: ignore[arg-type]

    failed, asked = (
        requests.post(f"{installation.url}/api/requests", json=wish, headers=token, timeout=30) for _ in range(2)
    )

    assert (failed.status_code, asked.status_code) == (status, 201)
    assert (
        f'while reading model "{installation.model}"' in failed.json()["error"] or "refused" in failed.json()["error"]
    )
    assert len(installation.requests()) == 1


def test_a_rejection_comes_right_when_each_thing_fails_once(
    installation: Installation, registry: tuple[str, Faults]
) -> None:
    request = installation.asked()
    installation.click("ana", request, "reject")
    misbehave(installation.slack.faults, IN_SLACK, FAULTS["cut"])
    misbehave(installation.jira.faults, IN_JIRA, FAULTS["cut"])

    installation.slack.submit_view("ana", {"reason": "worse on Sundays"})
    installation.settle_all()

    assert installation.champion() is None
    assert installation.ticket_status(request) == "Won't Do"
    assert (len(installation.jira.comments("GOV-1")), len(installation.cards())) == (
        2,
        1,
    )  # the decision, and the checkpoint over it
    assert installation.happened(RequestRejected, TicketClosed) == ["RequestRejected", "TicketClosed"]
    assert len(installation.slack.direct_messages("bea")) == 1
