"""Reminders of one person are one message, to whom each vote is missing of, and not to who is away, has voted or may not vote."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.model import State, TransitionRequest
from bot.sandbox.slack.wire import every_object
from handlers.reminders.people import remind_person
from tests.e2e.notify.test_shared_cards import ask_for
from tests.fixtures.installation import Installation

ANA, BEN = "U0ANA000001", "U0BEN000002"
MONDAY = 0


@pytest.fixture
def at_monday(installation: Installation) -> Callable[[str], None]:
    """Puts the bot's clock to a time (UTC) of the Monday to come."""
    today = datetime.now(UTC).date()
    monday = today + timedelta(days=(MONDAY - today.weekday()) % 7 or 7)

    def go(at: str) -> None:
        moment = datetime.combine(monday, datetime.strptime(at, "%H:%M").time(), UTC)  # noqa: DTZ007
        installation.clock.ahead = moment - datetime.now(UTC)

    return go


@pytest.fixture
def three_wait(installation: Installation, at_monday: Callable[[str], None]) -> list[TransitionRequest]:
    installation.use_policy(extra="remind_after: 4h")
    at_monday("09:00")
    ask_for(installation, 3)
    installation.sweep()
    installation.settle_all()
    at_monday("13:30")
    return installation.requests()


def remind(installation: Installation) -> None:
    installation.sweep("remind_people")
    installation.settle_all()


def direct(installation: Installation, person: str) -> list[str]:
    return [message.all_text for message in installation.slack.direct_messages(person)]


def test_three_that_wait_are_one_message_to_each_and_none_in_any_thread(
    installation: Installation, three_wait: list[TransitionRequest]
) -> None:
    said = len(installation.slack.messages("model-approvals"))
    mentioned = len(installation.slack.workspace.notified)
    remind(installation)
    remind(installation)

    (to_ana,), (to_ben,) = direct(installation, "ana"), direct(installation, "ben")
    assert "3 requests wait for you" in to_ana
    assert all(f"{one.version.model} v1 → champion" in to_ana and one.version.model in to_ben for one in three_wait)
    links = {
        str(part["url"])
        for part in every_object(list(installation.slack.direct_messages("ana")[0].blocks))
        if "url" in part
    }
    assert links == {card.url for one in three_wait if (card := installation.reread(one).card)}
    assert len(installation.slack.messages("model-approvals")) == said
    assert len(installation.slack.workspace.notified) == mentioned


def test_who_has_voted_is_not_reminded_of_it_and_who_is_left_is(
    installation: Installation, at_monday: Callable[[str], None]
) -> None:
    installation.use_policy(extra="remind_after: 4h", quorum=2)
    at_monday("09:00")
    request = installation.asked()
    installation.approve(request, "ana")
    at_monday("13:30")
    remind(installation)

    assert (direct(installation, "ana"), len(direct(installation, "ben"))) == ([], 1)
    assert installation.reread(request).state is State.PENDING


def test_the_delegate_of_who_is_away_is_reminded_in_their_place(
    installation: Installation, at_monday: Callable[[str], None]
) -> None:
    installation.use_policy(
        extra="remind_after: 4h",
        groups="leads: {people: [ana@example.com]}\nrisk: {people: [ben@example.com]}",
        all_of="[{group: leads, quorum: 1}, {group: risk, quorum: 1}]",
    )
    at_monday("09:00")
    request = installation.asked()
    day = (installation.clock.now() + timedelta(days=3)).date()
    installation.slack.command("ana", "/countersign", f"away until {day} -> cy@example.com")
    installation.approve(request, "ben")
    installation.settle_all()
    before = direct(installation, "cy")
    at_monday("13:30")
    remind(installation)

    assert installation.reread(request).state is State.PENDING
    (reminder,) = direct(installation, "cy")[len(before) :]
    assert f"{request.version} → champion" in reminder
    assert "wait" not in "\n".join(direct(installation, "ana"))
    assert direct(installation, "ben") == []

    installation.approve(request, "cy")
    assert installation.reread(request).state is State.APPLIED


def test_whom_no_account_is_known_of_is_named_in_the_thread_once(
    installation: Installation, at_monday: Callable[[str], None]
) -> None:
    installation.use_policy(
        extra="remind_after: 4h",
        groups="risk: {people: [cy@example.com, nowhere@example.com]}",
        all_of="[{group: risk, quorum: 1}]",
    )
    at_monday("09:00")
    request = installation.asked()
    at_monday("13:30")
    remind(installation)
    remind(installation)

    named = [
        one for one in installation.thread(request) if "nowhere@example.com" in one.all_text and "Still" in one.all_text
    ]
    assert len(named) == 1
    assert len(direct(installation, "cy")) == 1


