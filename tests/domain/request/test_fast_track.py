"""What the fast track says of a version, and why."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.events import FastTrackCompared
from bot.domain.model import (
    Champion,
    Check,
    DataSet,
    DecidedBy,
    Evidence,
    FastTrackMode,
    Judgement,
    Kind,
    Metric,
    State,
    TransitionRequest,
)
from bot.domain.policy.rules import Demand, FastTrack, Threshold
from bot.domain.request.fast_track import demand_text, judge
from bot.domain.request.lifecycle import compare_taken_back
from tests.builders import LATER, NOON, a_request, a_rule, a_version, an_evidence, an_observed

TEST = DataSet("test", "1a2b3c4d", "evaluation")
OTHER_TEST = DataSet("test", "9f8e7d6c", "evaluation")
VALID = DataSet("valid", "5e6f7a8b", "validation")
AT_MOST_40 = Threshold("mae", greater_is_better=False, threshold=40)
BETTER_BY_ONE_PERCENT = Threshold("mae", greater_is_better=False, min_relative_change=0.01)
BETTER_BY_HALF = Threshold("mae", greater_is_better=False, min_absolute_change=0.5)


def mae(value: float = 24.51, measured_on: DataSet | None = TEST, **changes: Any) -> Metric:
    return replace(Metric("mae", value, "logged model", measured_on, NOON - timedelta(hours=1)), **changes)


def beside(*champions: Metric, candidate: tuple[Metric, ...] = (mae(),), **changes: Any) -> Evidence:
    champion = Champion(a_version(5), champions, signature='{"inputs":"a"}')
    return an_evidence(metrics=candidate, champion=champion, **changes)


def a_track(*thresholds: Threshold, mode: FastTrackMode = FastTrackMode.ON, **changes: Any) -> FastTrack:
    return replace(FastTrack(mode, thresholds), **changes)


def judged(
    evidence: Evidence,
    *thresholds: Threshold,
    request: TransitionRequest | None = None,
    is_switched_on: bool = True,
    **changes: Any,
) -> Judgement:
    asked = request or a_request(State.COLLECTING)
    return judge(asked, evidence, a_track(*thresholds, **changes), is_switched_on=is_switched_on)


def sentence_of(judgement: Judgement, *, passed: bool) -> str:
    (check,) = judgement.checks
    assert check.passed is passed
    assert check.metric == "mae"
    assert judgement.decides is passed
    return check.sentence


# Against a threshold


@pytest.mark.parametrize(
    ("value", "greater_is_better", "sentence"),
    [
        (24.51, False, "mae 24.51 is at most 40"),
        (40, False, "mae 40 is at most 40"),
        (41.2, True, "mae 41.2 is at least 40"),
        (40, True, "mae 40 is at least 40"),
    ],
)
def test_a_figure_that_reaches_its_threshold_passes(value: float, greater_is_better: bool, sentence: str) -> None:
    judgement = judged(an_evidence(metrics=(mae(value),)), Threshold("mae", greater_is_better, 40))

    assert sentence_of(judgement, passed=True) == sentence


@pytest.mark.parametrize(
    ("value", "greater_is_better", "sentence"),
    [
        (41.2, False, "mae 41.2 is above the threshold 40"),
        (0.79, True, "mae 0.79 is below the threshold 40"),
        (40.00000001, False, "mae 40.00000001 is above the threshold 40"),
    ],
)
def test_a_figure_that_does_not_reach_it_fails(value: float, greater_is_better: bool, sentence: str) -> None:
    judgement = judged(an_evidence(metrics=(mae(value),)), Threshold("mae", greater_is_better, 40))

    assert sentence_of(judgement, passed=False) == sentence


def test_a_threshold_is_printed_as_the_rule_says_it() -> None:
    judgement = judged(an_evidence(metrics=(mae(0.9),)), Threshold("mae", True, 0.87654321))

    assert sentence_of(judgement, passed=True) == "mae 0.9 is at least 0.87654321"


def test_a_figure_needs_no_data_set_to_be_held_against_a_threshold() -> None:
    judgement = judged(an_evidence(metrics=(mae(measured_on=None),)), AT_MOST_40)

    assert judgement.decides


# Which figure counts


def test_what_was_logged_anew_while_a_request_waited_counts_for_the_one_that_took_its_place_no_more() -> None:
    reopened = a_request(State.COLLECTING, opened_at=LATER, asked_since=NOON)
    logged_between = an_evidence(metrics=(mae(logged_at=NOON + timedelta(minutes=30)),))

    judgement = judged(logged_between, AT_MOST_40, request=reopened)

    assert not judgement.decides
    assert sentence_of(judgement, passed=False).startswith("mae was logged after the request was opened")


@pytest.mark.parametrize(
    ("evidence", "sentence"),
    [
        (an_evidence(metrics=()), "mae was not logged"),
        (an_evidence(metrics=(), params={"mae": "24.51"}), "mae is there only as text"),
        (an_evidence(metrics=(), tags={"mae": "24.51"}), "mae is there only as text"),
        (an_evidence(metrics=(mae(math.nan),)), "mae is not a number"),
        (an_evidence(metrics=(mae(math.inf),)), "mae is infinite"),
        (an_evidence(metrics=(mae(-math.inf),)), "mae is infinite"),
        (
            an_evidence(metrics=(mae(), mae(25, VALID))),
            "mae was measured on several data sets (test, valid), and the rule does not choose one with dataset",
        ),
        (
            an_evidence(metrics=(mae(), mae(25, None))),
            "mae was measured on several data sets (one that is not named, test), "
            "and the rule does not choose one with dataset",
        ),
        (
            an_evidence(metrics=(mae(logged_at=LATER),)),
            "mae was logged after the request was opened, on 2026-03-02 13:00:00 UTC",
        ),
    ],
)
def test_a_figure_that_cannot_be_told_for_sure_never_passes(evidence: Evidence, sentence: str) -> None:
    judgement = judged(evidence, AT_MOST_40)

    assert sentence_of(judgement, passed=False) == sentence


def test_a_figure_logged_in_the_moment_of_the_request_counts() -> None:
    judgement = judged(an_evidence(metrics=(mae(logged_at=NOON),)), AT_MOST_40)

    assert judgement.decides


def test_the_rule_may_choose_the_data_set() -> None:
    evidence = an_evidence(metrics=(mae(24.51), mae(99, VALID)))

    assert judged(evidence, replace(AT_MOST_40, dataset="test")).decides
    assert not judged(evidence, replace(AT_MOST_40, dataset="valid")).decides


@pytest.mark.parametrize(
    ("metrics", "sentence"),
    [
        ((mae(),), "mae was not measured on the data set spring, only on test"),
        ((mae(measured_on=None),), "mae was not measured on the data set spring, only on one that is not named"),
        ((mae(), mae(1, VALID)), "mae was not measured on the data set spring, only on test, valid"),
    ],
)
def test_a_data_set_that_the_rule_chooses_must_be_there(metrics: tuple[Metric, ...], sentence: str) -> None:
    judgement = judged(an_evidence(metrics=metrics), replace(AT_MOST_40, dataset="spring"))

    assert sentence_of(judgement, passed=False) == sentence


def test_two_data_sets_of_the_chosen_name_are_no_choice() -> None:
    evidence = an_evidence(metrics=(mae(), mae(25, OTHER_TEST)))

    judgement = judged(evidence, replace(AT_MOST_40, dataset="test"))

    assert sentence_of(judgement, passed=False) == (
        "mae was measured 2 times on data sets called test, so nobody can tell which counts"
    )


# Against the champion


@pytest.mark.parametrize(
    ("threshold", "champion", "sentence"),
    [
        (
            BETTER_BY_ONE_PERCENT,
            26.06,
            "mae improves on the champion's 26.06 by 1.55 (5.9 %), at least 1 % was asked",
        ),
        (BETTER_BY_HALF, 26.06, "mae improves on the champion's 26.06 by 1.55, at least 0.5 was asked"),
        (
            replace(BETTER_BY_ONE_PERCENT, min_relative_change=0.0),
            24.51,
            "mae equals the champion's 24.51, and it must not be worse",
        ),
        (
            replace(BETTER_BY_ONE_PERCENT, greater_is_better=True),
            -10,
            "mae improves on the champion's -10 by 34.51 (345.1 %), at least 1 % was asked",
        ),
        (
            replace(BETTER_BY_ONE_PERCENT, greater_is_better=True),
            0.0,
            "mae improves on the champion's 0 by 24.51, of 0 there is no share, so any gain was asked",
        ),
    ],
)
def test_a_figure_that_is_better_by_what_was_asked_passes(threshold: Threshold, champion: float, sentence: str) -> None:
    judgement = judged(beside(mae(champion)), threshold)

    assert sentence_of(judgement, passed=True) == sentence


@pytest.mark.parametrize(
    ("threshold", "champion", "sentence"),
    [
        (
            BETTER_BY_ONE_PERCENT,
            24.61,
            "mae improves on the champion's 24.61 by 0.1 (0.41 %), at least 1 % was asked",
        ),
        (
            BETTER_BY_ONE_PERCENT,
            24.7575757,
            "mae improves on the champion's 24.7576 by 0.247576 (0.9999997697674363 %), at least 1 % was asked",
        ),
        (BETTER_BY_HALF, 23.41, "mae is worse than the champion's 23.41 by 1.1, at least 0.5 was asked"),
        (
            replace(BETTER_BY_ONE_PERCENT, min_relative_change=0.0),
            23.41,
            "mae is worse than the champion's 23.41 by 1.1 (4.7 %), and it must not be worse",
        ),
        (BETTER_BY_HALF, 24.51, "mae equals the champion's 24.51, at least 0.5 was asked"),
        (
            BETTER_BY_ONE_PERCENT,
            0.0,
            "mae is worse than the champion's 0 by 24.51, of 0 there is no share, so any gain was asked",
        ),
    ],
)
def test_a_figure_that_is_not_fails(threshold: Threshold, champion: float, sentence: str) -> None:
    judgement = judged(beside(mae(champion)), threshold)

    assert sentence_of(judgement, passed=False) == sentence


@pytest.mark.parametrize(
    ("evidence", "sentence"),
    [
        (an_evidence(metrics=(mae(),)), "there is no champion to compare mae with, so a person decides"),
        (beside(), "the champion's mae was not logged, so a person decides"),
        (beside(mae(math.nan)), "the champion's mae is not a number, so a person decides"),
        (beside(mae(math.inf)), "the champion's mae is infinite, so a person decides"),
        (
            beside(mae(99, logged_at=LATER)),
            "the champion's mae was logged after the request was opened, on 2026-03-02 13:00:00 UTC, "
            "so a person decides",
        ),
        (
            beside(mae(), mae(26, VALID)),
            "the champion's mae was measured on several data sets (test, valid), "
            "and the rule does not choose one with dataset, so a person decides",
        ),
        (
            beside(mae(99, OTHER_TEST)),
            "mae was measured on different data sets (test 1a2b3c4d, champion test 9f8e7d6c), "
            "so they cannot be compared: a person decides",
        ),
        (
            beside(mae(99, None)),
            "it is not known on which data the champion's mae was measured, so a person decides",
        ),
        (
            beside(mae(99), candidate=(mae(measured_on=None),)),
            "it is not known on which data mae was measured, so a person decides",
        ),
        (
            beside(mae(99, DataSet("test", "")), candidate=(mae(measured_on=DataSet("test", "")),)),
            "it is not known on which data mae was measured, so a person decides",
        ),
    ],
)
@pytest.mark.parametrize("threshold", [BETTER_BY_ONE_PERCENT, BETTER_BY_HALF])
def test_what_cannot_be_compared_is_left_to_people(threshold: Threshold, evidence: Evidence, sentence: str) -> None:
    judgement = judged(evidence, threshold)

    assert sentence_of(judgement, passed=False) == sentence


def test_the_same_data_under_another_name_is_the_same() -> None:
    renamed = replace(TEST, name="held out", context="test")

    assert judged(beside(mae(26.06, renamed)), BETTER_BY_ONE_PERCENT).decides


def test_the_champion_needs_no_figure_that_nobody_compares_with() -> None:
    assert judged(beside(), AT_MOST_40).decides


# All that is asked


def test_everything_is_looked_at_also_after_the_first_failure() -> None:
    r2 = Threshold("r2", True, 0.8)
    both = replace(AT_MOST_40, min_absolute_change=0.5, min_relative_change=0.01)

    judgement = judged(beside(mae(26.06), candidate=(mae(41.2),)), r2, both)

    assert [(check.passed, check.metric, check.sentence) for check in judgement.checks] == [
        (False, "r2", "r2 was not logged"),
        (False, "mae", "mae 41.2 is above the threshold 40"),
        (False, "mae", "mae is worse than the champion's 26.06 by 15.14, at least 0.5 was asked"),
        (False, "mae", "mae is worse than the champion's 26.06 by 15.14 (58.1 %), at least 1 % was asked"),
    ]


def test_a_track_that_asks_for_nothing_lets_nothing_pass() -> None:
    assert judged(an_evidence()) == Judgement(FastTrackMode.ON, ())
    assert not judged(an_evidence()).decides


def test_a_version_that_was_rolled_back_once_is_left_to_people() -> None:
    request = a_request(State.COLLECTING, failed_before="on 2026-02-01 by Ana Ruiz: worse on rainy days")

    judgement = judged(an_evidence(metrics=(mae(),)), AT_MOST_40, request=request)

    assert not judgement.decides
    assert judgement.checks[0] == Check(
        False,
        "bike-demand v7 has failed at alias:champion before: on 2026-02-01 by Ana Ruiz: worse on rainy days",
    )


def test_a_model_that_runs_files_of_another_place_is_left_to_people() -> None:
    evidence = an_evidence(metrics=(mae(),), outside=('MLmodel, code: "/opt/code" is an absolute path',))

    judgement = judged(evidence, AT_MOST_40)

    assert not judgement.decides
    assert judgement.checks[-1].sentence.startswith("the model runs files that are not its own: MLmodel, code")


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        (
            an_observed(State.COLLECTING),
            "only promotions pass on the fast track, and this target was moved without asking",
        ),
        (
            a_request(State.COLLECTING, kind=Kind.ROLLBACK),
            "only promotions pass on the fast track, and this goes back to an earlier version",
        ),
    ],
)
def test_only_promotions_pass(request_: TransitionRequest, sentence: str) -> None:
    judgement = judged(an_evidence(metrics=(mae(),)), AT_MOST_40, request=request_)

    assert not judgement.decides
    assert judgement.checks[0] == Check(False, sentence)


@pytest.mark.parametrize(
    ("asks", "passes"),
    [({"metrics": (BETTER_BY_ONE_PERCENT,)}, False), ({"require": (Demand.SIGNATURE,)}, False), ({}, True)],
    ids=["its figures", "its signature", "nothing of it"],
)
@pytest.mark.parametrize(
    ("why", "said"),
    [("is_champion_unconfirmed", "broken glass"), ("is_champion_off_record", "not what the ledger says")],
)
def test_a_champion_by_a_broken_glass_that_nobody_confirmed_or_by_a_row_alone_is_no_measure(
    asks: dict[str, Any], passes: bool, why: str, said: str
) -> None:
    evidence = beside(mae(26.06), signature='{"inputs":"a"}')
    track = replace(a_track(AT_MOST_40), **asks)

    judgement = judge(a_request(State.COLLECTING), evidence, track, is_switched_on=True, **{why: True})

    assert judge(a_request(State.COLLECTING), evidence, track, is_switched_on=True).decides
    assert judgement.decides is passes
    assert any(said in check.sentence for check in judgement.checks) is not passes


def test_a_complete_lineage_may_be_demanded() -> None:
    complete = an_evidence(metrics=(mae(),), datasets=(DataSet("rides", "1a2b3c4d", "training"),), commit="4f1d2c9")

    with_it = judged(complete, AT_MOST_40, require=(Demand.LINEAGE,))
    without = judged(replace(complete, commit=None, params={}), AT_MOST_40, require=(Demand.LINEAGE,))

    assert with_it.checks[1] == Check(True, "the lineage is complete")
    assert with_it.decides
    assert [check.sentence for check in without.checks if not check.passed] == [
        "the lineage is not complete, there is no commit: "
        "train from a git checkout, so that the run is tagged with its commit",
        "the lineage is not complete, there is no parameter: log the parameters of the training on the run",
    ]


@pytest.mark.parametrize(
    ("evidence", "passed", "sentence"),
    [
        (beside(signature='{"inputs":"a"}'), True, "the model signature is the same as the champion's"),
        (beside(signature='{"inputs":"b"}'), False, "the model signature differs from the champion's"),
        (beside(signature=None), False, "the version has no model signature, so a person decides"),
        (
            an_evidence(metrics=(mae(),), signature="{}", champion=Champion(a_version(5))),
            False,
            "the champion has no model signature, so a person decides",
        ),
        (
            an_evidence(metrics=(mae(),), signature="{}"),
            False,
            "there is no champion whose model signature could be the same, so a person decides",
        ),
    ],
)
def test_an_unchanged_signature_may_be_demanded(evidence: Evidence, passed: bool, sentence: str) -> None:
    judgement = judged(evidence, AT_MOST_40, require=(Demand.SIGNATURE,))

    assert judgement.checks[1] == Check(passed, sentence)
    assert judgement.decides is passed


# Modes


def test_off_says_nothing() -> None:
    judgement = judged(an_evidence(metrics=(mae(),)), AT_MOST_40, mode=FastTrackMode.OFF)

    assert judgement == Judgement(FastTrackMode.OFF, ())


@pytest.mark.parametrize("is_switched_on", [True, False])
def test_shadow_says_the_same_and_decides_nothing(is_switched_on: bool) -> None:
    evidence = an_evidence(metrics=(mae(),))

    shadow = judged(
        evidence, AT_MOST_40, mode=FastTrackMode.SHADOW, sample_to_people=1.0, is_switched_on=is_switched_on
    )

    assert shadow.checks == judged(evidence, AT_MOST_40).checks
    assert shadow.passes
    assert not shadow.held_back
    assert not shadow.decides


def test_the_kill_switch_holds_back_what_passes() -> None:
    judgement = judged(an_evidence(metrics=(mae(),)), AT_MOST_40, is_switched_on=False)

    assert judgement.passes
    assert judgement.held_back == "the fast track is switched off"
    assert not judgement.decides


def test_what_fails_is_not_held_back_besides() -> None:
    judgement = judged(an_evidence(metrics=()), AT_MOST_40, is_switched_on=False, sample_to_people=1.0)

    assert not judgement.held_back


def test_a_share_of_what_passes_goes_to_people() -> None:
    evidence = an_evidence(metrics=(mae(),))

    everything = judged(evidence, AT_MOST_40, sample_to_people=1.0)
    nothing = judged(evidence, AT_MOST_40, sample_to_people=0.0)

    assert everything.held_back == "100 % of the versions that pass go to people all the same, and this is one of them"
    assert not everything.decides
    assert nothing.decides


# In a table


@pytest.mark.parametrize(
    ("threshold", "text"),
    [
        (AT_MOST_40, "≤ 40"),
        (Threshold("r2", True, 0.8), "≥ 0.8"),
        (BETTER_BY_HALF, "better by 0.5"),
        (BETTER_BY_ONE_PERCENT, "better by 1 %"),
        (Threshold("mae", False, min_relative_change=0.0), "not worse"),
        (Threshold("mae", False, 40, min_relative_change=0.01), "≤ 40, better by 1 %"),
        (Threshold("r2", True, 0.8, 0.05, 0.025), "≥ 0.8, better by 0.05, better by 2.5 %"),
    ],
)
def test_what_is_asked_fits_into_a_table(threshold: Threshold, text: str) -> None:
    assert demand_text(threshold) == text


@pytest.mark.parametrize(
    ("decided_by", "outcomes"),
    [(DecidedBy.FAST_TRACK, ["false_pass"]), (DecidedBy.PEOPLE, []), (DecidedBy.RULE, []), (None, [])],
)
def test_only_a_rollback_of_what_the_fast_track_approved_is_a_false_pass(
    decided_by: DecidedBy | None, outcomes: list[str]
) -> None:
    failed = a_request(State.APPLIED, decided_by=decided_by)

    found = compare_taken_back(failed, a_rule(), LATER)

    assert [event.outcome for event in found if isinstance(event, FastTrackCompared)] == outcomes
