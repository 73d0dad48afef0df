"""The review of a broken glass: by somebody else, asked for until it is done, and with a way back."""

from __future__ import annotations

from datetime import timedelta

from bot.domain.digest.figures import FindingKind
from bot.domain.digest.json_form import read_digest
from bot.domain.events import GlassReviewDue, GlassReviewed
from bot.domain.model import Kind, State, TransitionRequest
from tests.fixtures.digest_weeks import DIGEST, go_to_due, look, rows, weeks_from_now
from tests.fixtures.glass import allow, break_it, broken
from tests.fixtures.installation import Installation

FOR_ANA = "on-call: {people: [ana@example.com]}"


def promoted(installation: Installation, **choices: str) -> TransitionRequest:
    allow(installation, **choices)
    version = installation.register()
    installation.sweep()
    return break_it(installation, version, "ana" if choices else "cy")


def confirm(installation: Installation, request: TransitionRequest, person: str) -> None:
    installation.click(person, request, "glass_confirm")
    installation.slack.submit_view(person, {"reason": ""})
    installation.settle()


def later(installation: Installation, **length: float) -> None:
    installation.clock.ahead += timedelta(**length)
    installation.sweep("nag_reviewers")


def test_who_broke_the_glass_cannot_review_it_and_neither_can_the_author(installation: Installation) -> None:
    request = promoted(installation, on_call=FOR_ANA)

    installation.click("ana", request, "glass_confirm")
    installation.click("bea", request, "glass_confirm")
    installation.click("cy", request, "glass_confirm")

    assert "somebody else must review this" in installation.told_privately("ana")
    assert "somebody else must review this" in installation.told_privately("bea")
    assert "Only members of ml-leads may review this" in installation.told_privately("cy")
    assert not installation.happened(GlassReviewed)


def test_a_confirmed_review_ends_the_reminders_and_closes_the_ticket(installation: Installation) -> None:
    request = promoted(installation)
    before = installation.ticket_status(request)

    confirm(installation, request, "ben")
    later(installation, days=5)

    assert before != "Done"
    assert installation.ticket_status(request) == "Done"
    assert "Ben Okafor reviewed it" in installation.card(request).all_text
    assert "Ben Okafor reviewed it" in installation.comments(request)
    assert "glass_confirm" not in installation.card(request).buttons
    assert not installation.happened(GlassReviewDue)
    assert installation.told("ana") == ""


def test_a_second_review_is_told_that_there_was_one(installation: Installation) -> None:
    request = promoted(installation)
    installation.click("ben", request, "glass_confirm")
    installation.click("ana", request, "glass_confirm")
    installation.slack.submit_view("ben", {"reason": ""})

    second = installation.slack.submit_view("ana", {"reason": ""})

    assert "was reviewed already" in second.errors["reason"]
    assert len(installation.happened(GlassReviewed)) == 1


def test_a_review_that_rejects_it_takes_the_target_back(installation: Installation) -> None:
    installation.promoted()
    request = promoted(installation)
    assert installation.champion() == request.version.version

    installation.click("ben", request, "glass_take_back")
    installation.slack.submit_view("ben", {"reason": "It was not tested."})
    installation.settle()

    assert installation.champion() == request.version.version - 1
    (rollback,) = [one for one in installation.requests() if one.kind is Kind.ROLLBACK]
    assert (rollback.state, rollback.comment) == (State.APPLIED, "It was not tested.")
    assert "it goes back" in installation.card(request).all_text


def test_without_a_version_to_go_back_to_a_review_cannot_promise_it(installation: Installation) -> None:
    request = promoted(installation)

    installation.click("ben", request, "glass_take_back")

    assert "there is nothing to go back to" in installation.told_privately("ben").lower()
    assert not installation.happened(GlassReviewed)


def test_it_is_asked_for_until_somebody_has_done_it(installation: Installation) -> None:
    request = promoted(installation)

    later(installation, hours=23)
    early = installation.happened(GlassReviewDue)
    later(installation, hours=2)
    at_half = [message.all_text for message in installation.thread(request)]
    directly_at_half = installation.told("ben")
    later(installation, hours=24)
    overdue = installation.told("ben")
    later(installation, hours=25)
    again = installation.slack.direct_messages("ben")

    assert early == []
    assert any("A broken glass waits for its review" in text for text in at_half)
    assert "glass" not in directly_at_half
    assert "Overdue: the review of a broken glass" in overdue
    assert len([one for one in again if "Overdue" in one.all_text]) == 2
    assert installation.happened(GlassReviewDue) == ["GlassReviewDue"] * 3
    confirm(installation, broken(installation, request.version.version), "ben")
    later(installation, days=3)
    assert len(installation.happened(GlassReviewDue)) == 3


def test_the_digest_lists_a_review_that_is_overdue_until_somebody_has_done_it(installation: Installation) -> None:
    allow(installation, top=DIGEST)
    first, second, third = weeks_from_now(3)
    version = installation.register()
    installation.sweep()
    request = break_it(installation, version)

    for week in (first, second):
        go_to_due(installation, week)
        look(installation)
    confirm(installation, request, "ben")
    go_to_due(installation, third)
    look(installation)

    digests = [read_digest(row.figures) for row in rows(installation, [first, second, third])]
    listed = [{one.concern for one in digest.attention.shown} for digest in digests]
    assert [FindingKind.GLASS_BROKEN in one for one in listed] == [True, False, False]
    assert [FindingKind.GLASS_NOT_REVIEWED in one for one in listed][1:] == [True, False]
