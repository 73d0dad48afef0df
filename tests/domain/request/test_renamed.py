"""Which decisions of a former name count under the present one."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from bot.domain.model import Kind, State, Target, TargetKind, TransitionRequest
from bot.domain.registry.names import Renamed
from bot.domain.request.renamed import carried_over
from tests.builders import CHAMPION, LATER, a_policy, a_request, a_rule, a_version, a_vote

WEAK, STRICT = a_rule(models="trial-*"), a_rule({"leads": 2}, models="bike-*")
POLICY = a_policy(WEAK, STRICT)
RENAMED = (Renamed("trial-demand", "bike-demand", LATER + timedelta(hours=1)),)
TRIAL = a_version(model="trial-demand")


def applied(*voters: str, **changes: object) -> TransitionRequest:
    return a_request(State.APPLIED, version=TRIAL, votes=tuple(a_vote(one, "leads") for one in voters), **changes)


def counted(*requests: TransitionRequest) -> list[TransitionRequest]:
    return carried_over(requests, "default", "bike-demand", CHAMPION, POLICY, RENAMED)


def test_an_approval_by_enough_votes_counts_under_the_present_name() -> None:
    approval = applied("cy", "dan")

    assert counted(approval) == [replace(approval, version=a_version())]


def test_an_approval_by_fewer_votes_than_the_present_rule_demands_does_not_count_nor_does_a_way_back_to_it() -> None:
    way_back = applied(id="b" * 32, kind=Kind.ROLLBACK)

    assert counted(applied("cy"), way_back) == []


def test_a_way_back_to_what_enough_votes_approved_counts_without_votes_of_its_own() -> None:
    way_back = applied(id="b" * 32, kind=Kind.ROLLBACK)

    assert [one.id for one in counted(applied("cy", "dan"), way_back)] == [applied().id, way_back.id]


def test_a_rejection_counts_however_few_votes_it_has() -> None:
    rejected = a_request(State.REJECTED, version=TRIAL)

    assert [one.id for one in counted(rejected)] == [rejected.id]


def test_what_was_decided_for_a_model_that_took_the_former_name_later_does_not_count() -> None:
    newer = applied("cy", "dan", opened_at=RENAMED[0].at + timedelta(hours=1))

    assert counted(newer) == []


def test_a_target_model_that_was_renamed_is_judged_by_the_rule_for_its_present_name() -> None:
    before, after = Target(TargetKind.MODEL, "trial.rides"), Target(TargetKind.MODEL, "prod.rides")
    weak, strict = a_rule(models="rides", target=before), a_rule({"leads": 2}, models="rides", target=after)
    renamed = (Renamed("trial.rides", "prod.rides", LATER + timedelta(hours=1)),)
    copied = a_request(State.APPLIED, version=a_version(model="rides"), target=before, votes=(a_vote("cy", "leads"),))

    assert carried_over([copied], "default", "prod.rides", after, a_policy(weak, strict), renamed) == []
