"""The fast track in the policy: thresholds in MLflow's own terms, and modes that YAML takes for true and false."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.exceptions import MlflowException
from mlflow.models import MetricThreshold

from bot.domain.model import FastTrackMode
from bot.domain.policy.rules import Demand, FastTrack, Threshold
from config.policy import line_of, read_policy
from tests.builders.policies import FULL, mistakes_of, replaced

METRIC = "{threshold: 40, greater_is_better: false, min_relative_change: 0.0, min_absolute_change: 1, dataset: test}"


def track_of(text: str) -> FastTrack:
    track = read_policy(text).rules[0].fast_track
    assert track is not None
    return track


def threshold_of(written: str) -> Threshold:
    (threshold,) = track_of(replaced(FULL, METRIC, written)).metrics
    return threshold


def test_a_fast_track_reads_as_it_is_written() -> None:
    track = track_of(FULL)

    assert track == FastTrack(
        FastTrackMode.SHADOW,
        (Threshold("mae", False, threshold=40.0, min_absolute_change=1.0, min_relative_change=0.0, dataset="test"),),
        require=(Demand.LINEAGE, Demand.SIGNATURE),
        sample_to_people=0.1,
        undo_for=timedelta(hours=2),
    )


def test_what_is_left_out_demands_nothing_and_can_be_undone_for_a_day() -> None:
    text = FULL[: FULL.index("      require:")]

    track = track_of(text)

    assert (track.require, track.sample_to_people, track.undo_for) == ((), 0, timedelta(days=1))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("off", FastTrackMode.OFF),
        ("on", FastTrackMode.ON),
        ("On", FastTrackMode.ON),
        ("'off'", FastTrackMode.OFF),
        ('"on"', FastTrackMode.ON),
        ("true", FastTrackMode.ON),
        ("shadow", FastTrackMode.SHADOW),
    ],
)
def test_on_and_off_may_stand_without_quotes(written: str, meant: FastTrackMode) -> None:
    track = track_of(replaced(FULL, "mode: shadow", f"mode: {written}"))

    assert track.mode is meant


@pytest.mark.parametrize("written", ["1", "enabled", "[on]", "{on: off}"])
def test_anything_else_is_no_mode(written: str) -> None:
    mistakes = mistakes_of(replaced(FULL, "mode: shadow", f"mode: {written}"))

    assert len(mistakes) == 1
    assert mistakes[0].startswith('policy.yaml line 25: rule "bike-*": fast_track.mode must be off, shadow or on, not ')


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("40", 40.0),
        ("-3", -3.0),
        ("0.5", 0.5),
        ("+.5", 0.5),
        ("5.", 5.0),
        ("1e3", 1000.0),
        ("2.5e-3", 0.0025),
        ("0", 0.0),
    ],
)
def test_a_threshold_is_any_finite_number(written: str, meant: float) -> None:
    threshold = threshold_of(f"{{threshold: {written}, greater_is_better: true}}")

    assert threshold.threshold == meant
    assert isinstance(threshold.threshold, float)


@pytest.mark.parametrize(
    "written", ["true", ".nan", ".inf", "-.inf", "1e999", "'40'", "forty", "40 %", "1_000.5", "0x1F", "1:30", "[1]"]
)
def test_anything_else_is_no_number(written: str) -> None:
    (mistake,) = mistakes_of(replaced(FULL, METRIC, f"{{threshold: {written}, greater_is_better: true}}"))

    assert mistake.startswith('policy.yaml line 27: rule "bike-*": fast_track.metrics.mae.threshold must be a ')


numbers = st.none() | st.sampled_from([0, 1, -1, 0.0, 0.5, 1.0, 1.5, -0.25]) | st.integers(-3, 3)


@given(numbers, numbers, numbers, st.none() | st.booleans())
def test_what_mlflow_takes_for_a_threshold_is_one_here(
    threshold: float | None, absolute: float | None, relative: float | None, greater_is_better: bool | None
) -> None:
    written = {"threshold": threshold, "min_absolute_change": absolute, "min_relative_change": relative}
    keys = [f"{key}: {value}" for key, value in written.items() if value is not None]
    if greater_is_better is not None:
        keys.append(f"greater_is_better: {str(greater_is_better).lower()}")
    text = replaced(FULL, METRIC, "{" + ", ".join(keys) + "}")

    try:
        MetricThreshold(threshold, absolute, None if relative is None else float(relative), greater_is_better)  # type: ignore[no-untyped-call]
    except MlflowException:
        assert mistakes_of(text)
    else:
        (read,) = track_of(text).metrics
        assert (read.threshold, read.min_absolute_change, read.min_relative_change) == (threshold, absolute, relative)
        assert read.greater_is_better is greater_is_better


# What is changed in FULL, and what is said about it.
SINGLE = [
    (METRIC, "{greater_is_better: true, dataset: test}", 27,
     "fast_track.metrics.mae needs at least one of threshold, min_absolute_change and min_relative_change."),
    (METRIC, "{threshold: 40}", 27, "fast_track.metrics.mae.greater_is_better is missing."),
    (METRIC, "40", 27, "fast_track.metrics.mae must be a mapping, not 40."),
    ("greater_is_better: false", "greater_is_better: 0", 27, "fast_track.metrics.mae.greater_is_better must be true or false, not 0."),
    ("min_absolute_change: 1", "min_absolute_change: 0", 27, "fast_track.metrics.mae.min_absolute_change must be more than 0, not 0."),
    ("min_relative_change: 0.0", "min_relative_change: 1.5", 27, "fast_track.metrics.mae.min_relative_change must be at most 1, not 1.5."),
    ("min_relative_change: 0.0", "min_relative_change: -1", 27, "fast_track.metrics.mae.min_relative_change must be at least 0, not -1."),
    ("dataset: test", "dataset: ''", 27, "fast_track.metrics.mae.dataset must not be empty."),
    ("dataset: test", "data_set: test", 27, 'unknown key "data_set" in fast_track.metrics.mae. Did you mean "dataset"?'),
    (f"\n        mae: {METRIC}", " {}", 26, "fast_track.metrics must not be empty."),
    (f"      metrics:\n        mae: {METRIC}\n", "", 24, "fast_track.metrics is missing."),
    ("      mode: shadow\n", "", 24, "fast_track.mode is missing."),
    ("require: [lineage, signature]", "require: [lineage, docs]", 28, 'fast_track.require must be lineage or signature, not "docs".'),
    ("require: [lineage, signature]", "require: [lineage, lineage]", 28, "fast_track.require names lineage twice. Remove one of them."),
    ("sample_to_people: 0.1", "sample_to_people: 10", 29, "fast_track.sample_to_people must be at most 1, not 10."),
    ("sample_to_people: 0.1", "sample_to_people: 10%", 29, 'fast_track.sample_to_people must be a number, not "10%".'),
    ("undo_for: 2h", "undo_for: 2", 30, 'fast_track.undo_for must be a whole number with its unit, which is s, m, h or d, such as "3d".'),
    ("undo_for: 2h", "undo_fro: 2h", 30, 'unknown key "undo_fro" in fast_track. Did you mean "undo_for"?'),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "line", "sentence"), SINGLE)
def test_each_mistake_is_one_sentence_on_its_line(old: str, new: str, line: int, sentence: str) -> None:
    mistakes = mistakes_of(replaced(FULL, old, new))

    assert mistakes == [f'policy.yaml line {line}: rule "bike-*": {sentence}']


def test_a_metric_has_a_name() -> None:
    (mistake,) = mistakes_of(replaced(FULL, "        mae:", "        ' ':"))

    assert mistake == "policy.yaml line 27: A metric's name must have at least one and at most 500 characters."


def test_a_metric_may_have_any_name_that_mlflow_knows() -> None:
    for name in ("val/mae", "metrics", "mean squared error", "on", "7"):
        (threshold,) = track_of(replaced(FULL, "        mae:", f"        {name}:")).metrics

        assert threshold.metric == name


@pytest.mark.parametrize("metric", ["metrics", "target", "poll"])
def test_a_mistake_in_a_metric_that_is_named_like_a_key_is_still_understood(metric: str) -> None:
    text = replaced(FULL, "        mae:", f"        {metric}:").replace("threshold: 40", "treshold: 40")

    assert mistakes_of(text) == [
        f'policy.yaml line 27: rule "bike-*": unknown key "treshold" in fast_track.metrics.{metric}. Did you mean "threshold"?'
    ]


def test_a_fast_track_that_sends_everything_to_people_decides_nothing() -> None:
    text = replaced(FULL, "mode: shadow", "mode: on").replace("sample_to_people: 0.1", "sample_to_people: 1.0")

    assert mistakes_of(text) == [
        'policy.yaml line 29: rule "bike-*" has its fast track on and sends every version to people, so that it decides none. '
        "Write mode: shadow, or a smaller share."
    ]
    assert track_of(replaced(text, "mode: on", "mode: shadow")).sample_to_people == 1


def test_the_line_of_a_metric_can_be_asked_for() -> None:
    path = ("rules", 0, "fast_track", "metrics")

    assert line_of(FULL, (*path, "mae")) == 27
    assert line_of(FULL, (*path, "rmse")) == 26
    assert line_of("rules: [", (*path, "mae")) is None
