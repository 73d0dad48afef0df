"""Break glass: one person of the named group promotes at once, with a reason, and everyone is told."""

from __future__ import annotations

from bot.domain.events import GlassBroken, RequestApproved, TargetMoved
from bot.domain.model import DecidedBy, State
from bot.sandbox.slack import payloads
from tests.e2e.request.test_freeze import in_days, window
from tests.fixtures.glass import (
    MAY,
    WHY,
    allow,
    ask_for_it,
    break_it,
    broken,
    form_of,
    glasses,
    say,
    send,
)
from tests.fixtures.installation import CHANNEL, Installation


def test_the_command_opens_a_form_that_says_what_will_happen_and_records_nothing(installation: Installation) -> None:
    allow(installation)
    version = installation.register()
    installation.sweep()

    said = ask_for_it(installation, version)

    form = form_of(installation)
    assert "Nothing is done yet" in said
    assert "goes to champion at once (which nobody holds), without votes" in form
    assert "A member of ml-leads who is not you must review it within 2d" in form
    assert WHY in form
    assert not glasses(installation)
    assert not installation.happened(GlassBroken)


def test_a_form_that_is_sent_promotes_at_once_and_everyone_is_told(installation: Installation) -> None:
    allow(installation, ticket_type="Bug")
    version = installation.register()
    installation.sweep()

    request = break_it(installation, version)

    assert installation.champion() == version
    assert (request.state, request.decided_by, request.votes) == (State.APPLIED, DecidedBy.BREAK_GLASS, ())
    assert installation.happened(GlassBroken, RequestApproved, TargetMoved) == [
        "GlassBroken",
        "RequestApproved",
        "TargetMoved",
    ]
    assert request.glass is not None
    assert "the votes that the rule asks for (1 ml-leads)" in request.glass.passed
    alarm, card = (
        next(one for one in installation.cards() if said in one.all_text)
        for said in ("The glass was broken:", "Promoted by breaking the glass:")
    )
    for message in (alarm, card):
        assert "Cy Lindqvist of on-call broke the glass" in message.all_text
        assert WHY in message.all_text
        assert "must review it by" in message.all_text
    assert "usergroup" in str(alarm.blocks)
    assert request.ticket is not None
    ticket = installation.jira.issue(request.ticket.key)
    assert str(ticket.issue_type) == "Bug"
    assert "Break glass" in str(ticket.summary)
    assert "broke the glass" in installation.comments(request)
    assert not installation.unfinished()
    assert installation.ledger_fault() is None


def test_the_button_on_a_card_takes_the_request_out_of_the_vote(installation: Installation) -> None:
    allow(installation)
    waiting = installation.asked()

    installation.click("cy", waiting, "offer_glass")
    send(installation)
    installation.settle()

    request = broken(installation, waiting.version.version)
    assert (request.follows, request.state) == (waiting.id, State.APPLIED)
    before = installation.reread(waiting)
    assert (before.state, before.outcome) == (State.WITHDRAWN, f"the glass was broken for {waiting.version}")
    assert installation.champion() == waiting.version.version
    assert "Approve" not in str(installation.card(waiting).buttons)


def test_who_is_outside_the_group_breaks_nothing(installation: Installation) -> None:
    allow(installation)
    waiting = installation.asked()

    said = ask_for_it(installation, waiting.version.version, "ana")
    installation.click("ana", waiting, "offer_glass")
    by_a_guest = ask_for_it(installation, waiting.version.version, "gil")

    assert "Only members of on-call may break the glass here" in said
    assert "Only members of on-call may break the glass here" in installation.told_privately("ana")
    assert "Guests of the Slack workspace" in by_a_guest
    assert installation.model not in by_a_guest
    assert installation.slack.open_view_of("ana") is None
    assert not glasses(installation)


def test_what_cannot_be_broken_is_refused_plainly(installation: Installation) -> None:
    allow(installation)
    version = installation.register()
    installation.sweep()
    name = installation.model

    assert "MLflow has no version 99" in ask_for_it(installation, 99)
    assert "Did you mean" in say(installation, "cy", f"break-glass {name}x {version} champion {WHY}")
    assert "is no version" in say(installation, "cy", f"break-glass {name} champion {WHY}")
    assert 'has the target "winner"' in say(installation, "cy", f"break-glass {name} {version} winner {WHY}")
    assert "break-glass NAME VERSION TARGET REASON" in say(installation, "cy", "break-glass")
    installation.use_policy()
    assert "has no break_glass" in ask_for_it(installation, version)
    assert installation.slack.open_view_of("cy") is None
    assert not glasses(installation)


def test_a_form_without_a_reason_is_not_sent(installation: Installation) -> None:
    allow(installation)
    version = installation.register()
    installation.sweep()
    ask_for_it(installation, version, why="")

    spaces = send(installation, why="   ")

    assert "reason" in spaces.errors
    assert not glasses(installation)


def test_a_form_left_open_over_a_change_of_the_policy_is_refused(installation: Installation) -> None:
    allow(installation)
    version = installation.register()
    installation.sweep()
    ask_for_it(installation, version)
    installation.use_policy(extra=MAY.replace("2d", "3d"), groups="on-call: {people: [cy@example.com]}")

    sent = send(installation)

    assert "The policy has changed just now" in sent.errors["reason"]
    assert not glasses(installation)


