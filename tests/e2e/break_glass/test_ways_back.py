"""What a broken glass and its review mean for the ways back of a target: a no is a no, and what nobody confirmed takes votes."""

from __future__ import annotations

import pytest

from bot.domain.attestation.gate import GateQuery, ReasonCode
from bot.domain.events import GlassReviewed
from bot.domain.grounds import No
from bot.domain.model import Ask, AskKind, DecidedBy, Kind, State, Target, TransitionRequest
from handlers.attestation.approval_status import approval_status
from handlers.request import rollbacks
from tests.fixtures.glass import allow, break_it, say
from tests.fixtures.installation import Installation

LEAK = "It leaks personal data."


def glass_between(installation: Installation, extra: str = "") -> TransitionRequest:
    """Version 1 by a vote, version 2 by broken glass, version 3 by a vote; returns the second."""
    allow(installation, extra=extra)
    installation.promoted()
    broken = break_it(installation, installation.register())
    installation.promoted()
    assert installation.champion() == 3
    return broken


def review(installation: Installation, request: TransitionRequest, verdict: str, why: str = "") -> None:
    installation.click("ben", request, verdict)
    installation.slack.submit_view("ben", {"reason": why})
    installation.settle()


def ways(installation: Installation) -> list[TransitionRequest]:
    return [one for one in installation.requests() if one.kind is Kind.ROLLBACK]


def test_a_review_that_rejects_what_was_replaced_since_is_a_no_to_every_way_back(installation: Installation) -> None:
    broken = glass_between(installation)

    installation.click("ben", broken, "glass_take_back")
    asked = installation.slack.open_view_of("ben")
    installation.slack.submit_view("ben", {"reason": LEAK})
    installation.settle()

    assert asked is not None
    assert "no longer holds champion" in str(asked.content)
    assert "it goes back" not in installation.card(broken).all_text
    assert "rejected it" in installation.card(broken).all_text
    assert installation.happened(GlassReviewed)
    assert not installation.unfinished()
    assert ways(installation) == []
    with installation.s.store.transaction() as tx:
        gate = approval_status(GateQuery(broken.version, broken.target), tx, installation.clock.now()).result
    assert [one.why for one in gate.reasons] == [ReasonCode.REJECTED]
    assert LEAK.rstrip(".") in gate.reasons[0].sentence
    say(installation, "ana", f"rollback {installation.model} champion it is slow")
    installation.settle()
    assert installation.champion() == 1


@pytest.mark.proof
def test_the_same_bytes_carry_the_no_of_the_review_under_another_number(installation: Installation) -> None:
    broken = glass_between(installation)
    review(installation, broken, "glass_take_back", LEAK)
    version = installation.mlflow.get_model_version(installation.model, "2")

    again = installation.mlflow.create_model_version(
        installation.model, version.source, version.run_id, await_creation_for=0
    )
    request = installation.asked(int(again.version))

    (no,) = request.objections
    assert (no.how, no.reason) == (No.REVIEWED, LEAK)


@pytest.mark.proof
def test_the_way_back_to_what_only_a_broken_glass_let_through_takes_votes(installation: Installation) -> None:
    broken = glass_between(installation)

    say(installation, "ana", f"rollback {installation.model} champion it is slow")
    installation.settle()
    (back,) = ways(installation)
    assert (back.version, back.state) == (broken.version, State.PENDING)
    assert "nobody has confirmed" in back.people_decide
    assert installation.champion() == 3


@pytest.mark.proof
def test_what_the_review_confirmed_is_a_way_back_without_votes(installation: Installation) -> None:
    broken = glass_between(installation)
    review(installation, broken, "glass_confirm")

    say(installation, "ana", f"rollback {installation.model} champion it is slow")
    installation.settle()

    (back,) = ways(installation)
    assert (back.version, back.state, back.decided_by) == (broken.version, State.APPLIED, DecidedBy.RULE)


@pytest.mark.parametrize("is_renamed", [False, True], ids=["one name", "a new name"])
def test_a_review_takes_the_target_back_after_an_earlier_rollback_was_rejected(
    installation: Installation, is_renamed: bool
) -> None:
    allow(installation, extra="rollback: by_votes")
    installation.promoted()
    broken = break_it(installation, installation.register())
    target, ask = Target.parse("alias:champion"), Ask(AskKind.ROLLBACK)
    rollbacks.roll_back(installation.model, target, None, "it is slow", "bea@example.com", ask, installation.s)
    installation.settle()
    (earlier,) = ways(installation)
    installation.reject(earlier, "It is not.", "ana")
    if is_renamed:
        new = f"{installation.model}-new"
        installation.mlflow.rename_registered_model(installation.model, new)
        installation.sweep()

    review(installation, broken, "glass_take_back", LEAK)

    (back,) = [one for one in ways(installation) if one.id != earlier.id]
    assert (back.state, back.comment, back.version.version) == (State.PENDING, LEAK, 1)
    assert not installation.unfinished()


@pytest.mark.parametrize(("confirm", "decided_by"), [(False, None), (True, DecidedBy.FAST_TRACK)])
def test_what_came_by_a_broken_glass_is_no_measure_for_the_fast_track_until_a_review_confirms_it(
    installation: Installation, confirm: bool, decided_by: DecidedBy | None
) -> None:
    better = "mae: {threshold: 40, greater_is_better: false, min_relative_change: 0.01}"
    allow(installation, extra=f"fast_track: {{mode: on, metrics: {{{better}}}}}")
    worse, best = [installation.register(metrics={"mae": mae}, measured_on="a1a1a1a1") for mae in (39.0, 30.0)]
    installation.sweep()
    broken = break_it(installation, worse)
    assert installation.champion() == worse
    if confirm:
        review(installation, broken, "glass_confirm")

    request = installation.asked(best)

    assert request.judgement is not None
    assert any("broken glass" in check.sentence for check in request.judgement.checks) is not confirm
    assert request.decided_by is decided_by