@pytest.mark.parametrize("fault", ["cut", pytest.param("malformed", marks=pytest.mark.proof)])
def test_a_message_whose_post_got_no_answer_is_not_sent_twice(
    installation: Installation, three_wait: list[TransitionRequest], fault: str
) -> None:
    assert len(three_wait) == 3
    installation.slack.workspace.now = lambda: installation.clock.now().timestamp()
    installation.slack.faults.add(fault, "/api/chat.postMessage")
    remind(installation)
    remind_person(ANA, installation.s)
    remind_person(BEN, installation.s)

    assert [len(direct(installation, who)) for who in ("ana", "ben")] == [1, 1]
    assert installation.unfinished() == []


# The note of the day


def command(installation: Installation, text: str, person: str = "ana") -> str:
    installation.slack.command(person, "/countersign", text)
    return installation.slack.ephemerals(person)[-1].all_text


def look(installation: Installation) -> None:
    installation.sweep("send_dailies")
    installation.settle_all()


def test_who_wants_it_gets_one_note_a_day_and_no_other_does(
    installation: Installation, at_monday: Callable[[str], None]
) -> None:
    installation.use_policy(extra="remind_after: 4h")
    at_monday("07:00")
    said = command(installation, "daily on at 09:30")
    request = installation.asked()
    at_monday("09:29")
    look(installation)
    early = direct(installation, "ana")
    at_monday("09:31")
    look(installation)
    look(installation)

    (note,) = direct(installation, "ana")
    assert "every day at 09:30 (UTC)" in said
    assert early == []
    assert f"Waits for you: {request.version} → champion" in note
    assert direct(installation, "ben") == []
    assert "You get one every day at 09:30 (UTC)." in command(installation, "daily")
    assert "no message of the day from now on" in command(installation, "daily off")


def test_the_note_follows_the_persons_own_time_zone_and_language(
    installation: Installation, at_monday: Callable[[str], None]
) -> None:
    people = installation.slack.workspace.people
    people[ANA] = replace(people[ANA], timezone="America/New_York", locale="es-ES")
    installation.forget_what_slack_said()
    at_monday("07:00")
    said = command(installation, "daily on")
    request = installation.asked()
    at_monday("12:30")
    look(installation)
    before = direct(installation, "ana")
    at_monday("14:30")
    look(installation)

    (note,) = direct(installation, "ana")
    assert "09:00 (America/New_York)" in said
    assert before == []
    assert f"Espera tu voto: {request.version} → champion" in note


def test_a_day_on_which_nothing_waits_and_nothing_happened_sends_nothing(
    installation: Installation, at_monday: Callable[[str], None]
) -> None:
    at_monday("07:00")
    command(installation, "daily on at 08:00", "cy")
    at_monday("08:30")
    look(installation)

    assert direct(installation, "cy") == []


def test_what_was_decided_and_moved_yesterday_is_in_the_note(
    installation: Installation, at_monday: Callable[[str], None]
) -> None:
    at_monday("07:00")
    command(installation, "daily on at 23:00", "bea")
    request = installation.promoted()
    installation.clock.ahead += timedelta(days=1, hours=16, minutes=30)
    look(installation)

    note = direct(installation, "bea")[-1]
    assert f"Moved: {request.version} → champion" in note


@pytest.mark.parametrize("text", ["daily on at 25:00", "daily on at noon", "daily sometimes", "daily on 09:00"])
def test_what_cannot_be_read_is_refused_with_what_to_write(installation: Installation, text: str) -> None:
    assert "/countersign daily on at 09:00" in command(installation, text)
    assert "off" in command(installation, "daily")


def test_a_note_whose_post_got_no_answer_is_not_sent_twice(
    installation: Installation, at_monday: Callable[[str], None]
) -> None:
    at_monday("07:00")
    command(installation, "daily on at 08:00")
    installation.asked()
    at_monday("08:30")
    installation.slack.workspace.now = lambda: installation.clock.now().timestamp()
    installation.slack.faults.add("cut", "/api/chat.postMessage")
    look(installation)
    look(installation)

    assert len(direct(installation, "ana")) == 1
    assert installation.unfinished() == []
