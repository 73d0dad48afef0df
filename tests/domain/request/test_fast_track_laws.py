"""Any figures, any thresholds: what the fast track never does. MLflow's own comparison is held against ours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from hypothesis import assume, given
from hypothesis import strategies as st
from mlflow.models.evaluation import EvaluationResult
from mlflow.models.evaluation.validation import (
    MetricThreshold,
    ModelValidationFailedException,
    validate_evaluation_results,
)

from bot.domain.model import Champion, DataSet, Evidence, FastTrackMode, Judgement, Metric, State
from bot.domain.policy.rules import FastTrack, Threshold
from bot.domain.request.fast_track import demand_text, judge
from tests.builders import LATER, NOON, a_request, a_version, an_evidence

NAMES = ("mae", "r2", "rmse")
DATA_SETS = (DataSet("test", "1a2b3c4d"), DataSet("test", "9f8e7d6c"), DataSet("valid", "5e6f7a8b"), DataSet("", ""))
SHARES = st.sampled_from([0.0, 0.01, 0.05, 0.5, 1.0]) | st.floats(0, 1)
GAINS = st.sampled_from([0.1, 0.5, 1.0]) | st.floats(0, 1e6, exclude_min=True)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
NEAR = st.sampled_from([-1.0, -0.1, 0.0, 0.1, 0.2, 0.3, 0.5, 0.99, 1.0, 1.01, 40.0, 40.4]) | st.floats(-100, 100)
ANY_FIGURE = st.floats() | NEAR
BROKEN = st.sampled_from([math.nan, math.inf, -math.inf])


@st.composite
def thresholds(draw: st.DrawFn, metric: str = "mae") -> Threshold:
    """Asking for something, as the policy file makes sure."""
    threshold = Threshold(
        metric,
        draw(st.booleans()),
        draw(st.none() | NEAR),
        draw(st.none() | GAINS),
        draw(st.none() | SHARES),
        draw(st.sampled_from([None, None, "test", "valid"])),
    )
    assume(threshold.threshold is not None or threshold.compares)
    return threshold


METRICS = st.builds(
    Metric,
    st.sampled_from(NAMES),
    ANY_FIGURE,
    st.just("logged model"),
    st.none() | st.sampled_from(DATA_SETS),
    st.sampled_from([None, NOON, LATER]),
)
FIGURES = st.lists(METRICS, max_size=4).map(tuple)
CHAMPIONS = st.none() | st.builds(Champion, st.just(a_version(5)), FIGURES)
TRACKS = st.lists(st.sampled_from(NAMES).flatmap(thresholds), min_size=1, max_size=3).map(tuple)


def judged(metrics: Sequence[Metric], champion: Champion | None, *asked: Threshold) -> Judgement:
    evidence: Evidence = an_evidence(metrics=tuple(metrics), champion=champion)
    track = FastTrack(FastTrackMode.ON, asked)
    return judge(a_request(State.COLLECTING), evidence, track, is_switched_on=True)


def on_the_same_data(candidate: float, champion: float, threshold: Threshold) -> Judgement:
    figure, baseline = (Metric("mae", value, "run", DATA_SETS[0], NOON) for value in (candidate, champion))
    return judged([figure], Champion(a_version(5), (baseline,)), replace(threshold, dataset=None))


def mlflow_passes(candidate: float, champion: float, threshold: Threshold) -> bool:
    asked = MetricThreshold(  # type: ignore[no-untyped-call]
        threshold=threshold.threshold,
        min_absolute_change=threshold.min_absolute_change,
        min_relative_change=threshold.min_relative_change,
        greater_is_better=threshold.greater_is_better,
    )
    results = [
        EvaluationResult({"mae": value}, artifacts={})  # type: ignore[no-untyped-call]
        for value in (candidate, champion)
    ]
    try:
        validate_evaluation_results({"mae": asked}, *results)
    except ModelValidationFailedException:
        return False
    return True


@given(NEAR | FINITE, NEAR | FINITE, thresholds())
def test_on_finite_figures_of_the_same_data_it_agrees_with_mlflow(
    candidate: float, champion: float, threshold: Threshold
) -> None:
    assert on_the_same_data(candidate, champion, threshold).passes is mlflow_passes(candidate, champion, threshold)


@given(NEAR, SHARES, GAINS, st.booleans())
def test_it_agrees_with_mlflow_also_at_the_very_bound(champion: float, share: float, gain: float, up: bool) -> None:
    by_share = Threshold("mae", up, min_relative_change=share)
    by_gain = Threshold("mae", up, min_absolute_change=gain)

    for threshold, change in ((by_share, share * abs(champion)), (by_gain, gain)):
        candidate = champion + change if up else champion - change
        for figure in (math.nextafter(candidate, -math.inf), candidate, math.nextafter(candidate, math.inf)):
            agrees = mlflow_passes(figure, champion, threshold)
            assert on_the_same_data(figure, champion, threshold).passes is agrees


@given(BROKEN, FIGURES, CHAMPIONS, thresholds(), TRACKS)
def test_it_never_decides_with_a_figure_that_is_not_finite(
    broken: float, others: tuple[Metric, ...], champion: Champion | None, threshold: Threshold, track: tuple[Threshold]
) -> None:
    named = [metric for metric in others if metric.name != "mae"]

    judgement = judged([*named, Metric("mae", broken, "run", DATA_SETS[0], NOON)], champion, threshold, *track)

    assert not judgement.passes


@given(BROKEN, NEAR, thresholds())
def test_it_never_compares_with_a_champion_whose_figure_is_not_finite(
    broken: float, candidate: float, threshold: Threshold
) -> None:
    assume(threshold.compares)

    assert not on_the_same_data(candidate, broken, threshold).passes


@given(FIGURES, CHAMPIONS, thresholds(), TRACKS)
def test_it_never_decides_without_a_figure_that_is_asked_for(
    metrics: tuple[Metric, ...], champion: Champion | None, threshold: Threshold, track: tuple[Threshold, ...]
) -> None:
    without = [metric for metric in metrics if metric.name != "mae"]

    assert not judged(without, champion, threshold, *track).passes


@given(
    st.lists(METRICS.map(lambda figure: replace(figure, name="mae")), max_size=3),
    st.sampled_from([None, "test", "valid"]),
)
def test_exactly_one_finite_figure_that_is_in_time_counts(figures: list[Metric], data_set: str | None) -> None:
    anything_will_do = Threshold("mae", True, -math.inf, dataset=data_set)
    named = [one for one in figures if data_set is None or (one.measured_on and one.measured_on.name == data_set)]

    judgement = judged(figures, None, anything_will_do)

    one_counts = len(named) == 1 and math.isfinite(named[0].value) and named[0].logged_at != LATER
    assert judgement.passes is one_counts


@given(METRICS, METRICS, thresholds())
def test_it_compares_only_what_was_measured_on_data_of_the_same_digest(
    candidate: Metric, champion: Metric, threshold: Threshold
) -> None:
    assume(threshold.compares)
    ours, theirs = (replace(figure, name="mae") for figure in (candidate, champion))
    same = ours.measured_on and theirs.measured_on and ours.measured_on.digest == theirs.measured_on.digest != ""

    judgement = judged([ours], Champion(a_version(5), (theirs,)), threshold)

    assert same or not judgement.passes


@given(NEAR, NEAR, NEAR, thresholds())
def test_a_better_figure_never_fails_where_a_worse_one_passes(
    one: float, other: float, champion: float, threshold: Threshold
) -> None:
    worse, better = sorted((one, other), reverse=not threshold.greater_is_better)

    assert (
        not on_the_same_data(worse, champion, threshold).passes or on_the_same_data(better, champion, threshold).passes
    )


@given(FIGURES, CHAMPIONS, TRACKS, st.data())
def test_the_order_of_metrics_does_not_matter(
    metrics: tuple[Metric, ...], champion: Champion | None, track: tuple[Threshold, ...], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(metrics))
    others = champion and replace(champion, metrics=tuple(data.draw(st.permutations(champion.metrics))))

    assert judged(shuffled, others, *track) == judged(metrics, champion, *track)


@given(FIGURES, CHAMPIONS, TRACKS, thresholds())
def test_asking_for_more_never_lets_more_pass(
    metrics: tuple[Metric, ...], champion: Champion | None, track: tuple[Threshold, ...], another: Threshold
) -> None:
    fewer, more = judged(metrics, champion, *track), judged(metrics, champion, *track, another)

    assert fewer.passes or not more.passes
    assert more.checks[: len(fewer.checks)] == fewer.checks


@given(NEAR | FINITE, NEAR | FINITE, thresholds())
def test_a_sentence_never_says_the_opposite_of_its_check(
    candidate: float, champion: float, threshold: Threshold
) -> None:
    for check in on_the_same_data(candidate, champion, threshold).checks:
        said = check.sentence
        assert not (check.passed and ("threshold" in said or ("is worse than" in said)))
        assert check.passed or ("at most" not in said and " is at least" not in said)


@given(thresholds())
def test_whatever_is_asked_can_be_said_in_a_table(threshold: Threshold) -> None:
    assert demand_text(threshold)


def test_the_share_that_goes_to_people_is_about_what_the_rule_says() -> None:
    passing = an_evidence(metrics=(Metric("mae", 24.51, "run", DATA_SETS[0], NOON),))
    asked = Threshold("mae", greater_is_better=False, threshold=40)
    track = FastTrack(FastTrackMode.ON, (asked,), sample_to_people=0.1)

    judgements = [
        judge(a_request(State.COLLECTING, id=f"{number:032x}"), passing, track, is_switched_on=True)
        for number in range(5000)
    ]

    assert 400 < sum(not judgement.decides for judgement in judgements) < 600


@given(st.uuids(), SHARES, SHARES)
def test_who_is_drawn_for_a_small_share_is_drawn_for_a_greater_one(
    request_id: object, one: float, other: float
) -> None:
    passing = an_evidence(metrics=(Metric("mae", 24.51, "run", DATA_SETS[0], NOON),))
    asked = Threshold("mae", greater_is_better=False, threshold=40)
    request = a_request(State.COLLECTING, id=str(request_id))
    small, great = (
        judge(request, passing, FastTrack(FastTrackMode.ON, (asked,), sample_to_people=share), is_switched_on=True)
        for share in sorted((one, other))
    )

    assert small.decides or not great.decides
