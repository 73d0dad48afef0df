"""Deadlines: reminders in working hours, then escalation to a second group, then expiry."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from time import time as real_time

import pytest

from bot.domain.events import ReminderDue, RequestApproved, RequestEscalated
from bot.domain.model import Ask, AskKind, State, Target, TransitionRequest
from bot.sandbox.slack import Message
from handlers.request.asking import request_transition
from tests.fixtures.installation import Installation

RISK = "risk: {people: [cy@example.com]}"
ESCALATES = "remind_after: 4h\nescalate: {after: 8h, group: risk}"
MONDAY, TUESDAY, FRIDAY = 0, 1, 4
AFTER_TWO_HOURS_ON_FRIDAY = (
    (FRIDAY, "20:00"),
    (MONDAY, "08:30"),
    (MONDAY, "10:30"),
    (MONDAY, "11:30"),
    (MONDAY, "15:00"),
    (MONDAY, "15:45"),
)


@pytest.fixture
def go_to(installation: Installation) -> Callable[[int, str], None]:
    """Puts the bot's clock to a time (UTC) of a day: a Friday to come, or a day of the week after it."""
    today = datetime.now(UTC).date()
    friday = today + timedelta(days=(FRIDAY - today.weekday()) % 7 or 7)

    def go(day: int, at: str) -> None:
        date = friday if day == FRIDAY else friday + timedelta(days=3 + day)
        installation.clock.ahead = datetime.combine(date, time.fromisoformat(at), UTC) - datetime.now(UTC)

    return go


def replies(installation: Installation, request: TransitionRequest) -> list[Message]:
    """The replies under the card, without its details."""
    return [message for message in installation.thread(request) if "Details: " not in message.all_text]


def remind(installation: Installation) -> None:
    installation.sweep("remind_people")


def test_who_is_missing_is_reminded_privately_in_working_hours_and_once(
    installation: Installation, go_to: Callable[[int, str], None]
) -> None:
    installation.use_policy(extra="remind_after: 4h")
    go_to(FRIDAY, "16:00")
    request = installation.asked()
    told = []
    for day, at in AFTER_TWO_HOURS_ON_FRIDAY:
        go_to(day, at)
        remind(installation)
        remind(installation)
        told.append(len(installation.slack.direct_messages("ana")))

    first = installation.slack.direct_messages("ana")[0].all_text
    assert told == [0, 0, 0, 1, 1, 2]
    assert "1 request waits for you" in first
    assert f"{request.version} → champion" in first
    assert "Needs 1 approval: 1 of ml-leads." in first
    assert len(installation.slack.direct_messages("ben")) == 2
    assert installation.slack.direct_messages("bea") == []  # she has trained it
    assert replies(installation, request) == []
    assert installation.happened(ReminderDue) == ["ReminderDue"] * 2


@pytest.mark.proof
def test_a_reminder_that_is_run_twice_is_posted_once_and_none_follows_the_decision(
    installation: Installation, go_to: Callable[[int, str], None]
) -> None:
    installation.use_policy(extra="remind_after: 4h")
    go_to(MONDAY, "09:00")
    request = installation.asked()
    go_to(MONDAY, "14:00")
    installation.slack.workspace.now = lambda: (
        installation.clock.now().timestamp()
    )  # what was lost is looked for by its time
    installation.slack.faults.add("cut", path="chat.postMessage$")
    remind(installation)
    installation.settle_all()
    with installation.s.store.transaction() as tx:
        tx.defer("remind", request.id, f"slack:{request.id}")
    installation.settle()
    while_it_waited = len(installation.slack.direct_messages("ana"))

    installation.slack.workspace.now = real_time  # which a click is signed with
    installation.approve(request)
    go_to(TUESDAY, "14:00")
    remind(installation)

    assert while_it_waited == len(installation.slack.direct_messages("ana")) == 1
    assert len(installation.slack.direct_messages("ben")) == 1
    assert installation.unfinished() == []


def test_a_second_group_may_stand_in_after_a_time_and_not_before(
    installation: Installation, go_to: Callable[[int, str], None]
) -> None:
    installation.use_policy(extra=ESCALATES, groups=RISK)
    go_to(MONDAY, "09:00")
    request = installation.asked()
    go_to(MONDAY, "16:30")
    remind(installation)
    installation.approve(request, "cy")
    before = installation.reread(request).state, installation.told_privately("cy")

    go_to(MONDAY, "17:30")
    remind(installation)
    card, reply = installation.card(request).all_text, replies(installation, request)[-1]
    installation.approve(request, "cy")

    assert before == (State.PENDING, "Only members of ml-leads may decide this. Ask one of them.")
    assert "Members of risk may stand in since" in card
    assert '"user_id": "U0CY0000003"' in str(reply.blocks).replace("'", '"')
    assert installation.champion() == 1
    assert "Cy Lindqvist approved (" in installation.card(request).all_text
    assert "(ml-leads" in installation.card(request).all_text
    assert installation.happened(RequestEscalated) == ["RequestEscalated"]


def test_a_vote_that_was_cast_before_counts_for_the_second_group_as_soon_as_that_is_let_in(
    installation: Installation, go_to: Callable[[int, str], None]
) -> None:
    """Ana is in the second group as well, so that her place in the first one is Ben's."""
    groups = f"{RISK}\ndirectors: {{people: [ana@example.com]}}"
    both = "[{group: ml-leads, quorum: 1}, {group: risk, quorum: 1}]"
    installation.use_policy(groups=groups, all_of=both, extra="escalate: {after: 8h, group: directors}")
    go_to(MONDAY, "09:00")
    request = installation.asked()
    for person in ("ana", "ben"):
        installation.approve(request, person)
    before = installation.reread(request).state

    go_to(MONDAY, "17:30")
    remind(installation)

    assert before is State.PENDING
    assert installation.reread(request).state is State.APPLIED
    assert installation.champion() == 1
    assert installation.happened(RequestEscalated, RequestApproved) == ["RequestEscalated", "RequestApproved"]


def test_whoever_asked_is_told_that_nobody_decided_in_time_and_what_to_do(installation: Installation) -> None:
    target, ask = Target.parse("alias:champion"), Ask(AskKind.COMMAND)
    request = request_transition(
        installation.model, installation.register(), target, "cy@example.com", "", ask, installation.s
    )
    installation.settle()
    assert request.expires_at is not None

    installation.clock.ahead = request.expires_at - installation.clock.now()
    installation.sweep("expire_requests")
    installation.sweep("expire_requests")

    assert installation.reread(request).state is State.EXPIRED
    assert len(installation.slack.direct_messages("cy")) == 1
    assert "nobody decided in time" in installation.told("cy")
    assert "Tell the approvers why it matters before you ask again." in installation.told("cy")