def test_of_two_who_break_it_at_the_same_time_the_second_is_told_who_was_first(installation: Installation) -> None:
    allow(installation, on_call="on-call: {people: [cy@example.com, ben@example.com]}")
    version = installation.register()
    installation.sweep()
    ask_for_it(installation, version, "cy")
    ask_for_it(installation, version, "ben")

    first, second = send(installation, "cy"), send(installation, "ben")
    again = ask_for_it(installation, version, "cy")
    installation.settle()

    assert not first.errors
    assert "Cy Lindqvist has broken the glass" in second.errors["reason"]
    assert "Cy Lindqvist has broken the glass" in again
    assert len(glasses(installation)) == 1
    assert installation.champion() == version


def test_a_vote_that_decides_first_needs_no_glass(installation: Installation) -> None:
    allow(installation)
    waiting = installation.asked()
    installation.click("cy", waiting, "offer_glass")
    installation.click("ana", waiting, "approve")

    sent = send(installation)
    installation.settle()

    assert "is approved for champion and moves" in sent.errors["reason"]
    assert installation.reread(waiting).state is State.APPLIED
    assert not glasses(installation)


def test_a_vote_after_the_glass_is_told_that_the_request_is_over(installation: Installation) -> None:
    allow(installation)
    waiting = installation.asked()
    installation.click("cy", waiting, "offer_glass")
    send(installation)

    installation.slack.click("ana", CHANNEL, installation.card(waiting).ts, "approve")
    installation.settle()

    assert "withdrawn" in installation.told_privately("ana")
    assert broken(installation, waiting.version.version).state is State.APPLIED


def test_it_passes_a_freeze_and_says_so(installation: Installation) -> None:
    frozen = f"freezes: {{release: {{deny: {window(in_days(installation, -1), in_days(installation, 4))}}}}}"
    allow(installation, extra="freezes: [release]", top=frozen)
    held = installation.asked()
    installation.approve(held)
    assert installation.reread(held).frozen_by == "release"

    request = break_it(installation, held.version.version)

    assert installation.champion() == held.version.version
    assert request.glass is not None
    assert "the freeze release" in request.glass.passed
    assert "the freeze release" in installation.card(request).all_text
    assert installation.reread(held).state is State.STALE


def test_a_content_that_people_rejected_is_named_in_the_form(installation: Installation) -> None:
    allow(installation)
    rejected = installation.asked()
    installation.reject(rejected, "it forgets holidays")

    ask_for_it(installation, rejected.version.version)
    form = form_of(installation)
    send(installation)
    installation.settle()

    request = broken(installation, rejected.version.version)
    assert "Take care" in form
    assert "it forgets holidays" in form
    assert request.state is State.APPLIED
    assert request.glass is not None
    assert any("it forgets holidays" in one for one in request.glass.passed)


def test_a_rejection_that_the_form_could_not_name_takes_the_votes_or_a_second_deed(installation: Installation) -> None:
    allow(installation)
    version = installation.register()
    rejected = installation.asked(version)
    run = installation.mlflow.get_model_version(installation.model, str(version))
    same = installation.mlflow.create_model_version(installation.model, run.source, run.run_id, await_creation_for=0)
    installation.reject(rejected, "it forgets holidays")

    held = break_it(installation, int(same.version))

    assert held.state is State.PENDING
    assert held.glass is not None
    assert "people have said no to this content before" in held.glass.held_by
    assert "decided nothing" in installation.told("cy")
    alarm = next(one for one in installation.cards() if "The glass was broken:" in one.all_text)
    replies = [
        one.all_text for one in installation.slack.messages(CHANNEL) if one.thread_ts == alarm.ts and one.is_reply
    ]
    assert ["decided nothing" in text for text in replies] == [True]
    assert "goes to champion without the votes" not in installation.card(held).all_text
    assert "The request waits for its votes" in installation.card(held).all_text
    assert installation.champion() is None
    installation.click("cy", held, "offer_glass")
    assert "it forgets holidays" in form_of(installation)
    send(installation)
    installation.settle()
    assert broken(installation, int(same.version)).state is State.APPLIED
    assert installation.champion() == int(same.version)
    assert installation.reread(held).state is State.WITHDRAWN


def test_a_form_that_is_sent_again_after_its_request_has_ended_was_recorded_then(installation: Installation) -> None:
    allow(installation)
    version = installation.register()
    installation.sweep()
    ask_for_it(installation, version)
    view = installation.slack.open_view_of("cy")
    assert view is not None
    person = installation.slack.workspace.person("cy")
    payload = payloads.view_submission(installation.slack.backend, person, view, {"reason": WHY})
    installation.slack.send(payload)
    installation.settle()
    installation.mlflow.delete_registered_model_alias(installation.model, "champion")
    installation.sweep()

    again = installation.slack.send(payload)

    assert "it was recorded then" in str(again.body)
    assert len(glasses(installation)) == 1
