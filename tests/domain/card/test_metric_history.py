"""Which figures the plot shows, and that it says all of them in words too."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bot.domain.card.metric_history import (
    Holder,
    MetricHistory,
    Point,
    demanded,
    history_of,
    in_words,
    plotted_metric,
)
from bot.domain.model import DataSet, Evidence, FastTrackMode, Metric
from bot.domain.policy.rules import FastTrack, Threshold
from tests.builders import a_champion, a_metric, a_request, a_rule, a_version, an_evidence, an_observed
from tests.strategies import metrics

AT_MOST_40 = Threshold("mae", greater_is_better=False, threshold=40)
RULE = a_rule(fast_track=FastTrack(FastTrackMode.SHADOW, (Threshold("auc", True, 0.8), AT_MOST_40)))
TEST = DataSet("test", "1a2b3c4d")
EARLIER = {5: (a_metric("mae", 26.06),), 6: (a_metric("mae", 30.0), a_metric("r2", 0.8))}
EVIDENCE = an_evidence(
    metrics=(a_metric("explained", 0.9), a_metric("mae", 24.51)), champion=a_champion(a_metric("mae", 26.06))
)


def a_history(evidence: Evidence = EVIDENCE, earlier: Any = EARLIER, **changes: Any) -> MetricHistory:
    found = history_of(a_request(evidence=evidence, **changes), evidence, RULE, earlier)
    assert found is not None
    return found


def test_the_first_figure_that_the_fast_track_looks_at_is_drawn_up_to_the_candidate() -> None:
    history = a_history()

    assert history == MetricHistory(
        model="bike-demand",
        metric="mae",
        points=(Point(5, 26.06), Point(6, 30.0), Point(7, 24.51)),
        candidate=Point(7, 24.51),
        holder=Holder("v5", "champion", 26.06, Point(5, 26.06)),
        threshold=AT_MOST_40,
    )


def test_without_a_fast_track_the_first_figure_is_drawn() -> None:
    found = plotted_metric(EVIDENCE, a_rule())

    assert found == (a_metric("explained", 0.9), None)


def test_the_picture_is_told_in_words() -> None:
    assert in_words(a_history()) == (
        "mae over versions 5 to 7 of bike-demand: 26.06 (v5, champion), candidate v7 24.51, limit: at most 40. "
        "All figures: v5 26.06, v6 30, v7 24.51."
    )


def test_what_was_moved_without_asking_is_called_as_in_the_table() -> None:
    history = history_of(an_observed(evidence=EVIDENCE), EVIDENCE, RULE, EARLIER)

    assert history is not None
    assert in_words(history).startswith("mae over versions 5 to 7 of bike-demand: 26.06 (v5, before), now v7 24.51,")


def test_one_version_alone_is_no_history() -> None:
    request = a_request(evidence=EVIDENCE)

    assert history_of(request, EVIDENCE, RULE, {6: (a_metric("r2", 0.8),), 5: (a_metric("mae", float("nan")),)}) is None
    assert history_of(request, an_evidence(metrics=()), RULE, EARLIER) is None
    assert plotted_metric(an_evidence(metrics=(a_metric("mae", float("inf")),)), RULE) is None


def test_figures_from_other_data_are_told_apart() -> None:
    measured = replace(a_metric("mae", 24.51), measured_on=TEST)
    both = (a_metric("mae", 99.0), replace(a_metric("mae", 28.0), measured_on=TEST))

    history = a_history(an_evidence(metrics=(measured,)), {**EARLIER, 6: both})

    assert history.points == (Point(5, 26.06, False), Point(6, 28.0), Point(7, 24.51))
    assert in_words(history).endswith("All figures: v5 26.06 (other data), v6 28, v7 24.51.")


def test_a_holder_that_is_none_of_the_versions_shown_keeps_its_frozen_figure() -> None:
    old = replace(EVIDENCE, champion=a_champion(a_metric("mae", 26.06), number=1))
    copied = replace(EVIDENCE, champion=replace(a_champion(a_metric("mae", 27.0)), version=a_version(5, "prod.x")))

    assert a_history(old).holder == Holder("v1", "champion", 26.06, None)
    assert a_history(copied).holder == Holder("prod.x v5", "champion", 27.0, None)


def test_who_holds_the_target_has_no_mark_without_a_figure_or_when_it_is_the_candidate_itself() -> None:
    silent = replace(EVIDENCE, champion=a_champion())
    itself = replace(EVIDENCE, champion=a_champion(a_metric("mae", 24.51), number=7))

    assert a_history(silent).holder is None
    assert a_history(itself).holder is None
    assert a_history(replace(EVIDENCE, champion=None)).holder is None


def test_a_threshold_without_a_figure_of_its_own_is_not_told() -> None:
    history = a_history()

    assert demanded(replace(history, threshold=Threshold("mae", False, min_relative_change=0.01))) == ""
    assert demanded(replace(history, threshold=Threshold("mae", True, 0.8))) == "limit: at least 0.8"
    assert demanded(replace(history, threshold=None)) == ""


@given(metrics, st.dictionaries(st.integers(1, 6), metrics, max_size=4))
def test_no_history_is_too_odd(found: tuple[Metric, ...], earlier: dict[int, tuple[Metric, ...]]) -> None:
    evidence = an_evidence(metrics=found)

    history = history_of(a_request(evidence=evidence), evidence, RULE, earlier)

    if history is not None:
        assert history.points[-1] == history.candidate
        assert len(history.points) >= 2
        assert in_words(history).startswith(history.metric)
