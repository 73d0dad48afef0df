"""The outcomes of many requests that end at once are one message to who asked; of a few, a message each."""

from __future__ import annotations

import pytest

from bot.domain.model import Ask, AskKind, Target
from handlers.request.asking import request_transition
from tests.fixtures.installation import Installation


def asked_by_cy(installation: Installation, count: int) -> None:
    for number in range(count):
        model = f"{installation.model}-{number}"
        version = installation.register(model=model)
        target, ask = Target.parse("alias:champion"), Ask(AskKind.COMMAND)
        request_transition(model, version, target, "cy@example.com", "", ask, installation.s)
    installation.settle_all()


def expire_all(installation: Installation) -> None:
    latest = max(one.expires_at for one in installation.requests() if one.expires_at)
    installation.clock.ahead += latest - installation.clock.now()
    installation.sweep("expire_requests")
    installation.settle_all()


@pytest.mark.proof
def test_six_that_expire_at_once_are_one_message_with_each_of_them(installation: Installation) -> None:
    asked_by_cy(installation, 6)
    expire_all(installation)

    (message,) = installation.slack.direct_messages("cy")
    assert "News of 6 requests of yours" in message.all_text
    assert all(f"{one.version.model} v1 → champion" in message.all_text for one in installation.requests())
    assert message.all_text.count("Ask again") + message.all_text.count("ask again") >= 6
    assert installation.unfinished() == []


def test_three_at_once_are_three_messages(installation: Installation) -> None:
    asked_by_cy(installation, 3)
    expire_all(installation)

    assert len(installation.slack.direct_messages("cy")) == 3


@pytest.mark.parametrize("fault", ["cut", pytest.param("malformed", marks=pytest.mark.proof)])
def test_the_one_message_whose_post_got_no_answer_is_not_sent_twice(installation: Installation, fault: str) -> None:
    asked_by_cy(installation, 6)
    installation.slack.workspace.now = lambda: installation.clock.now().timestamp()
    installation.slack.faults.add(fault, "/api/chat.postMessage")
    expire_all(installation)

    assert len(installation.slack.direct_messages("cy")) == 1
    assert installation.unfinished() == []
