"""Slack's Socket Mode from the card to the alias, for a bot without a public address; and what it does when things are down."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
from pydantic import SecretStr

from bot.app import socket_handler
from bot.domain.model import State
from bot.sandbox.slack import NO_ANSWER
from bot.services import Services
from tests.fixtures.installation import CHANNEL, House, services_with
from tests.fixtures.outcomes import assert_promoted_once

NOBODY_LISTENS = "postgresql://countersign@127.0.0.1:1/countersign?connect_timeout=2"


@contextmanager
def connected(house: House, s: Services) -> Iterator[None]:
    settings = house.settings.model_copy(update={"slack_app_token": SecretStr(house.slack.app.app_token)})
    handler = socket_handler(s, settings)
    handler.connect()  # type: ignore[no-untyped-call]  # `start` would stay
    assert house.slack.sockets.wait_until_connected(10)
    yield
    handler.close()  # type: ignore[no-untyped-call]


@pytest.fixture
def connect(house: House) -> Iterator[Callable[[Services], None]]:
    """Takes the public address away; from now on everything comes by the socket."""
    house.slack.interactivity_url = None
    with ExitStack() as stack:
        yield lambda s: stack.enter_context(connected(house, s))


def test_an_approval_by_socket_moves_the_alias(house: House, connect: Callable[[Services], None]) -> None:
    connect(house.s)
    request = house.asked()

    status = house.approve(request)

    assert status == 200
    assert_promoted_once(house, request)


def test_a_rejection_by_socket_asks_why_and_a_late_clicker_is_told(
    house: House, connect: Callable[[Services], None]
) -> None:
    connect(house.s)
    request = house.asked()
    late = house.slack.click_payload("ben", CHANNEL, house.card(request).ts, "approve")

    house.reject(request, "worse on Sundays")
    house.slack.send(late)

    assert house.reread(request).outcome == "worse on Sundays"
    assert house.ticket_status(request) == "Won't Do"
    assert [message.all_text.partition(" on ")[0] for message in house.slack.ephemerals("ben")] == [
        "This was already rejected by Ana Ruiz"
    ]


def test_a_click_by_socket_is_not_acknowledged_when_it_was_not_recorded(
    house: House, connect: Callable[[Services], None]
) -> None:
    request = house.asked()
    connect(services_with(house.settings, NOBODY_LISTENS, house.clock))
    house.slack.app.answer_within = 1.0

    status = house.click("ana", request, "approve")

    assert status == NO_ANSWER
    assert house.slack.workspace.troubles["U0ANA000001", house.card(request).ts].startswith("Operation timed out")
    assert house.reread(request).state is State.PENDING
