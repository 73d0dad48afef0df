"""Two at once: two people, two requests, two processes, ten askers. One of them wins, the others are told, nothing happens twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier
from typing import TypeVar

import pytest
import requests

from bot.app import effects_of
from bot.domain.events import (
    CardPosted,
    EvidenceFrozen,
    RequestApproved,
    RequestOpened,
    RequestRejected,
    TargetMoved,
    VoteCast,
)
from bot.domain.model import Ask, AskKind, Evidence, Refused, State, Target, TransitionRequest, VersionId
from bot.domain.references import PostedCard
from bot.domain.request import lifecycle
from bot.domain.request.lifecycle import NewRequest
from bot.ports import Click
from bot.services import Services
from bot.store.transaction import new_request_id
from handlers.attestation.signing import sign
from handlers.notify.card_and_ticket import sync_card
from handlers.registry.apply import sync_target
from handlers.request.approvals import press
from handlers.request.asking import request_transition
from handlers.request.evidence import freeze_evidence
from tests.fixtures.installation import API_TOKEN, House, services_with
from tests.fixtures.outcomes import assert_promoted_once
from tests.fixtures.workers import eventually

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


def a_pending_request(house: House, number: int) -> TransitionRequest:
    """Straight into the store, with a card that nobody has posted: only the vote is of interest."""
    now = datetime.now(UTC)
    version = VersionId("default", house.model, number, now)
    evidence = Evidence("source", None, None, "", (), {}, {}, "http://mlflow.example/v", None, None)
    card = PostedCard(
        house.slack.team_id, house.slack.app_id, "C0SANDBOX01", f"{number}.000001", "http://slack.example"
    )
    with house.s.store.transaction() as tx:
        rule = tx.policy().rule_for("default", house.model, CHAMPION)
        assert rule is not None
        new = NewRequest(version, CHAMPION, Ask(AskKind.API))
        opened = lifecycle.open_request(new, new_request_id(), rule, tx.policy().rule_hash(rule), now)
        author = tx.people.get_or_add("bea@example.com", "Bea Baker").id
        frozen = EvidenceFrozen(now, opened.request_id, evidence, author, opened.rule_hash)
        tx.record([opened, frozen, CardPosted(now, opened.request_id, card)])
        return tx.get_request(opened.request_id)


def pressing(house: House, request: TransitionRequest, account: str, action: str) -> Callable[[], object]:
    card = request.card
    assert card is not None
    place = (card.team, card.app, card.channel, card.message)
    return lambda: press(Click(*place, account, action, request.id, "none", "because"), house.s)


def clicking(house: House, request: TransitionRequest, person: str) -> Callable[[], int]:
    return lambda: house.click(person, request, "approve")


@pytest.mark.parametrize("actions", [("approve", "approve"), ("approve", "reject")], ids=" and ".join)
def test_two_people_in_the_same_instant_make_one_decision(house: House, actions: tuple[str, str]) -> None:
    pending = [a_pending_request(house, number) for number in range(1, ROUNDS + 1)]

    answers = [
        at_once(
            *(pressing(house, request, account, action) for account, action in zip((ANA, BEN), actions, strict=True))
        )
        for request in pending
    ]

    for request, said in zip(pending, answers, strict=True):
        decided = house.reread(request)
        (vote,) = decided.votes
        assert decided.state is (State.APPROVED if vote.verdict == "approve" else State.REJECTED)
        (late,) = [answer for answer in said if isinstance(answer, str)]
        assert late.startswith(f"this was already {decided.state} by {'Ana' if said.index(late) else 'Ben'}")
    assert len(house.happened(VoteCast)) == len(house.happened(RequestApproved, RequestRejected)) == ROUNDS
    assert house.ledger_fault() is None


def test_two_clicks_in_the_same_instant_make_one_decision_over_http_too(house: House) -> None:
    for _ in range(2):
        request = house.asked()
        before = len(house.happened(VoteCast))

        statuses = at_once(*(clicking(house, request, person) for person in ("ana", "ben")))
        house.settle()

        assert statuses == [200, 200]
        assert len(house.happened(VoteCast)) == before + 1
        assert_promoted_once(house, request)
    whispered = [message.all_text for name in ("ana", "ben") for message in house.slack.ephemerals(name)]
    assert [text.partition(" by ")[0] for text in whispered] == ["This was already approved"] * 2


@pytest.fixture
def rivals(house: House) -> list[TransitionRequest]:
    """Two versions, each approved for the same alias, neither applied yet."""
    asked = [
        request_transition(house.model, house.register(), CHAMPION, "cy@example.com", "", Ask(AskKind.API), house.s)
    ]
    freeze_evidence(asked[0].id, house.s)
    sync_card(asked[0].id, house.s)
    house.click("ana", asked[0], "approve")
    asked.append(
        request_transition(house.model, house.register(), CHAMPION, "cy@example.com", "", Ask(AskKind.API), house.s)
    )
    freeze_evidence(asked[1].id, house.s)
    sync_card(asked[1].id, house.s)
    house.click("ana", asked[1], "approve")
    assert [house.reread(request).state for request in asked] == [State.APPROVED, State.APPROVED]
    return asked


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["older first", "newer first"])
def test_of_two_approved_requests_for_one_alias_the_second_to_be_applied_is_asked_again(
    house: House, rivals: list[TransitionRequest], order: Sequence[int]
) -> None:
    first, second = (rivals[place] for place in order)
    sign(first.id, house.s)
    sign(second.id, house.s)

    sync_target(first.id, house.s)
    sync_target(second.id, house.s)
    house.settle()

    assert house.champion() == first.version.version
    assert [house.reread(request).state for request in (first, second)] == [State.APPLIED, State.STALE]
    (again,) = house.requests(State.PENDING)
    assert (again.follows, again.version) == (second.id, second.version)
    assert house.happened(TargetMoved) == ["TargetMoved"]
    assert house.unfinished() == []


def test_ten_who_ask_for_the_same_at_once_are_asking_once(house: House) -> None:
    wish = {"name": house.model, "version": house.register(), "to": "alias:champion", "requester": "cy@example.com"}
    token = {"Authorization": f"Bearer {API_TOKEN}"}

    answers = at_once(*[lambda: requests.post(f"{house.url}/api/requests", json=wish, headers=token, timeout=30)] * 10)
    house.settle()

    told = {(answer.status_code, answer.json()["id"]) for answer in answers if not isinstance(answer, str)}
    (request,) = house.requests()
    assert told == {(201, request.id)}
    assert house.happened(RequestOpened) == ["RequestOpened"]
    assert len(house.cards()) == len(house.jira.issues()) == 1


def draining(s: Services) -> Callable[[], None]:
    return lambda: s.store.jobs.drain(effects_of(s))


def test_two_workers_on_one_database_make_one_card_and_one_ticket(house: House) -> None:
    url = house.settings.database_url.get_secret_value()
    replicas = [services_with(house.settings, url, house.clock) for _ in range(2)]
    version = house.register()
    house.ask(version)

    def work_together() -> bool:
        at_once(*(draining(s) for s in replicas))
        return bool(house.requests(State.PENDING)) and house.request(version).card is not None

    with house.s.store.transaction() as tx:
        tx.defer("sweep_models", "", "clock:sweep_models", once=True)
    eventually(work_together)
    house.click("ana", house.request(version), "approve")
    work_together()
    house.settle_all()

    assert_promoted_once(house, house.request(version))
    for s in replicas:
        s.store.engine.dispose()
