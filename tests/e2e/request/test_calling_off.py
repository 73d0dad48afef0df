"""An approval that is not applied yet: called off by its button or a command, by taking the ask away, or by dropping its job."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from bot.domain.events import ApprovalCalledOff, MoveObserved, TargetMoved
from bot.domain.model import Ask, AskKind, State, Target, TransitionRequest
from bot.engine.rows import JobStatus
from bot.errors import Refused
from handlers.doors.slack_commands import answer
from handlers.ledger.audit import audit
from handlers.policy.kill_switch import person_named
from handlers.request.asking import request_transition
from handlers.request.calling_off import call_off, drop_job
from tests.e2e.attestation.test_gate import key_of, offline, online
from tests.e2e.request.test_freeze import freeze_for_days, go_to
from tests.fixtures.installation import Installation

REASON = "The test data leaked."


def frozen_approval(installation: Installation) -> TransitionRequest:
    freeze_for_days(installation, 2)
    request = installation.asked()
    installation.approve(request)
    assert installation.reread(request).state is State.APPROVED
    return installation.reread(request)


def press(installation: Installation, person: str, request: TransitionRequest) -> None:
    installation.click(person, request, "call_off")
    installation.slack.submit_view(person, {"reason": REASON})
    installation.settle()


def after_the_freeze(installation: Installation) -> None:
    installation.clock.ahead += timedelta(days=3)
    installation.sweep("thaw_approvals")
    installation.sweep()


def test_an_approver_calls_an_approval_off_and_everybody_is_told(installation: Installation, tmp_path: Path) -> None:
    key = key_of(installation, tmp_path)
    request = frozen_approval(installation)

    press(installation, "ben", request)
    after_the_freeze(installation)

    assert (installation.reread(request).state, installation.champion()) == (State.CALLED_OFF, None)
    said = "Called off by Ben Okafor"
    assert (
        said in installation.card(request).all_text,
        said in installation.comments(request),
        said in installation.told("bea"),
    ) == (
        True,
        True,
        True,
    )
    assert installation.ticket_status(request) == "Won't Do"
    assert installation.happened(ApprovalCalledOff, TargetMoved) == ["ApprovalCalledOff"]
    denied = online(installation, "/1", "--target", "alias:champion")
    assert (denied.code, "called off: The test data leaked" in denied.err) == (1, True)
    without_the_bot = offline(installation, "/1", "--target", "alias:champion", "--key", key)
    assert (without_the_bot.code, "rejected for alias:champion by Ben Okafor" in without_the_bot.err) == (1, True)
    assert audit(installation.s.store.engine)
    assert installation.unfinished() == []


def test_who_asked_may_call_it_off_and_nobody_else_outside_the_groups(installation: Installation) -> None:
    freeze_for_days(installation, 2)
    installation.register()
    request = request_transition(
        installation.model, 1, Target.parse("alias:champion"), "cy@example.com", "", Ask(AskKind.API), installation.s
    )
    installation.settle()
    installation.approve(request)
    other = installation.asked(installation.register())
    installation.approve(other)

    press(installation, "cy", request)
    installation.click("cy", other, "call_off")
    installation.settle()

    assert installation.reread(request).state is State.CALLED_OFF
    assert installation.reread(other).state is State.APPROVED
    assert "or those who asked for it, may call this off" in installation.told_privately("cy")


def test_the_command_in_slack_takes_the_first_letters_of_the_id_and_a_reason(installation: Installation) -> None:
    request = frozen_approval(installation)

    without_reason = answer("U0ANA000001", f"call-off {request.short_id}", installation.s)
    with_reason = answer("U0ANA000001", f"call-off {request.short_id} the data leaked", installation.s)

    assert "Say in a sentence why" in without_reason.summary
    assert (with_reason.title, installation.reread(request).state) == ("Called off", State.CALLED_OFF)


def test_an_ask_that_is_taken_away_before_it_is_applied_takes_the_approval_along(installation: Installation) -> None:
    ends = freeze_for_days(installation, 2)
    request = installation.asked()
    installation.approve(request)

    installation.mlflow.delete_registered_model_alias(installation.model, "candidate")
    installation.sweep()
    go_to(installation, ends)

    assert (installation.reread(request).state, installation.champion()) == (State.CALLED_OFF, None)
    assert "no longer asks by alias candidate" in installation.card(request).all_text


@pytest.mark.proof
def test_an_ask_that_went_on_to_a_newer_version_or_that_a_policy_no_longer_hears_takes_nothing_along(
    installation: Installation,
) -> None:
    request = frozen_approval(installation)

    installation.asked(installation.register())

    assert installation.reread(request).state is State.APPROVED


def test_asking_again_opens_a_fresh_request(installation: Installation) -> None:
    request = frozen_approval(installation)
    call_off(request.id, person_named("cy@example.com", installation.s), REASON, installation.s)

    again = request_transition(
        installation.model, 1, request.target, "cy@example.com", "", Ask(AskKind.COMMAND), installation.s
    )

    assert (again.id != request.id, again.state) == (True, State.COLLECTING)


@pytest.mark.parametrize("state", ["pending", "applied", "rejected"])
def test_too_early_or_too_late_says_what_to_do_instead(installation: Installation, state: str) -> None:
    request = installation.asked()
    if state == "applied":
        installation.approve(request)
    if state == "rejected":
        installation.reject(request, "no")

    with pytest.raises(Refused, match=r"not approved yet|countersign rollback|nothing to call off"):
        call_off(request.id, person_named("cy@example.com", installation.s), REASON, installation.s)


def test_dropping_the_job_of_an_approval_ends_it_and_no_new_policy_revives_it(installation: Installation) -> None:
    request = installation.asked()
    installation.click("ana", request, "approve")
    job = next(one for one in installation.s.store.jobs.listing(JobStatus.WAITING) if one.name == "sign")

    with pytest.raises(Refused, match="add --by EMAIL"):
        drop_job(job.id, "not this one", None, installation.s)
    drop_job(job.id, "not this one", person_named("cy@example.com", installation.s), installation.s)
    installation.settle()
    installation.use_policy(quorum=2)
    installation.settle()

    ended = installation.reread(request)
    assert (ended.state, installation.champion()) == (State.CALLED_OFF, None)
    assert ended.outcome.endswith("was dropped: not this one")


def test_dropping_the_job_that_would_have_sealed_its_files_ends_an_approval_too(installation: Installation) -> None:
    installation.use_policy(extra="seal: s3://prod-models/")
    request = installation.asked()
    installation.approve(request)
    (job,) = installation.s.store.jobs.listing(JobStatus.PARKED)

    drop_job(job.id, "not this one", person_named("cy@example.com", installation.s), installation.s)
    installation.settle()

    ended = installation.reread(request)
    assert (job.name, ended.state, installation.champion()) == ("seal", State.CALLED_OFF, None)
    assert ended.outcome.endswith("(seal) was dropped: not this one")


def test_an_approval_whose_job_an_earlier_release_dropped_is_not_revived_either(installation: Installation) -> None:
    request = installation.asked()
    installation.click("ana", request, "approve")
    for job in installation.s.store.jobs.listing(JobStatus.WAITING):
        if job.name == "sign":
            installation.s.store.jobs.drop(job.id, "as the release before did it")

    installation.use_policy(extra="remind_after: 4h")
    installation.settle()

    assert (installation.reread(request).state, installation.champion()) == (State.CALLED_OFF, None)


def test_what_was_called_off_while_it_was_being_moved_is_judged_as_a_move_without_an_approval(
    installation: Installation,
) -> None:
    request = installation.asked()
    installation.click("ana", request, "approve")
    person = person_named("cy@example.com", installation.s)
    real = installation.s.registry.set_alias

    def moved_meanwhile(model: str, alias: str, version: int) -> None:
        call_off(request.id, person, REASON, installation.s)
        real(model, alias, version)

    installation.s.registry.set_alias = moved_meanwhile  # type: ignore[method-assign]
    installation.settle()
    installation.s.registry.set_alias = real  # type: ignore[method-assign]
    installation.sweep()

    assert installation.reread(request).state is State.CALLED_OFF
    assert installation.happened(TargetMoved) == []
    assert installation.request(1).state is State.PENDING  # observed: ratify or put back


@pytest.mark.proof
def test_a_target_that_is_emptied_between_the_end_of_an_approval_and_the_next_look_is_recorded(
    installation: Installation,
) -> None:
    """The end of an approval leaves what was moved by hand to the next look, also if it is gone by then."""
    request = frozen_approval(installation)
    installation.mlflow.set_registered_model_alias(installation.model, "champion", "1")
    installation.sweep()
    call_off(request.id, person_named("cy@example.com", installation.s), REASON, installation.s)

    installation.mlflow.delete_registered_model_alias(installation.model, "champion")
    installation.sweep()

    with installation.s.store.transaction() as tx:
        moves = [json.loads(entry.body) for entry in tx.ledger.entries(MoveObserved.__name__)]
        assert tx.registry.placements("default", installation.model) == []
    assert [(move["version"] is None, move["previous"] is None) for move in moves] == [(False, True), (True, False)]
    assert audit(installation.s.store.engine)


def test_an_older_ask_has_its_turn_again_when_the_newer_one_is_rejected(installation: Installation) -> None:
    installation.register()
    second = installation.asked(installation.register())
    installation.mlflow.set_model_version_tag(installation.model, "1", "countersign.ask", "yes")
    installation.sweep()
    superseded = installation.request(1)

    installation.reject(second, "no")

    first = installation.request(1)
    assert (superseded.state, first.state, first.follows) == (State.SUPERSEDED, State.PENDING, superseded.id)
    installation.mlflow.delete_model_version_tag(installation.model, "1", "countersign.ask")
    installation.sweep()
    assert installation.reread(first).state is State.WITHDRAWN
