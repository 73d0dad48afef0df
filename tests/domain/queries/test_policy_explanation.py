"""What a policy means for one version: the rule that holds, why the ones before it do not, and what the fast track comes to."""

from __future__ import annotations

import pytest

from bot.domain.model import FastTrackMode, Judgement, Target, TargetKind
from bot.domain.policy.rules import FastTrack, Rule, Threshold, UnknownRequester
from bot.domain.queries.policy_explanation import Approvals, Held, approvals, coming_to, passed_over, targets_of
from bot.domain.request.quorum import ANYONE
from tests.builders import CHAMPION, PRODUCTION, a_judgement, a_policy, a_request, a_rule

TRACK = FastTrack(FastTrackMode.ON, (Threshold("mae", greater_is_better=False, threshold=40),))
PROD = Target(TargetKind.MODEL, "prod.{name}")


def a_held(rule: Rule, judgement: Judgement | None) -> Held:
    nobody = Approvals(())
    return Held(1, rule, "sha256:1", (), nobody, nobody, judgement, None, "")


def test_each_earlier_rule_has_a_reason_why_it_does_not_hold() -> None:
    policy = a_policy(
        a_rule(workspace="other"), a_rule(models="rain-*"), a_rule(target=PRODUCTION), a_rule(), a_rule(models="*")
    )

    told = passed_over(policy, "default", "bike-demand", CHAMPION)

    assert [(one.place, one.why) for one in told] == [
        (1, 'it is for the workspace "other"'),
        (2, '"rain-*" does not match bike-demand'),
        (3, "it speaks of stage:Production"),
    ]


def test_when_no_rule_holds_all_of_them_have_a_reason() -> None:
    told = passed_over(a_policy(a_rule(), a_rule(models="*")), "default", "rain", PRODUCTION)

    assert [one.place for one in told] == [1, 2]


def test_a_model_that_versions_are_copied_into_is_a_target_of_its_own() -> None:
    policy = a_policy(a_rule(), a_rule(target=PROD))

    told = {model: targets_of(policy, "default", model) for model in ("bike-demand", "prod.bike-demand", "rain")}

    into = Target(TargetKind.MODEL, "prod.bike-demand")
    assert told == {"bike-demand": (CHAMPION, into), "prod.bike-demand": (into,), "rain": ()}
    assert (
        passed_over(policy, "default", "prod.bike-demand", into)[0].why
        == "it speaks of no copies into prod.bike-demand"
    )


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (UnknownRequester.AUTHOR_ONLY, Approvals(("leads",))),
        (UnknownRequester.ONE_MORE, Approvals(("leads", ANYONE))),
        (UnknownRequester.REFUSE, Approvals((), refused=True)),
    ],
)
def test_an_unknown_requester_costs_what_the_rule_says(choice: UnknownRequester, expected: Approvals) -> None:
    rule = a_rule(unknown_requester=choice)

    known, unknown = approvals(a_request(), rule, "ana"), approvals(a_request(), rule, None)

    assert (known, unknown) == (Approvals(("leads",)), expected)


@pytest.mark.parametrize(
    ("judgement", "expected"),
    [
        (a_judgement(mode=FastTrackMode.ON), "this is let through at once, without a person"),
        (a_judgement("mae 41 is above 40", mode=FastTrackMode.ON), "this is held, so people decide"),
        (
            a_judgement(mode=FastTrackMode.ON, held_back="the fast track is switched off"),
            "people decide: the fast track is switched off",
        ),
        (None, "it is off, so people decide"),
    ],
    ids=["passes", "held", "held back", "off"],
)
def test_what_the_fast_track_comes_to_is_said_in_words(judgement: Judgement | None, expected: str) -> None:
    assert coming_to(a_held(a_rule(fast_track=TRACK), judgement)) == expected


def test_without_a_fast_track_people_decide() -> None:
    assert coming_to(a_held(a_rule(), None)) == "the rule has no fast track, so people decide"
