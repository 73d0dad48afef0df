"""Absences: declared by command, recorded, sent to the delegate; and what the delegate's vote counts for, and what not."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from bot.domain.events import AwayDeclared, AwayEnded
from bot.domain.model import Ask, AskKind, State, TransitionRequest
from bot.store.absences import Absence
from handlers.policy.activation import activate_policy
from handlers.request.asking import request_transition
from handlers.request.voters import VoterUnknown, any_approver
from tests.builders import CHAMPION
from tests.fixtures.installation import Installation, in_slacks_time, policy_text, services_with

pytestmark = pytest.mark.proof

RISK = "  risk: {people: [cy@example.com]}\n"
NOT_RISK = "Only members of risk may decide this. Ask one of them."
HOW = '"/countersign away until 2026-12-01 -> @ben", with the last day on which you are away.'


def use_groups(installation: Installation, all_of: str, risk: str = RISK) -> None:
    """A rule for which the two groups decide, or one of them."""
    text = policy_text(f"{installation.model}*").replace("rules:\n", f"{risk}rules:\n")
    activate_policy(text.replace("[{group: ml-leads, quorum: 1}]", all_of), "test", installation.s)
    installation.settle()


BOTH = "[{group: ml-leads, quorum: 1}, {group: risk, quorum: 1}]"
RISK_ALONE = "[{group: risk, quorum: 1}]"


def say(installation: Installation, person: str, text: str) -> str:
    """Types the command and returns what only this person is shown."""
    installation.slack.command(person, "/countersign", text, channel="general")
    installation.settle()
    return installation.slack.ephemerals(person)[-1].all_text


def in_days(installation: Installation, days: int) -> str:
    return f"{(installation.clock.now() + timedelta(days=days)).date()}"


def go_away(installation: Installation, person: str, delegate: str, days: int = 3) -> str:
    return say(installation, person, f"away until {in_days(installation, days)} -> @{delegate}")


def id_of(installation: Installation, email: str) -> str:
    with installation.s.store.transaction() as tx:
        return tx.people.get_or_add(email, email).id


def whispered_last(installation: Installation, person: str, request: TransitionRequest) -> str:
    """Presses Approve and returns the sentence that only this person is shown for it; empty when there was none."""
    before = len(installation.slack.ephemerals(person))
    installation.approve(request, person)
    return "".join(message.all_text for message in installation.slack.ephemerals(person)[before:])


# Saying so


def test_who_goes_away_is_told_what_was_recorded_and_the_stand_in_is_told_directly(installation: Installation) -> None:
    said = go_away(installation, "ana", "ben")

    assert f"Recorded: you are away until {in_days(installation, 4)} 00:00 UTC, and Ben Okafor decides for you" in said
    assert "Ana Ruiz is away until" in installation.told("ben")
    assert "has named you to decide for them" in installation.told("ben")
    ana, ben = id_of(installation, "ana@example.com"), id_of(installation, "ben@example.com")
    (entry,) = installation.entries(AwayDeclared)
    assert (entry["person"], entry["delegate"]) == (ana, ben)
    assert "@" not in json.dumps(entry)


@pytest.mark.parametrize("arrow", [" -> ", "->", " → ", " –> ", " to "])
@pytest.mark.parametrize("named", ["@ben", "ben@example.com"])
def test_the_stand_in_may_be_written_in_several_ways(installation: Installation, arrow: str, named: str) -> None:
    said = say(installation, "ana", f"away until {in_days(installation, 1)}{arrow}{named}")

    assert "Ben Okafor decides for you" in said


def test_the_stand_in_is_told_once_however_often_the_effect_runs(installation: Installation) -> None:
    go_away(installation, "ana", "ben")
    with installation.s.store.transaction() as tx:
        seq = next(entry.seq for entry in tx.ledger.entries("AwayDeclared"))
        tx.defer("tell_delegate", str(seq), f"notes:{seq}")

    installation.settle()

    assert len(installation.slack.direct_messages("ben")) == 1
    assert installation.unfinished() == []


def test_who_is_away_is_seen_by_everybody(installation: Installation) -> None:
    assert "Nobody is away" in say(installation, "cy", "away")
    go_away(installation, "ana", "ben")

    said = say(installation, "cy", "away")

    assert "Away: 1." in said
    assert f"until {in_days(installation, 4)} 00:00 UTC; Ben Okafor decides for them" in said


def test_whoever_names_another_stand_in_releases_the_first(installation: Installation) -> None:
    go_away(installation, "ana", "ben")

    go_away(installation, "ana", "bea")

    assert "You no longer stand in for Ana Ruiz" in installation.told("ben")
    assert "has named you to decide for them" in installation.told("bea")
    assert [entry["delegate"] for entry in installation.entries(AwayEnded)] == [id_of(installation, "ben@example.com")]


def test_the_last_day_ends_where_the_calendar_is(installation: Installation) -> None:
    text = policy_text(f"{installation.model}*") + "calendar: {timezone: Pacific/Auckland}\n"
    activate_policy(text, "test", installation.s)

    go_away(installation, "ana", "ben")

    (entry,) = installation.entries(AwayDeclared)
    assert entry["until"].endswith(("T11:00:00+00:00", "T12:00:00+00:00"))  # midnight there, in summer and in winter


REFUSED: dict[str, tuple[str, str]] = {
    "no day": ("away @ben", f"Say it like this: {HOW}"),
    "nobody named": ("away until 2026-12-01", f"Say it like this: {HOW}"),
    "a day that is none": ("away until 2026-02-30 -> @ben", f"There is no day 2026-02-30. Say it like this: {HOW}"),
    "yesterday": (
        "away until 2020-01-01 -> @ben",
        "2020-01-01 is over. Name the last day on which you are away, as in 2026-12-01.",
    ),
    "too far": ("away until 2199-01-01 -> @ben", "2199-01-01 is more than 90 days away. Name a day until "),
    "oneself": ("away until {day} -> @ana", "You cannot stand in for yourself. Name somebody who is here."),
    "a guest": (
        "away until {day} -> @gil",
        "The one you named cannot stand in for you: guests of the workspace may not decide.",
    ),
    "nobody's name": (
        "away until {day} -> @zoe",
        '"@zoe" names nobody whom Slack knows. Type @ and pick the person, or write the e-mail address.',
    ),
    "nobody's address": (
        "away until {day} -> zoe@example.com",
        "Nobody in this Slack workspace has the e-mail address zoe@example.com. Check how it is written.",
    ),
    "a whole group": ("away until {day} -> @ml-leads", "names nobody whom Slack knows"),
    "not away": ("back", "You are not away, as far as Countersign knows, so your votes count already."),
    "words after back": ("back soon", 'Nothing can stand after that word, but you wrote "soon"'),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_recorded_is_answered_with_a_sentence(installation: Installation, case: str) -> None:
    text, sentence = REFUSED[case]

    said = say(installation, "ana", text.format(day=in_days(installation, 1)))

    assert sentence in said
    assert installation.entries(AwayDeclared) == []


def test_somebody_who_decides_nothing_has_nobody_to_name(installation: Installation) -> None:
    said = go_away(installation, "cy", "ben")

    assert "Only people who approve under some rule may do this: members of ml-leads. Ask one of them." in said
    assert installation.entries(AwayDeclared) == []


def test_who_is_away_cannot_stand_in(installation: Installation) -> None:
    go_away(installation, "ben", "bea")

    said = go_away(installation, "ana", "ben")

    assert f"Ben Okafor is away until {in_days(installation, 4)} 00:00 UTC. Name somebody who is here." in said
    assert len(installation.entries(AwayDeclared)) == 1


def test_when_slack_does_not_tell_who_asks_nothing_is_recorded(installation: Installation) -> None:
    installation.forget_what_slack_said()
    installation.slack.faults.add("down", path="/users.info$")

    said = go_away(installation, "ana", "ben")

    assert "Slack did not answer in time when asked who you are. Nothing was recorded: say it again." in said
    installation.slack.faults.clear()
    assert "Recorded" in go_away(installation, "ana", "ben")


def test_all_questions_of_one_click_together_fit_into_the_time_that_slack_waits(installation: Installation) -> None:
    """Each may take 1.5 s; after the first slow one the others are left for the next try, which knows its answer already."""
    just_started = services_with(
        installation.settings, installation.settings.database_url.get_secret_value(), installation.clock
    )
    installation.slack.faults.add("slow", path="/users.info$", seconds=1.3)

    with in_slacks_time(), pytest.raises(VoterUnknown):
        any_approver("U0ANA000001", just_started)
    installation.slack.faults.clear()

    assert any_approver("U0ANA000001", just_started).name == "Ana Ruiz"
    just_started.store.engine.dispose()


# What a delegate's vote counts for


def test_a_stand_in_votes_for_the_group_of_who_is_away(installation: Installation) -> None:
    use_groups(installation, BOTH)
    go_away(installation, "cy", "ben")
    request = installation.asked()

    installation.approve(request, "ben")
    after_ben = installation.reread(request).state
    installation.approve(request, "ana")

    now = installation.reread(request)
    assert (after_ben, now.state) == (State.PENDING, State.APPLIED)
    assert [vote.groups for vote in now.votes] == [("ml-leads", "risk"), ("ml-leads",)]
    assert [vote.standing_in_for for vote in now.votes] == [(id_of(installation, "cy@example.com"),), ()]


def test_without_the_absence_the_same_vote_is_refused(installation: Installation) -> None:
    use_groups(installation, RISK_ALONE)
    request = installation.asked()

    assert whispered_last(installation, "ben", request) == NOT_RISK
    go_away(installation, "cy", "ben")
    assert whispered_last(installation, "ben", request) == ""
    assert installation.reread(request).state is State.APPLIED


def test_who_is_away_is_told_so_and_decides_again_when_back(installation: Installation) -> None:
    request = installation.asked()
    go_away(installation, "ana", "ben")

    refused = whispered_last(installation, "ana", request)
    back = say(installation, "ana", "back")
    installation.approve(request, "ana")

    assert refused == (
        f"You are away until {in_days(installation, 4)} 00:00 UTC and Ben Okafor decides for you. "
        'Say "/countersign back" first.'
    )
    assert "Recorded: you decide for yourself again, and Ben Okafor is told so." in back
    assert "You no longer stand in for Ana Ruiz" in installation.told("ben")
    assert installation.reread(request).state is State.APPLIED


def test_nobody_stands_in_for_whoever_asked(installation: Installation) -> None:
    use_groups(installation, RISK_ALONE)
    go_away(installation, "cy", "ben")
    version = installation.register()
    request = request_transition(
        installation.model, version, CHAMPION, "cy@example.com", "", Ask(AskKind.COMMAND), installation.s
    )
    installation.settle()

    assert whispered_last(installation, "ben", request) == NOT_RISK
    assert installation.reread(request).votes == ()


def test_what_was_lent_is_not_lent_on(installation: Installation) -> None:
    use_groups(installation, BOTH)
    go_away(installation, "cy", "ben")
    go_away(installation, "ben", "ana")
    use_groups(installation, RISK_ALONE)
    request = installation.asked()

    assert whispered_last(installation, "ana", request) == NOT_RISK
    assert installation.reread(request).votes == ()


def test_when_the_time_is_over_the_stand_in_stands_in_no_longer(installation: Installation) -> None:
    use_groups(installation, RISK_ALONE)
    go_away(installation, "cy", "ben", days=1)
    request = installation.asked()
    installation.clock.ahead = timedelta(days=2)

    assert whispered_last(installation, "ben", request) == NOT_RISK
    assert whispered_last(installation, "cy", request) == ""
    assert installation.reread(request).state is State.APPLIED


def test_a_stand_in_has_no_more_say_than_who_is_away_has_now(installation: Installation) -> None:
    use_groups(installation, RISK_ALONE)
    go_away(installation, "cy", "ben")
    use_groups(installation, RISK_ALONE, risk="  risk: {people: [bea@example.com, ana@example.com]}\n")
    request = installation.asked()

    assert whispered_last(installation, "ben", request) == NOT_RISK


def test_a_say_that_was_used_cannot_be_lent_for_the_same_request(installation: Installation) -> None:
    use_groups(installation, "[{group: risk, quorum: 2}]", risk="  risk: {people: [cy@example.com, ana@example.com]}\n")
    request = installation.asked()
    installation.approve(request, "cy")
    go_away(installation, "cy", "ben")

    assert whispered_last(installation, "ben", request) == NOT_RISK
    assert [vote.person for vote in installation.reread(request).votes] == [id_of(installation, "cy@example.com")]


def test_a_say_that_a_stand_in_has_used_is_used(installation: Installation) -> None:
    use_groups(installation, "[{group: risk, quorum: 2}]", risk="  risk: {people: [cy@example.com, ana@example.com]}\n")
    request = installation.asked()
    go_away(installation, "cy", "ben")
    installation.approve(request, "ben")
    say(installation, "cy", "back")

    refused = whispered_last(installation, "cy", request)

    assert refused != ""
    assert len(installation.reread(request).votes) == 1


def test_a_say_that_was_lent_ends_when_its_owner_asks_for_the_same_themselves(installation: Installation) -> None:
    use_groups(installation, BOTH)
    go_away(installation, "cy", "ben")
    request = installation.asked()
    installation.approve(request, "ben")
    lent = installation.reread(request).votes[0].standing_in_for

    request_transition(installation.model, 1, CHAMPION, "cy@example.com", "mine", Ask(AskKind.COMMAND), installation.s)
    installation.settle()
    installation.approve(request, "ana")

    now = installation.reread(request)
    assert lent == (id_of(installation, "cy@example.com"),)
    assert now.state is State.PENDING
    assert "Needs 1 more approval: 1 of risk." in installation.card(request).all_text
    assert installation.champion() is None


def test_somebody_whose_account_is_gone_lends_nothing(installation: Installation) -> None:
    use_groups(installation, RISK_ALONE)
    request = installation.asked()
    now = installation.clock.now()
    with installation.s.store.transaction() as tx:
        cy, ben = (tx.people.get_or_add(f"{name}@example.com", name) for name in ("cy", "ben"))
        tx.absences.declare(Absence(cy.id, ben.id, now, now + timedelta(days=1)))
    installation.slack.workspace.people.pop("U0CY0000003")
    installation.forget_what_slack_said()

    assert whispered_last(installation, "ben", request) == NOT_RISK
