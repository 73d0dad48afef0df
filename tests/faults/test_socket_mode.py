"""Slack's Socket Mode from the card to the alias, for a bot without a public address; and what it does when things are down."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
from pydantic import SecretStr

from bot.app import socket_handler
from bot.domain.model import SignedBy, State
from bot.sandbox.slack import NO_ANSWER
from bot.services import Services
from config.settings import Settings
from tests.fixtures.installation import CHANNEL, Installation, services_with
from tests.fixtures.outcomes import assert_promoted_once

NOBODY_LISTENS = "postgresql://countersign@127.0.0.1:1/countersign?connect_timeout=2"


def with_socket(installation: Installation) -> Settings:
    return installation.settings.model_copy(update={"slack_app_token": SecretStr(installation.slack.app.app_token)})


@contextmanager
def connected(installation: Installation, s: Services) -> Iterator[None]:
    handler = socket_handler(s, with_socket(installation))
    handler.connect()  # type: ignore[no-untyped-call]  # `start` would stay
    assert installation.slack.sockets.wait_until_connected(10)
    yield
    handler.close()  # type: ignore[no-untyped-call]


@pytest.fixture
def connect(installation: Installation) -> Iterator[Callable[[Services], None]]:
    """Takes the public address away; from now on everything comes by the socket."""
    installation.slack.interactivity_url = None
    url = installation.settings.database_url.get_secret_value()
    installation.s = services_with(
        with_socket(installation), url, installation.clock
    )  # the worker knows that it is used
    with ExitStack() as stack:
        yield lambda s: stack.enter_context(connected(installation, s))
    installation.s.store.engine.dispose()


def test_an_approval_by_socket_moves_the_alias(installation: Installation, connect: Callable[[Services], None]) -> None:
    connect(installation.s)
    request = installation.asked()

    status = installation.approve(request)

    assert status == 200
    assert_promoted_once(installation, request)
    assert [vote.signed_by for vote in installation.reread(request).votes] == [SignedBy.BOT]


@pytest.mark.proof
def test_a_rejection_by_socket_asks_why_and_a_late_clicker_is_told(
    installation: Installation, connect: Callable[[Services], None]
) -> None:
    connect(installation.s)
    request = installation.asked()
    late = installation.slack.click_payload("ben", CHANNEL, installation.card(request).ts, "approve")

    installation.reject(request, "worse on Sundays")
    installation.slack.send(late)

    assert installation.reread(request).outcome == "worse on Sundays"
    assert installation.ticket_status(request) == "Won't Do"
    assert [message.all_text.partition(" on ")[0] for message in installation.slack.ephemerals("ben")] == [
        "This was already rejected by Ana Ruiz"
    ]


def test_a_question_an_answer_and_a_comment_come_by_socket_too(
    installation: Installation, connect: Callable[[Services], None]
) -> None:
    connect(installation.s)
    request = installation.asked()
    installation.click("ana", request, "ask")
    installation.slack.submit_view("ana", {"reason": "Why are the winter weeks missing?"})
    installation.settle()
    question = next(one for one in installation.thread(request) if "answer" in one.buttons)
    installation.slack.click("bea", CHANNEL, question.ts, "answer")
    installation.slack.submit_view("bea", {"reason": "They were too short."})
    reply = installation.slack.say("cy", CHANNEL, "Checked on them", thread_ts=installation.card(request).ts)
    installation.slack.use_shortcut("ana", CHANNEL, reply.ts, "countersign.record")
    installation.settle()

    said = installation.reread(request).conversation
    assert [(one.text, one.answer) for one in said.questions] == [
        ("Why are the winter weeks missing?", "They were too short.")
    ]
    assert [one.text for one in said.comments] == ["Checked on them"]
    assert "Added to the record" in installation.told_privately("ana")


def test_a_click_by_socket_is_not_acknowledged_when_it_was_not_recorded(
    installation: Installation, connect: Callable[[Services], None]
) -> None:
    request = installation.asked()
    connect(services_with(installation.settings, NOBODY_LISTENS, installation.clock))
    installation.slack.app.answer_within = 1.0

    status = installation.click("ana", request, "approve")

    assert status == NO_ANSWER
    assert installation.slack.workspace.troubles["U0ANA000001", installation.card(request).ts].startswith(
        "Operation timed out"
    )
    assert "your click may not be recorded. Press again in a minute" in installation.told_privately("ana")
    assert installation.reread(request).state is State.PENDING
