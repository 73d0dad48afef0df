"""Two at once: two people, two requests, two processes, ten askers. One of them wins, the others get an answer, nothing happens twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier
from typing import TypeVar

import pytest
import requests

from bot.domain.events import (
    CardPosted,
    EvidenceFrozen,
    RequestApproved,
    RequestOpened,
    RequestRejected,
    TargetMoved,
    VoteCast,
)
from bot.domain.model import Ask, AskKind, Evidence, State, Target, TransitionRequest, VersionId
from bot.domain.references import PostedCard
from bot.domain.request import lifecycle
from bot.domain.request.lifecycle import NewRequest
from bot.domain.request.shown import shown_on
from bot.errors import Refused
from bot.ports import Click
from bot.services import Services
from bot.store.requests import new_request_id
from handlers.attestation.signing import sign
from handlers.effects import effects_of
from handlers.notify.card_and_ticket import sync_card
from handlers.registry.apply import sync_target
from handlers.request.approvals import press
from handlers.request.asking import request_transition
from handlers.request.evidence import freeze_evidence
from tests.fixtures.installation import API_TOKEN, Installation, services_with
from tests.fixtures.outcomes import assert_promoted_once
from tests.fixtures.workers import eventually

pytestmark = pytest.mark.proof

T = TypeVar("T")
CHAMPION = Target.parse("alias:champion")
ROUNDS = 10
ANA, BEN = "U0ANA000001", "U0BEN000002"


def at_once(*deeds: Callable[[], T]) -> list[T | str]:
    """What each returned, or the sentence with which it was refused."""
    start = Barrier(len(deeds))

    def go(deed: Callable[[], T]) -> T | str:
        start.wait(10)
        try:
            return deed()
        except Refused as refusal:
            return str(refusal)

    with ThreadPoolExecutor(len(deeds)) as threads:
        return list(threads.map(go, deeds))


def a_pending_request(installation: Installation, number: int) -> TransitionRequest:
    """Straight into the store, with a card that was never posted: only the vote is of interest."""
    now = datetime.now(UTC)
    version = VersionId("default", installation.model, number, now)
    evidence = Evidence("source", None, None, "", (), {}, {}, "http://mlflow.example/v", None, None)
    card = PostedCard(
        installation.slack.team_id, installation.slack.app_id, "C0SANDBOX01", f"{number}.000001", "http://slack.example"
    )
    with installation.s.store.transaction() as tx:
        rule = tx.policy().rule_for("default", installation.model, CHAMPION)
        assert rule is not None
        new = NewRequest(version, CHAMPION, Ask(AskKind.API))
        opened = lifecycle.open_request(new, new_request_id(), rule, tx.policy().rule_hash(rule), now)
        author = tx.people.get_or_add("bea@example.com", "Bea Baker").id
        frozen = EvidenceFrozen(now, opened.request_id, evidence, author, opened.rule_hash)
        tx.record([opened, frozen, CardPosted(now, opened.request_id, card)])
        return tx.requests.get(opened.request_id)


def pressing(installation: Installation, request: TransitionRequest, account: str, action: str) -> Callable[[], object]:
    card = request.card
    assert card is not None
    place = (card.team, card.app, card.channel, card.message)
    click = Click(*place, account, action, request.id, "none", "because", shown=shown_on(request, request.rule_hash))
    return lambda: press(click, installation.s)


def clicking(installation: Installation, request: TransitionRequest, person: str) -> Callable[[], int]:
    return lambda: installation.click(person, request, "approve")


@pytest.mark.parametrize("actions", [("approve", "approve"), ("approve", "reject")], ids=" and ".join)
def test_two_people_in_the_same_instant_make_one_decision(installation: Installation, actions: tuple[str, str]) -> None:
    pending = [a_pending_request(installation, number) for number in range(1, ROUNDS + 1)]

    answers = [
        at_once(
            *(
                pressing(installation, request, account, action)
                for account, action in zip((ANA, BEN), actions, strict=True)
            )
        )
        for request in pending
    ]

    for request, said in zip(pending, answers, strict=True):
        decided = installation.reread(request)
        (vote,) = decided.votes
        assert decided.state is (State.APPROVED if vote.verdict == "approve" else State.REJECTED)
        (late,) = [answer for answer in said if isinstance(answer, str)]
        assert late.startswith(f"this was already {decided.state} by {'Ana' if said.index(late) else 'Ben'}")
    assert (
        len(installation.happened(VoteCast)) == len(installation.happened(RequestApproved, RequestRejected)) == ROUNDS
    )
    assert installation.ledger_fault() is None


def test_two_clicks_in_the_same_instant_make_one_decision_over_http_too(installation: Installation) -> None:
    for _ in range(2):
        request = installation.asked()
        before = len(installation.happened(VoteCast))

        statuses = at_once(*(clicking(installation, request, person) for person in ("ana", "ben")))
        installation.settle()

        assert statuses == [200, 200]
        assert len(installation.happened(VoteCast)) == before + 1
        assert_promoted_once(installation, request)
    told_privately = [message.all_text for name in ("ana", "ben") for message in installation.slack.ephemerals(name)]
    assert [text.partition(" by ")[0] for text in told_privately] == ["This was already approved"] * 2


@pytest.fixture
def rivals(installation: Installation) -> list[TransitionRequest]:
    """Two versions, each approved for the same alias, neither applied yet."""
    asked = [
        request_transition(
            installation.model,
            installation.register(),
            CHAMPION,
            "cy@example.com",
            "",
            Ask(AskKind.API),
            installation.s,
        )
    ]
    freeze_evidence(asked[0].id, installation.s)
    sync_card(asked[0].id, installation.s)
    installation.click("ana", asked[0], "approve")
    asked.append(
        request_transition(
            installation.model,
            installation.register(),
            CHAMPION,
            "cy@example.com",
            "",
            Ask(AskKind.API),
            installation.s,
        )
    )
    freeze_evidence(asked[1].id, installation.s)
    sync_card(asked[1].id, installation.s)
    installation.click("ana", asked[1], "approve")
    assert [installation.reread(request).state for request in asked] == [State.APPROVED, State.APPROVED]
    return asked


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["older first", "newer first"])
def test_of_two_approved_requests_for_one_alias_the_newer_is_applied(
    installation: Installation, rivals: list[TransitionRequest], order: Sequence[int]
) -> None:
    older, newer = rivals
    for place in order:
        sign(rivals[place].id, installation.s)

    for place in order:
        sync_target(rivals[place].id, installation.s)
    installation.settle()

    assert installation.champion() == newer.version.version
    assert [installation.reread(request).state for request in (older, newer)] == [State.STALE, State.APPLIED]
    assert f"{newer.version} was approved for alias:champion later" in installation.card(older).all_text
    assert installation.requests(State.PENDING) == []
    assert installation.happened(TargetMoved) == ["TargetMoved"]
    assert installation.unfinished() == []


def test_ten_who_ask_for_the_same_at_once_are_asking_once(installation: Installation) -> None:
    wish = {
        "name": installation.model,
        "version": installation.register(),
        "to": "alias:champion",
        "requester": "cy@example.com",
    }
    token = {"Authorization": f"Bearer {API_TOKEN}"}

    answers = at_once(
        *[lambda: requests.post(f"{installation.url}/api/requests", json=wish, headers=token, timeout=30)] * 10
    )
    installation.settle()

    told = {(answer.status_code, answer.json()["id"]) for answer in answers if not isinstance(answer, str)}
    (request,) = installation.requests()
    assert told == {(201, request.id)}
    assert installation.happened(RequestOpened) == ["RequestOpened"]
    assert len(installation.cards()) == len(installation.jira.issues()) == 1


def draining(s: Services) -> Callable[[], None]:
    return lambda: s.store.jobs.drain(effects_of(s))


def test_two_workers_on_one_database_make_one_card_and_one_ticket(installation: Installation) -> None:
    url = installation.settings.database_url.get_secret_value()
    replicas = [services_with(installation.settings, url, installation.clock) for _ in range(2)]
    version = installation.register()
    installation.ask(version)

    def work_together() -> bool:
        at_once(*(draining(s) for s in replicas))
        return bool(installation.requests(State.PENDING)) and installation.request(version).card is not None

    with installation.s.store.transaction() as tx:
        tx.defer("sweep_models", "", "clock:sweep_models", once=True)
    eventually(work_together)
    installation.click("ana", installation.request(version), "approve")
    work_together()
    installation.settle_all()

    assert_promoted_once(installation, installation.request(version))
    for s in replicas:
        s.store.engine.dispose()
