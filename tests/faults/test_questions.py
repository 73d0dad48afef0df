"""A question and its answer while Slack and Jira misbehave: each is in the thread once and on the ticket once, whatever failed."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from bot.domain.events import QuestionAnswered, QuestionAsked, QuestionPosted
from tests.e2e.conversation.test_questions import BECAUSE, WHY, asked_by_cy, question
from tests.faults.test_outside_faults import FAULTS
from tests.fixtures.installation import CHANNEL, Installation

pytestmark = pytest.mark.proof

PLACES = ("chat.postMessage", "chat.update", "conversations.replies", "conversations.history", "users.lookupByEmail")


def misbehave(installation: Installation, fault: str) -> None:
    for place in PLACES:
        installation.slack.faults.add(path=f"{re.escape(place)}$", **FAULTS[fault])  # type: ignore[arg-type]
    installation.jira.faults.add(path="/comment$", method="POST", **FAULTS[fault])  # type: ignore[arg-type]


def send(installation: Installation, person: str, text: str) -> None:
    installation.slack.submit_view(person, {"reason": text})
    installation.settle_once()
    installation.clock.ahead += timedelta(minutes=2)
    installation.make_jobs_due()
    installation.settle_all()


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault != "403"])  # which does not pass by itself
def test_each_is_shown_once_when_each_thing_fails_once(installation: Installation, fault: str) -> None:
    request = asked_by_cy(installation)
    installation.slack.workspace.now = lambda: installation.clock.now().timestamp()
    installation.click("ana", request, "ask")
    misbehave(installation, fault)
    send(installation, "ana", WHY)
    installation.slack.faults.clear()
    installation.slack.click("cy", CHANNEL, question(installation, request).ts, "answer")
    misbehave(installation, fault)
    send(installation, "cy", BECAUSE)

    texts = [one.all_text for one in installation.thread(request)]
    comments = installation.comments(request)
    assert [sum(title in text for text in texts) for title in ("Question about", "Answer about")] == [1, 1]
    assert [comments.count(said) for said in (WHY, BECAUSE)] == [1, 1]
    assert installation.happened(QuestionAsked, QuestionPosted, QuestionAnswered) == [
        "QuestionAsked",
        "QuestionPosted",
        "QuestionAnswered",
    ]
    assert installation.unfinished() == []
